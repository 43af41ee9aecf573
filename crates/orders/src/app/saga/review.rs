//! Sagas that do not get on: later again, and after a while a person is told.
use chrono::{DateTime, TimeDelta, Utc};
use souk_storage::DbErr;

use super::moves::ACTOR;
use crate::app::App;
use crate::app::order::{Trace, event};
use crate::domain::order::Order;
use crate::store::order::Step;
use crate::store::order::history::{self, Entry};
use crate::store::saga::Hold;
use crate::store::{self};

/// Without progress for so long, somebody has to look.
const SILENCE: TimeDelta = TimeDelta::minutes(5);
/// Pauses in milliseconds; the last one for ever.
const PAUSES: [i64; 8] = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000, 60_000];

/// The review that ends by itself when the saga gets on.
pub(super) const NO_PROGRESS: &str = "no_progress";

/// A round that came to nothing.
pub(super) struct Round<'a> {
    pub(super) hold: Hold,
    pub(super) order: &'a Order,
    pub(super) attempts: i32,
    pub(super) progress_at: DateTime<Utc>,
    pub(super) error: &'a str,
    /// A code: an answer that cannot be.
    pub(super) impossible: Option<&'static str>,
}

/// Lets go of the saga until it is tried again; tells a person when it is time to.
pub(super) async fn put_off(app: &App, round: &Round<'_>) -> Result<(), DbErr> {
    let now = app.clock.now();
    let step = usize::try_from(round.attempts).unwrap_or_default();
    let pause = match round.impossible {
        Some(_) => PAUSES.last(),
        None => PAUSES.get(step).or(PAUSES.last()),
    };
    let next_at = now + TimeDelta::milliseconds(pause.copied().unwrap_or(60_000));
    let silent = now - round.progress_at >= SILENCE;
    let why = round.impossible.or(silent.then_some(NO_PROGRESS));
    let order = round.order;
    tracing::warn!(
        order.id = %order.id,
        state = order.state.as_str(),
        attempts = round.attempts,
        error = round.error,
        "saga put off"
    );
    let Some(why) = why.filter(|_| !order.needs_review) else {
        store::saga::put_off(app.db.write(), round.hold, next_at, now, round.error).await?;
        return Ok(());
    };
    let tx = app.db.begin().await?;
    let step = Step { told: true, review: Some(why), ..Step::default() };
    let rows = store::order::step(&tx, [order.id], &step, now).await?;
    if !store::saga::put_off(&tx, round.hold, next_at, now, round.error).await? {
        return Ok(());
    }
    let Some(row) = rows.first() else { return Ok(()) };
    let entry = Entry {
        order_id: order.id,
        seq: row.seq,
        kind: "note",
        from: None,
        to: None,
        actor: ACTOR.to_owned(),
        text: format!("needs review: {why}"),
    };
    history::insert_many(&tx, vec![entry], now).await?;
    let order = Order { version: row.version, ..order.clone() };
    app.outbox.append(&tx, vec![event::review(&order, why, ACTOR, &Trace::current())]).await?;
    tx.commit().await?;
    app.outbox.wake();
    tracing::error!(order.id = %order.id, why, "order needs review");
    Ok(())
}
