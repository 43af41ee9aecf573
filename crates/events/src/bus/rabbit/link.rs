//! A connection that is rebuilt for as long as the bus lives.
//!
//! Supervised here, not by the client's own recovery: after any error everything that hung on the
//! connection is made anew by the code that made it first, so there is one way to begin and not
//! two.
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{info, warn};

const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_millis(1500);

type Current = watch::Receiver<Option<Arc<Connection>>>;

/// Closes the connection when dropped.
pub(super) struct Link {
    current: Current,
    _stop: DropGuard,
}

/// A view of the connection that does not keep it.
#[derive(Clone)]
pub(super) struct LinkView(Current);

impl Link {
    /// Begins to connect. `purpose` is what an operator sees at the broker.
    pub(super) fn start(uri: AMQPUri, purpose: &'static str) -> Self {
        let (sender, current) = watch::channel(None);
        let stop = CancellationToken::new();
        let connector = Connector { uri, purpose, current: sender };
        tokio::spawn(stop.clone().run_until_cancelled_owned(connector.run()));
        Self { current, _stop: stop.drop_guard() }
    }

    pub(super) fn view(&self) -> LinkView {
        LinkView(self.current.clone())
    }
}

impl LinkView {
    /// The connection, as soon as there is one; None when the bus is gone.
    pub(super) async fn connection(&mut self) -> Option<Arc<Connection>> {
        let ready = |current: &Option<Arc<Connection>>| {
            current.as_ref().is_some_and(|connection| connection.status().connected())
        };
        let current = self.0.wait_for(ready).await.ok()?;
        current.clone()
    }

    /// Whether the broker lets nobody publish now (memory or disk alarm).
    pub(super) fn is_blocked(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|connection| connection.status().blocked())
    }

    /// Until the bus that owns the connection is gone.
    pub(super) async fn ended(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

struct Connector {
    uri: AMQPUri,
    purpose: &'static str,
    current: watch::Sender<Option<Arc<Connection>>>,
}

impl Connector {
    async fn run(self) {
        let mut delay = FIRST_DELAY;
        let mut connected_before = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    if connected_before {
                        metrics::counter!("bus_reconnects_total").increment(1);
                    }
                    info!(bus.connection = self.purpose, "bus connected");
                    (connected_before, delay) = (true, FIRST_DELAY);
                    self.hold(connection).await;
                    warn!(bus.connection = self.purpose, "bus connection lost");
                }
                Err(error) => {
                    warn!(%error, bus.connection = self.purpose, "bus cannot be reached");
                }
            }
            tokio::time::sleep(delay.mul_f64(rand::random_range(0.5..1.0))).await;
            delay = (delay * 2).min(LONGEST_DELAY);
        }
    }

    async fn connect(&self) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
        let name = format!("souk {}", self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect_uri(self.uri.clone(), properties);
        Ok(tokio::time::timeout(PATIENCE, connecting).await??)
    }

    /// Shows the connection to everybody until it fails.
    async fn hold(&self, connection: Connection) {
        let mut events = std::pin::pin!(connection.events_listener());
        let connection = Arc::new(connection);
        self.current.send_replace(Some(connection.clone()));
        while connection.status().connected() {
            match events.next().await {
                Some(Event::ConnectionBlocked(reason)) => warn!(reason, "bus publishing blocked"),
                Some(Event::ConnectionUnblocked) => info!("bus publishing unblocked"),
                Some(Event::Error(_)) | None => break,
                Some(_) => {}
            }
        }
        self.current.send_replace(None);
    }
}
