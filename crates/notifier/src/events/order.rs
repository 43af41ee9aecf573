//! Steps of orders: the buyer is told, and administrators of what is new or needs a person.
use std::collections::{BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt};
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::{OrderChanged, OrderedLine};
use souk_storage::Tx;
use souk_values::{Currency, Money, UserId};

use super::failed;
use super::product::trace_id;
use crate::app::{App, Buyer, OrderNews, Recipients, Told};
use crate::clients::accounts::Accounts;
use crate::domain::order::{Line, Order, Step};

/// Questions to accounts at once.
const QUESTIONS: usize = 8;

/// Hears `notifier.order.v1`.
pub struct OrderHandler {
    app: App,
    accounts: Accounts,
}

impl OrderHandler {
    pub fn new(app: App, accounts: Accounts) -> Self {
        Self { app, accounts }
    }
}

/// Everybody who may be told, as accounts said before the transaction.
pub struct Addresses {
    buyers: HashMap<UserId, Buyer>,
    staff: Recipients,
}

#[async_trait::async_trait]
impl Handler for OrderHandler {
    type Ready = Addresses;

    async fn prepare(&self, events: &[Envelope]) -> Result<Addresses, HandleError> {
        // before the questions: an account that closes meanwhile is closed after its letters
        let asked_at = self.app.clock.now();
        // what cannot be read is refused later, one by one
        let news: Vec<OrderNews> =
            events.iter().filter_map(|event| from_proto(event).ok().flatten()).collect();
        let users: BTreeSet<UserId> =
            news.iter().filter(|news| news.is_for_buyer()).map(|news| news.user).collect();
        let ask = |user| async move {
            self.accounts.contact(user).await.map(|buyer| (user, buyer)).map_err(failed)
        };
        let buyers = futures::stream::iter(users).map(ask).buffer_unordered(QUESTIONS);
        let buyers = buyers.try_collect().await?;
        let people = if self.app.needs_staff(&news) {
            self.accounts.recipients().await.map_err(failed)?
        } else {
            Vec::new()
        };
        Ok(Addresses { buyers, staff: Recipients { asked_at, people } })
    }

    async fn handle(
        &self,
        tx: &Tx,
        events: &[Envelope],
        ready: Addresses,
    ) -> Result<(), HandleError> {
        let news = events.iter().map(from_proto).collect::<Result<Vec<_>, _>>()?;
        let news: Vec<OrderNews> = news.into_iter().flatten().collect();
        if news.is_empty() {
            return Ok(());
        }
        self.app.record_orders(tx, &news, &ready.buyers, &ready.staff).await.map_err(failed)
    }

    fn committed(&self) {
        self.app.wake();
    }
}

/// What letters need of the event; nothing when nobody is told.
pub fn from_proto(event: &Envelope) -> Result<Option<OrderNews>, HandleError> {
    let told = match event.event_type.as_str() {
        registry::ORDER_CONFIRMED => Told::Buyer(Step::Confirmed),
        registry::ORDER_FAILED => Told::Buyer(Step::Failed),
        registry::ORDER_SHIPPED => Told::Buyer(Step::Shipped),
        registry::ORDER_CANCELLED => Told::Buyer(Step::Cancelled),
        registry::ORDER_REFUNDED => Told::Buyer(Step::Refunded),
        registry::ORDER_REVIEW => Told::Staff,
        registry::ORDER_PLACED | registry::ORDER_DELIVERED | registry::ORDER_NOTED => {
            return Ok(None);
        }
        other => return Err(HandleError::Poisoned(format!("nobody here knows {other}"))),
    };
    let poisoned = |what: &str| HandleError::Poisoned(what.to_owned());
    let message: OrderChanged =
        event.decode().map_err(|_| poisoned("the payload is no OrderChanged"))?;
    let currency: Currency =
        message.currency.parse().map_err(|_| poisoned("the currency is not one"))?;
    let money = |minor| Money::new(minor, currency);
    let lines = |lines: &[OrderedLine]| {
        let line = |line: &OrderedLine| {
            // of units that came back the price need not be told
            let price = (line.unit_price_minor != 0).then(|| money(line.unit_price_minor));
            let nameless = line.name.is_empty() && line.sku.is_empty();
            let name = if nameless { &line.product_id } else { &line.name };
            Line::new(&line.sku, name, line.quantity, price)
        };
        lines.iter().map(line).collect::<Vec<_>>()
    };
    let order = Order {
        id: message.order_id.parse().map_err(|_| poisoned("the order id is not one"))?,
        lines: lines(&message.lines),
        returned: lines(&message.returned),
        more: 0,
        subtotal: money(message.subtotal_minor),
        discount: money(message.discount_minor),
        shipping: money(message.shipping_minor),
        tax: money(message.tax_minor),
        total: money(message.total_minor),
        refund: money(message.refund_minor),
        refunded: money(message.refunded_minor),
        number: message.number,
        status: message.status,
        shipping_name: message.shipping_name,
        coupon: message.coupon,
        reason: message.reason,
        carrier: message.carrier,
        tracking_number: message.tracking_number,
        tracking_url: message.tracking_url,
    };
    Ok(Some(OrderNews {
        event_id: event.id,
        user: message.user_id.parse().map_err(|_| poisoned("the user id is not one"))?,
        told,
        order: order.bounded(),
        at: event.time,
        trace: event.traceparent.as_deref().and_then(trace_id),
    }))
}
