//! The row of a dead letter.
use chrono::SubsecRound;
use sea_orm::entity::prelude::*;
use sea_orm::{NotSet, Set};
use souk_values::DeadLetterId;

use super::DeadLetter;
use crate::Envelope;
use crate::bus::DeadMessage;
use crate::outbox::row::Headers;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letter")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DeadLetterId,
    pub queue: String,
    pub event_id: Uuid,
    pub event_type: String,
    pub subject: String,
    pub partition_key: String,
    pub epoch: i32,
    pub version: i64,
    pub time: DateTimeUtc,
    pub headers: Headers,
    pub payload: Vec<u8>,
    pub reason: String,
    pub attempts: i32,
    pub parked_at: DateTimeUtc,
    pub status: String,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl ActiveModel {
    pub(super) fn parked(message: &DeadMessage) -> Self {
        let event = &message.envelope;
        Self {
            id: Set(DeadLetterId::new()),
            queue: Set(storable(&message.queue)),
            event_id: Set(event.id),
            event_type: Set(storable(&event.event_type)),
            subject: Set(storable(&event.subject)),
            partition_key: Set(storable(&event.partition_key)),
            epoch: Set(i32::try_from(event.epoch).unwrap_or(i32::MAX)),
            version: Set(i64::try_from(event.version).unwrap_or(i64::MAX)),
            time: Set(event.time.trunc_subsecs(6)),
            headers: Set(Headers::of(event)),
            payload: Set(event.payload.to_vec()),
            reason: Set(storable(&message.reason)),
            attempts: Set(i32::try_from(message.attempts).unwrap_or(i32::MAX)),
            parked_at: Set(message.parked_at.trunc_subsecs(6)),
            status: Set(super::PARKED.to_owned()),
            decided_by: NotSet,
            decided_at: NotSet,
        }
    }
}

/// PostgreSQL refuses NUL in text, and what comes here may be anything.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

impl From<Model> for DeadLetter {
    fn from(row: Model) -> Self {
        let envelope = Envelope {
            id: row.event_id,
            event_type: row.event_type.clone(),
            source: row.headers.source,
            subject: row.subject.clone(),
            partition_key: row.partition_key,
            epoch: row.epoch.unsigned_abs(),
            version: row.version.unsigned_abs(),
            time: row.time,
            correlation_id: row.headers.correlation_id,
            causation_id: row.headers.causation_id,
            traceparent: row.headers.traceparent,
            payload: row.payload.into(),
        };
        Self {
            id: row.id,
            queue: row.queue,
            event_id: row.event_id,
            event_type: row.event_type,
            subject: row.subject,
            reason: row.reason,
            attempts: row.attempts.unsigned_abs(),
            parked_at: row.parked_at,
            status: row.status,
            headers: envelope.headers(),
            envelope,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
        }
    }
}
