//! Product changes: everybody who gets notices is told.
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::{ProductChanged, ProductState};
use souk_proto::types::v1::Money as WireMoney;
use souk_storage::Tx;
use souk_values::{Currency, Money};

use super::failed;
use crate::app::{App, Notice, Recipients};
use crate::clients::accounts::Accounts;
use crate::domain::change::{FieldChange, Kind, Subject};

/// Events of which letters tell.
const KNOWN: [&str; 4] = [
    registry::PRODUCT_CREATED,
    registry::PRODUCT_CHANGED,
    registry::PRODUCT_DELETED,
    registry::PRODUCT_RESTORED,
];

/// Hears `notifier.product.v1`.
pub struct ProductHandler {
    app: App,
    accounts: Accounts,
}

impl ProductHandler {
    pub fn new(app: App, accounts: Accounts) -> Self {
        Self { app, accounts }
    }
}

#[async_trait::async_trait]
impl Handler for ProductHandler {
    type Ready = Recipients;

    async fn prepare(&self, _events: &[Envelope]) -> Result<Recipients, HandleError> {
        // before the question: an account that closes meanwhile is closed after its letters
        let asked_at = self.app.clock.now();
        let people = self.accounts.recipients().await.map_err(failed)?;
        Ok(Recipients { asked_at, people })
    }

    async fn handle(
        &self,
        tx: &Tx,
        events: &[Envelope],
        ready: Recipients,
    ) -> Result<(), HandleError> {
        let notices = events.iter().map(from_proto).collect::<Result<Vec<_>, _>>()?;
        let notices: Vec<_> = notices.into_iter().flatten().collect();
        self.app.record(tx, &notices, &ready).await.map_err(failed)
    }

    fn committed(&self) {
        self.app.wake();
    }
}

/// What letters need of the event; nothing when nobody is to be written to.
pub fn from_proto(event: &Envelope) -> Result<Option<Notice>, HandleError> {
    let poisoned = |what: &str| HandleError::Poisoned(what.to_owned());
    if !KNOWN.contains(&event.event_type.as_str()) {
        return Err(HandleError::Poisoned(format!("nobody here knows {}", event.event_type)));
    }
    let message: ProductChanged =
        event.decode().map_err(|_| poisoned("the payload is no ProductChanged"))?;
    if message.quiet {
        return Ok(None);
    }
    let state = message.state.unwrap_or_default();
    let kind = Kind::parse(&message.kind).filter(|kind| kind.is_product_change());
    let kind = kind.ok_or_else(|| poisoned("the kind is unknown"))?;
    let mut fields: Vec<FieldChange> = message
        .changes
        .into_iter()
        .map(|c| FieldChange { field: c.field, old: c.old_value, new: c.new_value })
        .collect();
    if kind == Kind::Created && fields.is_empty() {
        fields = first_values(&state);
    }
    Ok(Some(Notice {
        event_id: event.id,
        subject: Subject::Product(
            message.product_id.parse().map_err(|_| poisoned("the product id is not one"))?,
        ),
        told_already: None,
        kind,
        sku: state.sku,
        name: state.name,
        actor_id: message.actor_id,
        fields,
        in_batch: !message.batch_id.is_empty(),
        at: event.time,
        trace: event.traceparent.as_deref().and_then(trace_id),
    }))
}

/// What a new product begins with.
fn first_values(state: &ProductState) -> Vec<FieldChange> {
    let stock = state.stock.map(|n| n.to_string()).unwrap_or_default();
    let price = state.price.as_ref().map(price).unwrap_or_default();
    let values = [
        ("brand", state.brand.clone()),
        ("category", state.category.clone()),
        ("price", price),
        ("stock", stock),
    ];
    let field = |(field, new): (&str, String)| FieldChange {
        field: field.to_owned(),
        old: String::new(),
        new,
    };
    values.into_iter().filter(|(_, new)| !new.is_empty()).map(field).collect()
}

fn price(money: &WireMoney) -> String {
    match money.currency.parse::<Currency>() {
        Ok(currency) => Money::new(money.minor, currency).to_string(),
        Err(_) => String::new(),
    }
}

/// The second part of a W3C traceparent.
pub(super) fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    let valid = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| id.to_owned())
}
