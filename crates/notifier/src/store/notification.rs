//! The ledger: one row an event and recipient. Where a notification stands is written once, in its
//! letter; a row without a letter was suppressed.
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Func, IntoColumnRef, SimpleExpr};
use sea_orm::{
    FromQueryResult, IntoActiveModel, JoinType, QueryOrder, QuerySelect, QueryTrait, Select,
};
use souk_storage::Tx;
use souk_values::{LetterId, NotificationId, OrderId, ProductId, UserId};
use uuid::Uuid;

use super::{INSERT_ROWS, change, letter};
use crate::domain::change::{Change, Kind, Subject};
use crate::domain::letter::Status;

/// Who has no account yet. A value, so that one row an event and recipient holds for them too.
pub const NOBODY: UserId = UserId::from_uuid(Uuid::nil());

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NotificationId,
    pub event_id: Uuid,
    /// [`NOBODY`]: a letter to somebody without an account.
    pub user_id: UserId,
    /// Of a letter of accounts empty until it is sent.
    pub recipient: String,
    /// Of a product, or …
    pub product_id: Option<ProductId>,
    /// … of an order; else of an account.
    pub order_id: Option<OrderId>,
    pub kind: String,
    /// Why there is no letter.
    pub reason: Option<String>,
    pub letter_id: Option<LetterId>,
    pub created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "letter::Entity", from = "Column::LetterId", to = "letter::Column::Id")]
    Letter,
    #[sea_orm(
        belongs_to = "change::Entity",
        from = "Column::EventId",
        to = "change::Column::EventId"
    )]
    Change,
}

impl ActiveModelBehavior for ActiveModel {}

/// Without the person.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "notification {}", self.id)
    }
}

/// A row of the ledger together with what its letter knows.
#[derive(Clone, PartialEq, Eq, FromQueryResult)]
pub struct Entry {
    pub id: NotificationId,
    pub event_id: Uuid,
    pub user_id: UserId,
    pub recipient: String,
    /// Of a product, or …
    pub product_id: Option<ProductId>,
    /// … of an order.
    pub order_id: Option<OrderId>,
    pub kind: String,
    pub letter_id: Option<LetterId>,
    pub created_at: DateTime<Utc>,
    pub status: String,
    pub attempts: Option<i32>,
    pub provider_id: Option<String>,
    pub reason: Option<String>,
    pub sent_at: Option<DateTime<Utc>>,
}

/// Which part of the ledger; `None` is all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<Status>,
    pub recipient: Option<String>,
    pub product_id: Option<ProductId>,
    pub event_id: Option<Uuid>,
    pub letter_id: Option<LetterId>,
    pub order_id: Option<OrderId>,
}

pub async fn insert(tx: &Tx, notifications: Vec<Model>) -> Result<(), DbErr> {
    for rows in notifications.chunks(INSERT_ROWS) {
        let rows = rows.iter().cloned().map(IntoActiveModel::into_active_model);
        let rows = rows.map(|row: ActiveModel| row.reset_all());
        Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Writes down where the letter goes.
pub async fn address(tx: &Tx, letter: LetterId, recipient: &str) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Recipient, Expr::value(recipient))
        .filter(Column::LetterId.eq(letter))
        .exec(tx)
        .await
        .map(|_| ())
}

/// Newest first, below `before`.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    filter: &Filter,
    before: Option<NotificationId>,
    limit: u64,
) -> Result<Vec<Entry>, DbErr> {
    let mut query = filtered(filter)
        .select_only()
        .columns([
            Column::Id,
            Column::EventId,
            Column::UserId,
            Column::Recipient,
            Column::ProductId,
            Column::OrderId,
            Column::Kind,
            Column::LetterId,
            Column::CreatedAt,
        ])
        .expr_as(status(), "status")
        .expr_as(either(Column::Reason, letter::Column::Reason), "reason")
        .columns([letter::Column::Attempts, letter::Column::ProviderId, letter::Column::SentAt])
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    query.into_model::<Entry>().all(db).await
}

/// How many stand where.
pub async fn count<C: ConnectionTrait>(
    db: &C,
    filter: &Filter,
) -> Result<BTreeMap<String, u64>, DbErr> {
    let rows = filtered(filter)
        .select_only()
        .expr_as(status(), "status")
        .expr_as(Column::Id.count(), "count")
        .group_by(status())
        .into_tuple::<(String, i64)>()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(status, count)| (status, count.unsigned_abs())).collect())
}

