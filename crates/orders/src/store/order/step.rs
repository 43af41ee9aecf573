//! Moving orders, many at once: a step of an order that is not where it is expected to be hits no
//! row.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use souk_storage::Tx;
use souk_values::OrderId;

use super::{Column, Entity};
use crate::domain::order::{CancelWish, State};

/// What one step of orders changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step<'a> {
    /// Only of orders in one of these states; empty: whatever it is.
    pub(crate) from: &'a [State],
    pub(crate) to: Option<State>,
    /// Only while nobody has asked to cancel it.
    pub(crate) unless_cancelled: bool,
    /// An event tells of it, so the version grows.
    pub(crate) told: bool,
    pub(crate) reason: Option<&'a str>,
    pub(crate) confirmed: bool,
    /// `Some("")`: nobody needs to look at it any more.
    pub(crate) review: Option<&'a str>,
    pub(crate) refunded: i64,
    pub(crate) cancel: Option<&'a CancelWish>,
}

/// An order that made the step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moved {
    pub(crate) id: OrderId,
    pub(crate) version: i64,
    /// For its entry in the history.
    pub(crate) seq: i64,
    pub(crate) cancel_requested: bool,
}

/// Moves those of the orders that fit; one statement.
pub(crate) async fn step(
    tx: &Tx,
    ids: impl IntoIterator<Item = OrderId>,
    step: &Step<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Moved>, DbErr> {
    let mut update = Query::update();
    update
        .table(Entity)
        .value(Column::UpdatedAt, now)
        .value(Column::Steps, Expr::col(Column::Steps).add(1))
        .and_where(Column::Id.is_in(ids));
    if !step.from.is_empty() {
        update.and_where(Column::State.is_in(step.from.iter().map(|state| state.as_str())));
    }
    if let Some(to) = step.to {
        update.value(Column::State, to.as_str());
    }
    if step.unless_cancelled {
        update.and_where(Column::CancelRequested.eq(false));
    }
    if step.told {
        update.value(Column::Version, Expr::col(Column::Version).add(1));
    }
    if let Some(reason) = step.reason {
        update.value(Column::Reason, reason);
    }
    if step.confirmed {
        update.value(Column::ConfirmedAt, now);
    }
    if let Some(why) = step.review {
        update.value(Column::NeedsReview, !why.is_empty()).value(Column::ReviewReason, why);
    }
    if step.refunded != 0 {
        update.value(Column::Refunded, Expr::col(Column::Refunded).add(step.refunded));
    }
    if let Some(wish) = step.cancel {
        update
            .value(Column::CancelRequested, true)
            .value(Column::CancelReason, wish.reason.as_str())
            .value(Column::CancelActor, wish.actor.as_str());
    }
    update.returning(Query::returning().columns([
        Column::Id,
        Column::Version,
        Column::Steps,
        Column::CancelRequested,
    ]));
    let rows = tx.query_all(&update).await?;
    rows.iter()
        .map(|row| {
            Ok(Moved {
                id: row.try_get("", "id")?,
                version: row.try_get("", "version")?,
                seq: row.try_get("", "steps")?,
                cancel_requested: row.try_get("", "cancel_requested")?,
            })
        })
        .collect()
}
