//! Between the wire and the domain: stock.
use std::collections::BTreeSet;

use chrono::TimeDelta;
use souk_proto::catalog::v1::{
    Movement as WireMovement, RefusedLine as WireRefused, ReserveRequest, ReturnToStockRequest,
    Stock, StockLine,
};
use souk_rpc::Violation;
use souk_values::{OrderId, ProductId};

use crate::domain::stock::{MAX, Movement, RefusedLine, Shelf, Wanted, What};
use crate::error::Error;

/// Lines of one order.
const MAX_LINES: usize = 5_000;
/// A day.
const MAX_TTL: u32 = 86_400;

pub(super) fn order(id: &str) -> Result<OrderId, Error> {
    id.parse().map_err(|_| Error::field("order_id", "is not the id of an order"))
}

pub(super) fn reason(text: &str) -> Result<(), &'static str> {
    if text.chars().count() > 200 {
        return Err("must have at most 200 characters");
    }
    if text.chars().any(char::is_control) {
        return Err("must be one line without control characters");
    }
    Ok(())
}

/// `shops`: how long a reservation is held that does not say.
pub(super) fn reserve(request: ReserveRequest, shops: TimeDelta) -> Result<(OrderId, What), Error> {
    let order = order(&request.order_id)?;
    if request.ttl_s > MAX_TTL {
        return Err(Error::field("ttl_s", format!("must be at most {MAX_TTL}")));
    }
    let ttl = match request.ttl_s {
        0 => shops,
        said => TimeDelta::seconds(said.into()),
    };
    let checked = lines(&request.lines)?;
    let lines = checked.into_iter().map(|(product_id, line)| Wanted {
        product_id,
        quantity: line.quantity,
        seen_price: line.unit_price_minor,
        seen_currency: line.currency.clone(),
    });
    Ok((order, What::Reserve { lines: lines.collect(), ttl }))
}

pub(super) fn take_back(request: ReturnToStockRequest) -> Result<(OrderId, What), Error> {
    let order = order(&request.order_id)?;
    if !(1..=100).contains(&request.return_id.len()) || !request.return_id.is_ascii() {
        return Err(Error::field("return_id", "must be 1 to 100 ASCII characters"));
    }
    let lines = lines(&request.lines)?;
    let lines = lines.into_iter().map(|(product, line)| (product, line.quantity)).collect();
    Ok((order, What::Return { return_id: request.return_id, lines }))
}

/// One line for each product, in order of their ids.
fn lines(lines: &[StockLine]) -> Result<Vec<(ProductId, &StockLine)>, Error> {
    let mut broken = Vec::new();
    if lines.is_empty() || lines.len() > MAX_LINES {
        broken.push(Violation::new("lines", format!("must be 1 to {MAX_LINES}")));
    }
    let mut seen = BTreeSet::new();
    let mut read = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let mut breaks = |field: &str, sentence: &str| {
            broken.push(Violation::new(format!("lines[{at}].{field}"), sentence));
        };
        if !(1..=MAX).contains(&line.quantity) {
            breaks("quantity", &format!("must be between 1 and {MAX}"));
        }
        match line.product_id.parse::<ProductId>() {
            Err(_) => breaks("product_id", "is not the id of a product"),
            Ok(id) if !seen.insert(id) => breaks("product_id", "stands twice"),
            Ok(id) => read.push((id, line)),
        }
    }
    if !broken.is_empty() {
        return Err(Error::Invalid(broken));
    }
    read.sort_by_key(|(id, _)| *id);
    Ok(read)
}

pub(super) fn refused(line: RefusedLine) -> WireRefused {
    WireRefused {
        product_id: line.product_id.to_string(),
        reason: line.reason.as_str().to_owned(),
        available: line.available,
        unit_price_minor: line.price.map(|price| price.minor),
        version: line.version.map(i64::unsigned_abs),
        currency: line.price.map(|price| price.currency.to_string()).unwrap_or_default(),
    }
}

pub(super) fn stock(shelf: &Shelf) -> Stock {
    Stock {
        product_id: shelf.id.to_string(),
        sku: shelf.sku.clone(),
        on_hand: shelf.on_hand,
        reserved: shelf.reserved,
        available: shelf.available().unwrap_or_default(),
        stock_seq: shelf.stock_seq.unsigned_abs(),
        low_at: shelf.low_at,
    }
}

pub(super) fn movement(m: Movement) -> WireMovement {
    WireMovement {
        id: m.id.to_string(),
        product_id: m.product_id.to_string(),
        kind: m.kind.as_str().to_owned(),
        quantity: m.quantity,
        on_hand_after: m.on_hand_after,
        reason: m.reason,
        order_id: m.order_id.map(|order| order.to_string()).unwrap_or_default(),
        actor_id: m.actor,
        at_us: m.at.timestamp_micros(),
    }
}