/// What the letter tells, in the order it happened: at most `limit` changes.
pub async fn told<C: ConnectionTrait>(
    db: &C,
    letter: LetterId,
    limit: u64,
) -> Result<Vec<(Subject, Kind, Change, DateTime<Utc>)>, DbErr> {
    let rows = Entity::find()
        .select_only()
        .columns([Column::ProductId, Column::OrderId, Column::Kind])
        .columns([change::Column::Told, change::Column::At])
        .join(JoinType::InnerJoin, Relation::Change.def())
        .filter(Column::LetterId.eq(letter))
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple::<(Option<ProductId>, Option<OrderId>, String, Json, DateTime<Utc>)>()
        .all(db)
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (product, order, kind, told, at) in rows {
        let subject = product.map(Subject::Product).or(order.map(Subject::Order));
        let (Some(subject), Some(kind)) = (subject, Kind::parse(&kind)) else { continue };
        let change = serde_json::from_value(told).map_err(|e| DbErr::Json(e.to_string()))?;
        all.push((subject, kind, change, at));
    }
    Ok(all)
}

/// Which of the events somebody was told of.
pub async fn known(tx: &Tx, events: &[Uuid]) -> Result<HashSet<Uuid>, DbErr> {
    let found = Entity::find()
        .select_only()
        .column(Column::EventId)
        .distinct()
        .filter(Column::EventId.is_in(events.iter().copied()))
        .into_tuple::<Uuid>();
    Ok(found.all(tx).await?.into_iter().collect())
}

/// How many notifications were sent, and the events of which one recipient was sent several, with
/// how many; the recipient is not named.
pub async fn doubled<C: ConnectionTrait>(db: &C) -> Result<(u64, Vec<(Uuid, i64)>), DbErr> {
    let sent = || {
        Entity::find()
            .join(JoinType::InnerJoin, Relation::Letter.def())
            .filter(letter::Column::Status.eq(Status::Sent.as_str()))
    };
    let doubled = sent()
        // whoever was forgotten has no address any more: they are not one recipient
        .filter(Column::Recipient.ne(""))
        .select_only()
        .column(Column::EventId)
        .expr_as(Column::Id.count(), "times")
        .group_by(Column::EventId)
        .group_by(Column::Recipient)
        .having(Column::Id.count().gt(1))
        .into_tuple::<(Uuid, i64)>()
        .all(db)
        .await?;
    let all = sent().select_only().expr_as(Column::Id.count(), "count").into_tuple::<i64>();
    Ok((all.one(db).await?.unwrap_or_default().unsigned_abs(), doubled))
}

/// Deletes notifications, if from before that time, of the `limit` oldest rows; answers how many.
pub async fn forget(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64, DbErr> {
    // ids grow with time: the oldest come first without a search
    let oldest = Entity::find()
        .select_only()
        .columns([Column::Id, Column::CreatedAt])
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple::<(NotificationId, DateTime<Utc>)>()
        .all(tx)
        .await?;
    let old: Vec<_> = oldest.into_iter().filter(|row| row.1 < before).map(|row| row.0).collect();
    let deleted = Entity::delete_many().filter(Column::Id.is_in(old)).exec(tx).await?;
    Ok(deleted.rows_affected)
}

fn filtered(filter: &Filter) -> Select<Entity> {
    Entity::find()
        .join(JoinType::LeftJoin, Relation::Letter.def())
        .apply_if(filter.status, |q, s| q.filter(status().eq(s.as_str())))
        .apply_if(filter.recipient.as_ref(), |q, r| q.filter(Column::Recipient.eq(r.as_str())))
        .apply_if(filter.product_id, |q, id| q.filter(Column::ProductId.eq(id)))
        .apply_if(filter.event_id, |q, id| q.filter(Column::EventId.eq(id)))
        .apply_if(filter.letter_id, |q, id| q.filter(Column::LetterId.eq(id)))
        .apply_if(filter.order_id, |q, id| q.filter(Column::OrderId.eq(id)))
}

/// The letter's status, without a letter `suppressed`.
fn status() -> SimpleExpr {
    let letter = letter::Column::Status.as_column_ref().into_column_ref();
    Func::coalesce([Expr::col(letter), Expr::cust("'suppressed'")]).into()
}

fn either(own: Column, letters: letter::Column) -> SimpleExpr {
    let columns =
        [own.as_column_ref().into_column_ref(), letters.as_column_ref().into_column_ref()];
    Func::coalesce(columns.map(Expr::col)).into()
}
