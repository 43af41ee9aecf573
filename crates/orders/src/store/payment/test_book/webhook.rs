//! Webhooks that the test provider still has to send.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};

use crate::store::order::fresh;

pub(crate) use Model as Webhook;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "test_webhook")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) event_id: String,
    pub(crate) reference: String,
    pub(crate) attempts: i32,
    pub(crate) due_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(super) async fn insert(
    tx: &Tx,
    webhooks: &[(String, String)],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    if webhooks.is_empty() {
        return Ok(());
    }
    let rows = webhooks.iter().map(|(event_id, reference)| ActiveModel {
        event_id: Set(event_id.clone()),
        reference: Set(reference.clone()),
        attempts: Set(0),
        due_at: Set(now),
    });
    Entity::insert_many(rows).exec_without_returning(tx).await.map(|_| ())
}

/// Those that are due, oldest first.
pub(crate) async fn due(
    db: &Database,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let due = Entity::find().filter(Column::DueAt.lte(now)).order_by_asc(Column::DueAt);
    due.limit(limit).all(db.read()).await
}

/// Whether it has not arrived yet.
pub(crate) async fn is_to_be_sent(db: &Database, event_id: &str) -> Result<bool, DbErr> {
    Ok(Entity::find_by_id(event_id).one(fresh(db)).await?.is_some())
}

/// They arrived.
pub(crate) async fn remove(db: &Database, event_ids: Vec<String>) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    Entity::delete_many().filter(Column::EventId.is_in(event_ids)).exec(&tx).await?;
    tx.commit().await
}

/// It did not arrive and is sent again then.
pub(crate) async fn postpone(
    db: &Database,
    webhook: &Model,
    due_at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let changed = ActiveModel {
        attempts: Set(webhook.attempts.saturating_add(1)),
        due_at: Set(due_at),
        ..Default::default()
    };
    Entity::update_many()
        .set(changed)
        .filter(Column::EventId.eq(webhook.event_id.as_str()))
        .exec(&tx)
        .await?;
    tx.commit().await
}
