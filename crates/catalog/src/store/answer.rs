//! Answers kept for idempotency keys: the same caller with the same key gets the same answer.
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QuerySelect};
use souk_storage::Tx;

/// How long a key is remembered.
const KEPT: TimeDelta = TimeDelta::hours(24);

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_answer")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) caller: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key: String,
    pub(crate) request_hash: Vec<u8>,
    pub(crate) answer: Vec<u8>,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What was answered to this key before, with the hash of the request it answered.
pub(crate) async fn find(
    tx: &Tx,
    caller: &str,
    key: &str,
    now: DateTime<Utc>,
) -> Result<Option<(Vec<u8>, Vec<u8>)>, DbErr> {
    Entity::delete_many().filter(Column::CreatedAt.lt(now - KEPT)).exec(tx).await?;
    Entity::find_by_id((caller.to_owned(), key.to_owned()))
        .select_only()
        .columns([Column::RequestHash, Column::Answer])
        .into_tuple()
        .one(tx)
        .await
}

/// Keeps an answer. A second one for the same key breaks `kept_answer`'s primary key: somebody was
/// faster.
pub(crate) async fn keep(
    tx: &Tx,
    caller: &str,
    key: &str,
    request_hash: Vec<u8>,
    answer: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        caller: Set(caller.to_owned()),
        key: Set(key.to_owned()),
        request_hash: Set(request_hash),
        answer: Set(answer),
        created_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}
