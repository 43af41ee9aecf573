//! Webhooks that came: each once, worked on after the answer.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use souk_storage::Database;

use crate::domain::payment::Hint;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_inbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) provider: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) event_id: String,
    pub(crate) reference: String,
    pub(crate) attempts: i32,
    pub(crate) received_at: DateTime<Utc>,
    /// `None`: done.
    pub(crate) due_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Keeps a webhook; false: it came before.
pub(crate) async fn receive(
    db: &Database,
    provider: &str,
    hint: &Hint,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let row = ActiveModel {
        provider: Set(provider.to_owned()),
        event_id: Set(hint.event_id.clone()),
        reference: Set(hint.reference.clone()),
        attempts: Set(0),
        received_at: Set(now),
        due_at: Set((!hint.reference.is_empty()).then_some(now)),
    };
    let known = [Column::Provider, Column::EventId];
    let nothing = OnConflict::columns(known).do_nothing().to_owned();
    let tx = db.begin().await?;
    let rows = Entity::insert(row).on_conflict(nothing).exec_without_returning(&tx).await?;
    tx.commit().await?;
    Ok(rows > 0)
}

/// Those that are due, oldest first.
pub(crate) async fn unfinished(
    db: &Database,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let due = Entity::find().filter(Column::DueAt.lte(now)).order_by_asc(Column::DueAt);
    due.limit(limit).all(db.read()).await
}

/// Done, or to be tried again then.
pub(crate) async fn mark_done(
    db: &Database,
    row: &Model,
    again_at: Option<DateTime<Utc>>,
) -> Result<(), DbErr> {
    let changed = ActiveModel {
        due_at: Set(again_at),
        attempts: Set(row.attempts.saturating_add(1)),
        ..Default::default()
    };
    let own = Entity::update_many()
        .set(changed)
        .filter(Column::Provider.eq(row.provider.as_str()))
        .filter(Column::EventId.eq(row.event_id.as_str()));
    let tx = db.begin().await?;
    own.exec(&tx).await?;
    tx.commit().await
}

/// Forgets what was done before then.
pub(crate) async fn forget(db: &Database, before: DateTime<Utc>) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let old =
        Entity::delete_many().filter(Column::DueAt.is_null()).filter(Column::ReceivedAt.lt(before));
    old.exec(&tx).await?;
    tx.commit().await
}
