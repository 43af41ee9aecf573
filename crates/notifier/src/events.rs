//! Which events this crate hears, and with which handler.
use souk_events::{Consumer, HandleError};

use crate::app::App;
use crate::clients::accounts::Accounts;
use crate::error::Error;

pub mod account;
pub mod order;
pub mod product;
pub mod request;
pub mod stock;

/// Events handled in one transaction at most: an import makes many.
const BATCH: u16 = 256;

/// Fewer: accounts is asked for each buyer.
const ORDERS: u16 = 64;

pub(crate) fn consumers(app: &App, accounts: &Accounts) -> Vec<Consumer> {
    let products = product::ProductHandler::new(app.clone(), accounts.clone());
    let people = account::AccountHandler::new(app.clone(), accounts.clone());
    let orders = order::OrderHandler::new(app.clone(), accounts.clone());
    let requests = request::RequestHandler::new(app.clone());
    let stock = stock::StockHandler::new(app.clone(), accounts.clone());
    vec![
        Consumer::new("notifier.product.v1", BATCH, products).with_clock(app.clock.clone()),
        Consumer::new("notifier.account.v1", BATCH, people).with_clock(app.clock.clone()),
        Consumer::new("notifier.letter.v1", BATCH, requests).with_clock(app.clock.clone()),
        Consumer::new("notifier.order.v1", ORDERS, orders).with_clock(app.clock.clone()),
        Consumer::new("notifier.stock.v1", BATCH, stock).with_clock(app.clock.clone()),
    ]
}

/// A neighbor or the database is away: the message is not to blame.
fn failed(error: Error) -> HandleError {
    match error {
        Error::AccountsAway(_) | Error::CatalogAway(_) => HandleError::Later(error.into()),
        Error::Storage(cause) => cause.into(),
        other => HandleError::Failed(other.into()),
    }
}
