//! Commits that many orders share.
//!
//! Acceptances know their outcomes one by one within the shared transaction. Moves are regular
//! nearly always; when one is not (somebody else took the saga over, somebody asked to cancel), the
//! shared transaction is given up and each is tried alone.
use souk_events::crash;
use souk_storage::Tx;
use souk_values::OrderId;
use uuid::Uuid;

use super::accept::{self, Accept};
use super::moves::{self, Move};
use crate::app::App;
use crate::app::order::Encode;
use crate::domain::order::Order;
use crate::error::Error;
use crate::store::saga::Hold;

#[derive(Clone)]
pub(super) enum Item {
    Accept(Box<Accept>),
    Move(Box<Move>),
}

/// What became of an item.
#[derive(Clone, Debug)]
pub(super) enum Done {
    Accepted(Hold),
    Moved(Box<Moved>),
    /// Somebody else took the saga over.
    Lost,
    /// It was asked to cancel before the pivot.
    CancelAsked,
}

/// An order after its move.
#[derive(Clone, Debug)]
pub(super) struct Moved {
    pub(super) order: Order,
    /// What the buyer is told, if this move tells them anything; `None` also when they were told
    /// something else before.
    pub(super) answer: Option<Vec<u8>>,
    /// A refund that the move has begun.
    pub(super) refund: Option<Uuid>,
}

/// Something that cannot share a transaction.
pub(super) enum Trouble {
    Irregular,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Commits the items in one transaction, or each alone if that fails.
pub(super) async fn together(
    app: App,
    encode: Encode,
    items: Vec<Item>,
) -> Vec<Result<Done, Error>> {
    if items.len() > 1 {
        match attempt(&app, encode, &items).await {
            Ok(done) => return done,
            Err(Trouble::Irregular) => {}
            Err(Trouble::Failed(error)) => {
                tracing::warn!(orders = items.len(), %error, "shared commit failed, each alone");
            }
        }
    }
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        answers.push(alone(&app, encode, item).await);
    }
    answers
}

async fn alone(app: &App, encode: Encode, item: Item) -> Result<Done, Error> {
    let order = match &item {
        Item::Accept(_) => None,
        Item::Move(wanted) => Some(wanted.order.id),
    };
    let only = [item];
    match attempt(app, encode, &only).await {
        Ok(mut done) => done.pop().unwrap_or(Ok(Done::Lost)),
        Err(Trouble::Irregular) => why(app, order).await,
        Err(Trouble::Failed(error)) => Err(error),
    }
}

/// Why a move hit no row.
async fn why(app: &App, order: Option<OrderId>) -> Result<Done, Error> {
    let Some(id) = order else { return Ok(Done::Lost) };
    let found = crate::store::order::find(app.db.write(), id).await?;
    let asked = found.is_some_and(|o| o.cancel.is_some() && o.state.may_be_cancelled_by_saga());
    Ok(if asked { Done::CancelAsked } else { Done::Lost })
}

async fn attempt(
    app: &App,
    encode: Encode,
    items: &[Item],
) -> Result<Vec<Result<Done, Error>>, Trouble> {
    let accepts: Vec<&Accept> = items.iter().filter_map(Item::accept).collect();
    let wanted: Vec<&Move> = items.iter().filter_map(Item::wanted).collect();
    let tx = app.db.begin().await?;
    let (accepted, moved) = write(app, encode, &tx, &accepts, &wanted).await?;
    if !accepts.is_empty() {
        crash::point("orders.accepting");
    }
    tx.commit().await?;
    app.outbox.wake();
    if !accepts.is_empty() {
        crash::point("orders.accepted");
    }
    for wanted in &wanted {
        crash::point(wanted.to.crash_point());
    }
    let (mut accepted, mut moved) = (accepted.into_iter(), moved.into_iter());
    let in_order = items.iter().map(|item| match item {
        Item::Accept(_) => accepted.next().unwrap_or(Ok(Done::Lost)),
        Item::Move(_) => moved.next().map_or(Ok(Done::Lost), |m| Ok(Done::Moved(Box::new(m)))),
    });
    Ok(in_order.collect())
}

type Written = (Vec<Result<Done, Error>>, Vec<Moved>);

async fn write(
    app: &App,
    encode: Encode,
    tx: &Tx,
    accepts: &[&Accept],
    wanted: &[&Move],
) -> Result<Written, Trouble> {
    // locks in one order: keys, coupons and carts of new orders; then orders, sagas, payments
    let accepted = accept::write(app, tx, accepts).await?;
    let moved = moves::write(app, encode, tx, wanted).await?;
    Ok((accepted, moved))
}

impl Item {
    fn accept(&self) -> Option<&Accept> {
        match self {
            Self::Accept(accept) => Some(accept),
            Self::Move(_) => None,
        }
    }

    fn wanted(&self) -> Option<&Move> {
        match self {
            Self::Accept(_) => None,
            Self::Move(wanted) => Some(wanted),
        }
    }
}
