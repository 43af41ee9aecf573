//! Many wishes of orders in one transaction: all that they are about is loaded and locked, they are
//! followed one after the other in memory, and what differs is written at once. A wish that is
//! refused changes nothing and disturbs no other.
use std::collections::{BTreeMap, BTreeSet};

use souk_events::crash;
use souk_storage::{DbErr, Tx, raced};
use souk_values::{OrderId, ProductId};

use crate::app::App;
use crate::app::stock::book;
use crate::domain::stock::{Ask, Books, Done, Refusal, Shelf, State, What};
use crate::error::Error;
use crate::store;

/// Somebody else may be at the same rows in another order; then all is looked at anew.
const ATTEMPTS: u32 = 8;

/// Follows the wishes and answers each, in their order.
pub(crate) async fn run(app: &App, asks: Vec<Ask>) -> Vec<Result<Done, Error>> {
    match together(app, &asks).await {
        Ok(answers) => answers,
        Err(error) if asks.len() == 1 => vec![Err(error.into())],
        Err(error) => {
            // what one of them cannot have must not be the loss of all
            tracing::warn!(%error, asks = asks.len(), "shared transaction failed, each alone now");
            let mut answers = Vec::with_capacity(asks.len());
            for ask in &asks {
                let alone = together(app, std::slice::from_ref(ask)).await;
                answers.push(match alone {
                    Ok(mut one) => one.pop().unwrap_or(Err(Error::Abandoned)),
                    Err(error) => Err(error.into()),
                });
            }
            answers
        }
    }
}

async fn together(app: &App, asks: &[Ask]) -> Result<Vec<Result<Done, Error>>, DbErr> {
    let mut attempt = 1;
    loop {
        match attempt_all(app, asks).await {
            Err(error) if attempt < ATTEMPTS && raced(&error) => {
                tracing::debug!(%error, attempt, "raced, once more");
                attempt += 1;
            }
            done => return done,
        }
    }
}

async fn attempt_all(app: &App, asks: &[Ask]) -> Result<Vec<Result<Done, Error>>, DbErr> {
    let tx = app.db.begin().await?;
    let mut books = open(app, &tx, asks).await?;
    let before = books.shelves.clone();
    let answers = asks.iter().map(|ask| books.apply(ask).map_err(Error::from)).collect();
    let reserves = asks.iter().any(|ask| matches!(ask.what, What::Reserve { .. }));
    if books.changed.is_empty() && books.ledger.is_empty() {
        tx.rollback().await?;
        return Ok(answers);
    }
    close(app, &tx, books, &before).await?;
    if reserves {
        crash::point("catalog.reserving");
    }
    tx.commit().await?;
    if reserves {
        crash::point("catalog.reserved");
    }
    app.outbox.wake();
    Ok(answers)
}

/// Locks the orders, then the products in order of their ids, and loads what the wishes are about.
async fn open(app: &App, tx: &Tx, asks: &[Ask]) -> Result<Books, DbErr> {
    let orders: BTreeSet<OrderId> = asks.iter().map(|ask| ask.order_id).collect();
    let orders: Vec<OrderId> = orders.into_iter().collect();
    store::reservation::lock_orders(tx, &orders).await?;
    let (holds, called_off) = store::reservation::of_orders(tx, &orders).await?;
    let mut products: BTreeSet<ProductId> =
        holds.values().flatten().filter(|hold| !hold.digital).map(|hold| hold.product_id).collect();
    for ask in asks {
        match &ask.what {
            What::Reserve { lines, .. } => products.extend(lines.iter().map(|l| l.product_id)),
            // goods that were digital may have got a shelf since
            What::Commit => {
                let lines = holds.get(&ask.order_id).into_iter().flatten();
                let over = lines.filter(|hold| hold.state == State::Expired);
                products.extend(over.map(|hold| hold.product_id));
            }
            What::Release | What::Return { .. } | What::Expire => {}
        }
    }
    let mut books = Books { now: app.clock.now(), holds, called_off, ..Books::default() };
    let shelves = store::stock::lock(tx, &products).await?;
    books.shelves = shelves.into_iter().map(|shelf| (shelf.id, shelf)).collect();
    let back = |ask: &&Ask| matches!(ask.what, What::Release | What::Return { .. });
    let back: Vec<OrderId> = asks.iter().filter(back).map(|ask| ask.order_id).collect();
    books.returned = store::movement::returned(tx, &back).await?;
    Ok(books)
}

/// Writes what differs, with one event for each shelf that was moved.
async fn close(
    app: &App,
    tx: &Tx,
    mut books: Books,
    before: &BTreeMap<ProductId, Shelf>,
) -> Result<(), DbErr> {
    let mut events = Vec::new();
    let mut moved: Vec<Shelf> = Vec::new();
    for (id, traceparent) in std::mem::take(&mut books.moved) {
        let Some(shelf) = books.shelves.get_mut(&id) else { continue };
        let same = |old: &Shelf| (old.on_hand, old.reserved) == (shelf.on_hand, shelf.reserved);
        if before.get(&id).is_some_and(same) {
            continue;
        }
        events.extend(book::next(shelf, app.stock.low, false, traceparent));
        moved.push(shelf.clone());
    }
    store::stock::save(tx, &moved).await?;
    let (holds, called_off) = books.changes();
    store::reservation::save(tx, &holds, &called_off, books.now).await?;
    store::movement::insert(tx, &books.ledger).await?;
    app.outbox.append(tx, events).await?;
    Ok(())
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OrderEnded => Self::OrderEnded,
            Refusal::NotReserved => Self::NotReserved,
            Refusal::ReturnsTooMuch => Self::ReturnsTooMuch,
        }
    }
}
