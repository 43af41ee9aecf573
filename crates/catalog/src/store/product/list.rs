//! Lists of products: filters, order, keyset paging.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr, Query};
use sea_orm::{Condition, FromQueryResult, Order, QueryOrder, QuerySelect, Select, Value};
use serde::{Deserialize, Serialize};
use souk_storage::Database;
use souk_values::{Page, ProductId};

use super::{Column, Entity, all, fold, rows, tag};
use crate::domain::category::CategoryPath;
use crate::domain::product::{Kind, Product};

#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Children included.
    pub(crate) category: Option<CategoryPath>,
    pub(crate) brand: Option<String>,
    /// Every word must occur.
    pub(crate) text: Option<String>,
    /// Every tag must be there.
    pub(crate) tags: Vec<String>,
    pub(crate) min_price: Option<i64>,
    pub(crate) max_price: Option<i64>,
    pub(crate) in_stock: Option<bool>,
    /// `None`: both.
    pub(crate) active: Option<bool>,
    pub(crate) kind: Option<Kind>,
    pub(crate) condition: Option<String>,
}

/// By what, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    column: SortColumn,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortColumn {
    CreatedAt,
    UpdatedAt,
    Price,
    Name,
    Sku,
}

impl Sort {
    pub(crate) const NEWEST: Self = Self { column: SortColumn::CreatedAt, descending: true };
    pub(crate) const WORDS: &'static str = "created_at, updated_at, price, name, sku";

    /// `price`, `-price`; empty: newest first.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::NEWEST);
        }
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let column = match name {
            "created_at" => SortColumn::CreatedAt,
            "updated_at" => SortColumn::UpdatedAt,
            "price" => SortColumn::Price,
            "name" => SortColumn::Name,
            "sku" => SortColumn::Sku,
            _ => return None,
        };
        Some(Self { column, descending })
    }

    fn column(self) -> Column {
        match self.column {
            SortColumn::CreatedAt => Column::CreatedAt,
            SortColumn::UpdatedAt => Column::UpdatedAt,
            SortColumn::Price => Column::PriceMinor,
            SortColumn::Name => Column::Name,
            SortColumn::Sku => Column::Sku,
        }
    }

    fn key_of(self, p: &Product) -> Key {
        match self.column {
            SortColumn::CreatedAt => Key::Time(p.created_at.timestamp_micros()),
            SortColumn::UpdatedAt => Key::Time(p.updated_at.timestamp_micros()),
            SortColumn::Price => Key::Number(p.price.minor),
            SortColumn::Name => Key::Text(p.name.clone()),
            SortColumn::Sku => Key::Text(p.sku.to_string()),
        }
    }

    fn takes(self, key: &Key) -> bool {
        matches!(
            (self.column, key),
            (SortColumn::CreatedAt | SortColumn::UpdatedAt, Key::Time(_))
                | (SortColumn::Price, Key::Number(_))
                | (SortColumn::Name | SortColumn::Sku, Key::Text(_))
        )
    }
}

/// The place of the last item of a page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Position {
    #[serde(rename = "k")]
    key: Key,
    id: ProductId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Key {
    #[serde(rename = "t")]
    Time(i64),
    #[serde(rename = "n")]
    Number(i64),
    #[serde(rename = "s")]
    Text(String),
}

impl Position {
    /// Whether the position is one of lists in this order.
    pub(crate) fn fits(&self, sort: Sort) -> bool {
        sort.takes(&self.key) && self.key.value().is_some()
    }
}

impl Key {
    fn value(&self) -> Option<Value> {
        Some(match self {
            Self::Time(us) => DateTime::<Utc>::from_timestamp_micros(*us)?.into(),
            Self::Number(n) => (*n).into(),
            // PostgreSQL refuses NUL in text
            Self::Text(text) if text.contains('\0') => return None,
            Self::Text(text) => text.as_str().into(),
        })
    }
}

