//! From the bus into the table: insert, commit, acknowledge.
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, TryInsertResult};
use tokio_util::sync::CancellationToken;

use super::{DeadLetters, row};
use crate::BusError;
use crate::bus::DeadMessage;

/// First and longest pause while bus or database are away.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

pub(super) async fn until(
    letters: &DeadLetters,
    queues: &[&'static str],
    stop: &CancellationToken,
) {
    let mut pause = PAUSE.0;
    while !stop.is_cancelled() && !queues.is_empty() {
        match streams(letters, queues).await {
            Ok(messages) => drain(letters, messages, stop, &mut pause).await,
            Err(error) => tracing::warn!(error = %error, "cannot consume dead letters"),
        }
        rest(&mut pause, stop).await;
    }
}

async fn streams(
    letters: &DeadLetters,
    queues: &[&'static str],
) -> Result<BoxStream<'static, DeadMessage>, BusError> {
    let mut all = Vec::with_capacity(queues.len());
    for queue in queues {
        all.push(letters.bus.consume_dead(queue).await?);
    }
    Ok(stream::select_all(all).boxed())
}

async fn drain(
    letters: &DeadLetters,
    mut messages: BoxStream<'static, DeadMessage>,
    stop: &CancellationToken,
    pause: &mut Duration,
) {
    loop {
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            message = messages.next() => message,
        };
        let Some(message) = message else { return };
        let answered = match keep(letters, &message).await {
            Ok(()) => {
                *pause = PAUSE.0;
                message.answer.ack().await
            }
            Err(error) => {
                tracing::warn!(queue = message.queue, error = %error, "dead letter not kept");
                let released = message.answer.release().await;
                rest(pause, stop).await;
                released
            }
        };
        if let Err(error) = answered {
            tracing::debug!(error = %error, "answer lost");
        }
    }
}

async fn keep(letters: &DeadLetters, message: &DeadMessage) -> Result<(), DbErr> {
    let same = [row::Column::Queue, row::Column::EventId, row::Column::ParkedAt];
    let inserted = row::Entity::insert_many([row::ActiveModel::parked(message)])
        .on_conflict(OnConflict::columns(same).do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(letters.db.write())
        .await?;
    if matches!(inserted, TryInsertResult::Inserted(rows) if rows > 0) {
        metrics::counter!("dead_letters_total", "queue" => message.queue.clone()).increment(1);
        tracing::error!(
            queue = message.queue, event.id = %message.envelope.id,
            event.kind = message.envelope.event_type, attempts = message.attempts, "event parked"
        );
    }
    Ok(())
}

async fn rest(pause: &mut Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(*pause) => {}
    }
    *pause = (*pause * 2).min(PAUSE.1);
}
