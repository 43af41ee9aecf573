//! The row of an event that the bus has confirmed.
use sea_orm::entity::prelude::*;

use super::row::{self, Headers};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox_sent")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub event_id: Uuid,
    #[sea_orm(column_name = "type")]
    pub event_type: String,
    pub subject: String,
    pub partition_key: String,
    pub epoch: i32,
    pub version: i64,
    pub headers: Headers,
    pub payload: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub attempts: i32,
    pub last_error: Option<String>,
    pub sent_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The row as it was while it waited, for those who do not care.
    pub(super) fn waited(self) -> row::Model {
        row::Model {
            seq: self.seq,
            event_id: self.event_id,
            event_type: self.event_type,
            subject: self.subject,
            partition_key: self.partition_key,
            epoch: self.epoch,
            version: self.version,
            headers: self.headers,
            payload: self.payload,
            created_at: self.created_at,
            attempts: self.attempts,
            next_at: self.sent_at,
            last_error: self.last_error,
        }
    }
}