/// One page, and where the next begins.
pub(crate) async fn list(
    db: &Database,
    filter: &Filter,
    sort: Sort,
    page: &Page,
    after: Option<Position>,
) -> Result<(Vec<Product>, Option<Position>), DbErr> {
    let order = if sort.descending { Order::Desc } else { Order::Asc };
    let mut select = filtered(filter)
        .order_by(sort.column(), order.clone())
        .order_by(Column::Id, order)
        .limit(u64::from(page.limit) + 1);
    if let Some((value, id)) = after.and_then(|p| Some((p.key.value()?, p.id))) {
        let beyond = |column: Column, value: Value| {
            if sort.descending { column.lt(value) } else { column.gt(value) }
        };
        let same = Condition::all()
            .add(sort.column().eq(value.clone()))
            .add(beyond(Column::Id, id.into()));
        select = select.filter(Condition::any().add(beyond(sort.column(), value)).add(same));
    }
    let mut items = all(db.read(), select).await?;
    let more = items.len() > page.limit as usize;
    items.truncate(page.limit as usize);
    let position = |last: &Product| Position { key: sort.key_of(last), id: last.id };
    let next = items.last().filter(|_| more).map(position);
    Ok((items, next))
}

/// Products in order of id, for export: a bounded part at a time.
pub(crate) async fn all_after(
    db: &Database,
    after: Option<ProductId>,
    hidden: bool,
    limit: u64,
) -> Result<Vec<Product>, DbErr> {
    let mut select = rows().order_by_asc(Column::Id).limit(limit);
    if let Some(after) = after {
        select = select.filter(Column::Id.gt(after));
    }
    if !hidden {
        select = select.filter(Column::Active.eq(true));
    }
    all(db.read(), select).await
}

#[derive(FromQueryResult)]
struct CategoryCount {
    category: String,
    products: i64,
}

/// How many active products lie directly in each category.
pub(crate) async fn count_by_category(db: &Database) -> Result<Vec<(String, u64)>, DbErr> {
    let counts = Entity::find()
        .select_only()
        .column(Column::Category)
        .column_as(Column::Id.count(), "products")
        .filter(Column::Active.eq(true))
        .filter(Column::Category.is_not_null())
        .group_by(Column::Category)
        .into_model::<CategoryCount>()
        .all(db.read())
        .await?;
    Ok(counts.into_iter().map(|c| (c.category, c.products.unsigned_abs())).collect())
}

fn filtered(filter: &Filter) -> Select<Entity> {
    let mut wanted = Condition::all();
    if let Some(active) = filter.active {
        wanted = wanted.add(Column::Active.eq(active));
    }
    if let Some(category) = &filter.category {
        let below = format!("{category}/");
        wanted = wanted.add(
            Condition::any()
                .add(Column::Category.eq(category.as_str()))
                .add(Column::Category.starts_with(below)),
        );
    }
    if let Some(brand) = &filter.brand {
        wanted = wanted.add(Column::Brand.eq(brand.as_str()));
    }
    for word in filter.text.iter().flat_map(|t| t.split_whitespace()) {
        let pattern = LikeExpr::new(format!("%{}%", escaped(&fold(word)))).escape('\\');
        wanted = wanted.add(Expr::col(Column::SearchText).like(pattern));
    }
    for tag in &filter.tags {
        let tagged = Query::select()
            .column(tag::Column::ProductId)
            .from(tag::Entity)
            .and_where(tag::Column::Tag.eq(fold(tag)))
            .to_owned();
        wanted = wanted.add(Column::Id.in_subquery(tagged));
    }
    if let Some(min) = filter.min_price {
        wanted = wanted.add(Column::PriceMinor.gte(min));
    }
    if let Some(max) = filter.max_price {
        wanted = wanted.add(Column::PriceMinor.lte(max));
    }
    if let Some(kind) = filter.kind {
        wanted = wanted.add(Column::Kind.eq(kind.as_str()));
    }
    if let Some(condition) = &filter.condition {
        wanted = wanted.add(Column::Condition.eq(condition.as_str()));
    }
    if let Some(in_stock) = filter.in_stock {
        let some = Condition::any()
            .add(Column::Kind.eq(Kind::Digital.as_str()))
            .add(Expr::col(Column::OnHand).gt(Expr::col(Column::Reserved)));
        wanted = wanted.add(if in_stock { some } else { some.not() });
    }
    rows().filter(wanted)
}

/// LIKE's own signs as plain characters.
fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
