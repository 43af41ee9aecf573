//! Low stock: everybody who gets notices is told.
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::StockLow;
use souk_storage::Tx;

use super::failed;
use super::product::trace_id;
use crate::app::{App, Notice, Recipients};
use crate::clients::accounts::Accounts;
use crate::domain::change::{FieldChange, Kind, Subject};

/// Hears `notifier.stock.v1`.
pub struct StockHandler {
    app: App,
    accounts: Accounts,
}

impl StockHandler {
    pub fn new(app: App, accounts: Accounts) -> Self {
        Self { app, accounts }
    }
}

#[async_trait::async_trait]
impl Handler for StockHandler {
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
        self.app.record(tx, &notices, &ready).await.map_err(failed)
    }

    fn committed(&self) {
        self.app.wake();
    }
}

/// What letters need of the event.
pub fn from_proto(event: &Envelope) -> Result<Notice, HandleError> {
    let poisoned = |what: &str| HandleError::Poisoned(what.to_owned());
    if event.event_type != registry::STOCK_LOW {
        return Err(HandleError::Poisoned(format!("nobody here knows {}", event.event_type)));
    }
    let message: StockLow = event.decode().map_err(|_| poisoned("the payload is no StockLow"))?;
    let fact = |field: &str, count: i64| FieldChange {
        field: field.to_owned(),
        old: String::new(),
        new: count.to_string(),
    };
    Ok(Notice {
        event_id: event.id,
        subject: Subject::Product(
            message.product_id.parse().map_err(|_| poisoned("the product id is not one"))?,
        ),
        kind: Kind::StockLow,
        fields: vec![
            fact("can be bought", message.available),
            fact("threshold", message.threshold),
        ],
        sku: message.sku,
        name: message.name,
        actor_id: String::new(),
        in_batch: false,
        told_already: None,
        at: event.time,
        trace: event.traceparent.as_deref().and_then(trace_id),
    })
}
