//! The row of an event that waits to be published.
use sea_orm::FromJsonQueryResult;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Envelope;

/// The attributes of an event that nobody searches for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Headers {
    pub(crate) source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) causation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) traceparent: Option<String>,
}

impl Headers {
    pub(crate) fn of(event: &Envelope) -> Self {
        Self {
            source: event.source.clone(),
            correlation_id: event.correlation_id.clone(),
            causation_id: event.causation_id.clone(),
            traceparent: event.traceparent.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
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
    pub next_at: DateTimeUtc,
    pub last_error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn envelope(self) -> Envelope {
        Envelope {
            id: self.event_id,
            event_type: self.event_type,
            source: self.headers.source,
            subject: self.subject,
            partition_key: self.partition_key,
            epoch: self.epoch.unsigned_abs(),
            version: self.version.unsigned_abs(),
            time: self.created_at,
            correlation_id: self.headers.correlation_id,
            causation_id: self.headers.causation_id,
            traceparent: self.headers.traceparent,
            payload: self.payload.into(),
        }
    }
}
