//! Lists of orders: two statements, however many there are.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr, Query};
use sea_orm::{Condition, Order, QueryOrder, QuerySelect, Value};
use serde::{Deserialize, Serialize};
use souk_values::{OrderId, Page, ProductId, UserId};

use super::{Column, Entity, line};
use crate::domain::order::State;
use crate::domain::pricing::Line;

#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) user: Option<UserId>,
    /// Any of them; `None`: all.
    pub(crate) states: Option<Vec<State>>,
    /// Every word must occur.
    pub(crate) text: Option<String>,
    pub(crate) product: Option<ProductId>,
    /// Inclusive.
    pub(crate) from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub(crate) to: Option<DateTime<Utc>>,
    pub(crate) needs_review: Option<bool>,
}

/// By what, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    by_total: bool,
    descending: bool,
}

impl Sort {
    pub(crate) const NEWEST: Self = Self { by_total: false, descending: true };

    /// `created_at`, `-total`; empty: newest first.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::NEWEST);
        }
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        match name {
            "created_at" => Some(Self { by_total: false, descending }),
            "total" => Some(Self { by_total: true, descending }),
            _ => None,
        }
    }

    fn column(self) -> Column {
        if self.by_total { Column::Total } else { Column::CreatedAt }
    }
}

/// The place of the last order of a page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Of the order that the list is in.
    by_total: bool,
    key: i64,
    id: OrderId,
}

impl Position {
    /// Whether the position is one of lists in this order.
    pub(crate) fn fits(&self, sort: Sort) -> bool {
        self.by_total == sort.by_total && self.value().is_some()
    }

    fn value(&self) -> Option<Value> {
        if self.by_total {
            return Some(self.key.into());
        }
        Some(DateTime::<Utc>::from_timestamp_micros(self.key)?.into())
    }
}

/// An order in a list.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub(crate) id: OrderId,
    pub(crate) number: String,
    pub(crate) user_id: UserId,
    pub(crate) state: State,
    pub(crate) total: i64,
    pub(crate) currency: String,
    pub(crate) refunded: i64,
    pub(crate) items_count: i64,
    pub(crate) needs_review: bool,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) lines: Vec<Line>,
}

/// One page, and where the next begins.
pub(crate) async fn list(
    db: &DatabaseConnection,
    filter: &Filter,
    sort: Sort,
    page: &Page,
    after: Option<Position>,
) -> Result<(Vec<Summary>, Option<Position>), DbErr> {
    let order = if sort.descending { Order::Desc } else { Order::Asc };
    let mut select = Entity::find()
        .filter(condition(filter))
        .order_by(sort.column(), order.clone())
        .order_by(Column::Id, order)
        .limit(u64::from(page.limit) + 1);
    if let Some((value, id)) = after.and_then(|p| Some((p.value()?, p.id))) {
        let beyond = |column: Column, value: Value| {
            if sort.descending { column.lt(value) } else { column.gt(value) }
        };
        let same = Condition::all()
            .add(sort.column().eq(value.clone()))
            .add(beyond(Column::Id, id.into()));
        select = select.filter(Condition::any().add(beyond(sort.column(), value)).add(same));
    }
    let mut rows = select.all(db).await?;
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|last| Position {
        by_total: sort.by_total,
        key: if sort.by_total { last.total } else { last.created_at.timestamp_micros() },
        id: last.id,
    });
    let mut lines: HashMap<OrderId, Vec<Line>> = HashMap::new();
    if !rows.is_empty() {
        for (id, line) in line::of_orders(db, rows.iter().map(|row| row.id)).await? {
            lines.entry(id).or_default().push(line);
        }
    }
    let items = rows.into_iter().map(|row| {
        let state = State::parse(&row.state)
            .ok_or_else(|| DbErr::Type(format!("order {} has a broken state", row.id)))?;
        Ok(Summary {
            lines: lines.remove(&row.id).unwrap_or_default(),
            id: row.id,
            number: row.number,
            user_id: row.user_id,
            state,
            total: row.total,
            currency: row.currency,
            refunded: row.refunded,
            items_count: row.items_count,
            needs_review: row.needs_review,
            version: row.version,
            created_at: row.created_at,
        })
    });
    Ok((items.collect::<Result<_, DbErr>>()?, next))
}

fn condition(filter: &Filter) -> Condition {
    let mut all = Condition::all();
    if let Some(user) = filter.user {
        all = all.add(Column::UserId.eq(user));
    }
    if let Some(states) = &filter.states {
        all = all.add(Column::State.is_in(states.iter().map(|state| state.as_str())));
    }
    for word in filter.text.iter().flat_map(|text| text.split_whitespace()) {
        let pattern = LikeExpr::new(format!("%{}%", escaped(&word.to_lowercase()))).escape('\\');
        all = all.add(Expr::col(Column::SearchText).like(pattern));
    }
    if let Some(product) = filter.product {
        let with = Query::select()
            .column(line::Column::OrderId)
            .from(line::Entity)
            .and_where(line::Column::ProductId.eq(product))
            .to_owned();
        all = all.add(Column::Id.in_subquery(with));
    }
    if let Some(from) = filter.from {
        all = all.add(Column::CreatedAt.gte(from));
    }
    if let Some(to) = filter.to {
        all = all.add(Column::CreatedAt.lt(to));
    }
    if let Some(needs) = filter.needs_review {
        all = all.add(Column::NeedsReview.eq(needs));
    }
    all
}

fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
