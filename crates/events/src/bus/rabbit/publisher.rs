//! Publishing with confirmation. Sent is what the broker acknowledged without returning it, and
//! nothing else.
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use futures::future::Either;
use futures::stream::FuturesOrdered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::declared::Declared;
use super::link::LinkView;
use super::message::Message;
use super::{away, away_for};
use crate::bus::BusError;

/// For a connection, and for each confirmation since the one before.
const PATIENCE: Duration = Duration::from_secs(5);
/// Messages sent and not yet confirmed, of one batch.
const WINDOW: usize = 1000;

/// Where a message goes.
pub(super) struct Letter {
    /// Empty: straight to the queue named by `key`.
    pub(super) exchange: String,
    pub(super) key: String,
    pub(super) message: Message,
}

pub(super) struct Publisher {
    link: LinkView,
    declared: Arc<Declared>,
    channel: Mutex<Option<Channel>>,
}

impl Publisher {
    pub(super) fn new(link: LinkView, declared: Arc<Declared>) -> Self {
        Self { link, declared, channel: Mutex::new(None) }
    }

    pub(super) async fn send(&self, letter: Letter) -> Result<(), BusError> {
        let mut results = self.send_all(vec![letter]).await;
        results.pop().unwrap_or_else(|| Err(away_for("nothing was sent")))
    }

    /// Sends as many as the window holds before it waits for confirmations. One answer each, in
    /// order.
    pub(super) async fn send_all(&self, letters: Vec<Letter>) -> Vec<Result<(), BusError>> {
        let mut results = Vec::with_capacity(letters.len());
        let mut letters = letters.into_iter();
        loop {
            let window: Vec<Letter> = letters.by_ref().take(WINDOW).collect();
            if window.is_empty() {
                return results;
            }
            let size = window.len();
            match self.channel().await {
                Ok(channel) => results.extend(self.send_window(&channel, window).await),
                Err(error) => {
                    let reason = error.to_string();
                    results.push(Err(error));
                    results.extend((1..size + letters.len()).map(|_| Err(away_for(&reason))));
                    return results;
                }
            }
        }
    }

    async fn send_window(
        &self,
        channel: &Channel,
        window: Vec<Letter>,
    ) -> Vec<Result<(), BusError>> {
        let size = window.len();
        let mut confirmations = FuturesOrdered::new();
        for letter in window {
            let mut confirmation = Box::pin(publish(channel.clone(), letter));
            // The first poll puts the message on its way: in order, and none waits for the one
            // before.
            confirmations.push_back(match futures::poll!(&mut confirmation) {
                Poll::Ready(result) => Either::Left(std::future::ready(result)),
                Poll::Pending => Either::Right(confirmation),
            });
        }
        let mut results = Vec::with_capacity(size);
        while let Ok(Some(result)) = timeout(PATIENCE, confirmations.next()).await {
            results.push(result);
        }
        if results.len() < size || results.iter().any(is_away) {
            let late = (results.len()..size).map(|_| Err(away_for("no confirmation came")));
            results.extend(late);
            // Late confirmations must not meet later messages.
            self.forget(channel).await;
        }
        results
    }

    /// The channel in use, or a new one on which everything declared is in place.
    async fn channel(&self) -> Result<Channel, BusError> {
        if self.link.is_blocked() {
            return Err(away_for("publishing is blocked by the broker"));
        }
        let mut current = self.channel.lock().await;
        if let Some(channel) = current.as_ref().filter(|channel| channel.status().connected()) {
            return Ok(channel.clone());
        }
        let opening = timeout(PATIENCE, self.open()).await;
        let channel = opening.map_err(|_| away_for("no connection in time"))??;
        Ok(current.insert(channel).clone())
    }

    async fn open(&self) -> Result<Channel, BusError> {
        let connection = self.link.clone().connection().await;
        let connection = connection.ok_or_else(|| away_for("the bus has been closed"))?;
        self.declared.on(&connection).await?;
        let channel = connection.create_channel().await.map_err(away)?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(away)?;
        Ok(channel)
    }

    async fn forget(&self, channel: &Channel) {
        let mut current = self.channel.lock().await;
        if current.as_ref().is_some_and(|current| current.id() == channel.id()) {
            *current = None;
        }
    }
}

async fn publish(channel: Channel, letter: Letter) -> Result<(), BusError> {
    let Letter { exchange, key, message } = letter;
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let (exchange, route) = (exchange.into(), key.as_str().into());
    let Message { properties, body } = message;
    let publishing = channel.basic_publish(exchange, route, options, &body, properties);
    match publishing.await {
        Ok(confirmation) => verdict(confirmation.await, key),
        Err(error) => Err(away(error)),
    }
}

fn verdict(confirmation: lapin::Result<Confirmation>, key: String) -> Result<(), BusError> {
    match confirmation {
        Ok(Confirmation::Ack(None)) => Ok(()),
        // Acknowledged although no queue wanted it: the broker returned it first.
        Ok(Confirmation::Ack(Some(_))) => Err(BusError::Unroutable(key)),
        Ok(Confirmation::Nack(_)) => Err(BusError::Refused("a queue is full".to_owned())),
        Ok(Confirmation::NotRequested) => Err(away_for("confirmations are off")),
        Err(error) => Err(away(error)),
    }
}

fn is_away(result: &Result<(), BusError>) -> bool {
    matches!(result, Err(BusError::Away(_)))
}
