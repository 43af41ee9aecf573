//! Letters that accounts asks for: each is written down, without what it says.
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::LetterRequested;
use souk_storage::Tx;

use super::failed;
use super::product::trace_id;
use crate::app::{App, LetterNews};
use crate::domain::request::Kind;

/// Hears `notifier.letter.v1`.
pub struct RequestHandler {
    app: App,
}

impl RequestHandler {
    pub fn new(app: App) -> Self {
        Self { app }
    }
}

#[async_trait::async_trait]
impl Handler for RequestHandler {
    type Ready = ();

    /// Accounts is asked when a letter is sent, not before.
    async fn prepare(&self, _events: &[Envelope]) -> Result<(), HandleError> {
        Ok(())
    }

    async fn handle(
        &self,
        tx: &Tx,
        events: &[Envelope],
        (): Self::Ready,
    ) -> Result<(), HandleError> {
        let news = events.iter().map(from_proto).collect::<Result<Vec<_>, _>>()?;
        self.app.record_requests(tx, &news).await.map_err(failed)
    }

    fn committed(&self) {
        self.app.wake();
    }
}

/// What the ledger needs of the event.
pub fn from_proto(event: &Envelope) -> Result<LetterNews, HandleError> {
    let poisoned = |what: &str| HandleError::Poisoned(what.to_owned());
    if event.event_type != registry::LETTER_REQUESTED {
        return Err(HandleError::Poisoned(format!("nobody here knows {}", event.event_type)));
    }
    let message: LetterRequested =
        event.decode().map_err(|_| poisoned("the payload is no LetterRequested"))?;
    let user = match message.user_id.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| poisoned("the user id is not one"))?),
    };
    Ok(LetterNews {
        event_id: event.id,
        request: message.request_id.parse().map_err(|_| poisoned("the request id is not one"))?,
        kind: Kind::parse(&message.kind).ok_or_else(|| poisoned("the kind is unknown"))?,
        user,
        at: event.time,
        trace: event.traceparent.as_deref().and_then(trace_id),
    })
}
