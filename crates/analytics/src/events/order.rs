//! Hears `orders.order.*`: what was sold, and what came back.
use std::collections::BTreeMap;

use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::{OrderChanged, OrderedLine};
use souk_storage::Tx;
use souk_values::{Currency, OrderId};

use crate::app::sale;
use crate::domain::sale::{Kind, Line, Step};
use crate::domain::time::day_of;
use crate::store::sale::Told;

/// Counts sales.
pub struct OrderListener;

#[async_trait::async_trait]
impl Handler for OrderListener {
    type Ready = ();

    async fn prepare(&self, _events: &[Envelope]) -> Result<(), HandleError> {
        Ok(())
    }

    async fn handle(&self, tx: &Tx, events: &[Envelope], _: ()) -> Result<(), HandleError> {
        let mut heard: BTreeMap<OrderId, Vec<Told>> = BTreeMap::new();
        for event in events {
            let kind = match event.event_type.as_str() {
                registry::ORDER_CONFIRMED => Kind::Confirmed,
                registry::ORDER_REFUNDED | registry::ORDER_CANCELLED => Kind::Returned,
                registry::ORDER_PLACED
                | registry::ORDER_FAILED
                | registry::ORDER_SHIPPED
                | registry::ORDER_DELIVERED
                | registry::ORDER_NOTED
                | registry::ORDER_REVIEW => continue,
                other => return Err(poisoned(format!("nobody here knows {other}"))),
            };
            let (order, told) = from_proto(event, kind)?;
            heard.entry(order).or_default().push(told);
        }
        Ok(sale::count(tx, heard).await?)
    }
}

fn from_proto(event: &Envelope, kind: Kind) -> Result<(OrderId, Told), HandleError> {
    let message: OrderChanged = event.decode().map_err(|e| poisoned(e.to_string()))?;
    let wrong = |what: &str| poisoned(format!("{what} is not what it must be"));
    let order: OrderId = message.order_id.parse().map_err(|_| wrong("order_id"))?;
    let currency: Currency = message.currency.parse().map_err(|_| wrong("currency"))?;
    let (money, lines) = match kind {
        Kind::Confirmed => (message.total_minor, message.lines),
        Kind::Returned => (message.refund_minor, message.returned),
    };
    if money < 0 {
        return Err(wrong("the amount"));
    }
    let step = Step {
        kind,
        day: day_of(event.time.timestamp_micros()),
        user: message.user_id.parse().map_err(|_| wrong("user_id"))?,
        currency: currency.to_string(),
        money,
        lines: lines.into_iter().map(line).collect::<Result<_, _>>()?,
    };
    let version = i64::try_from(message.version).map_err(|_| wrong("version"))?;
    Ok((order, Told { version, epoch: i64::from(event.epoch), step }))
}

fn line(line: OrderedLine) -> Result<Line, HandleError> {
    let wrong = || poisoned("a line is not what it must be".to_owned());
    if line.quantity < 0 || line.total_minor < 0 {
        return Err(wrong());
    }
    let product = line.product_id.parse().map_err(|_| wrong())?;
    Ok(Line { product, quantity: line.quantity, paid: line.total_minor })
}

fn poisoned(reason: String) -> HandleError {
    HandleError::Poisoned(reason)
}
