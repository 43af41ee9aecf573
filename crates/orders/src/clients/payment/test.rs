//! The test provider: a payment provider inside of Souk, with books of its own.
//!
//! It behaves like one on the network: answers can get lost, webhooks come at any time, a key is
//! charged once. Many calls share one commit.
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use souk_events::crash;
use souk_storage::{Database, DbErr, Group, Tx};
use souk_values::Clock;
use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::Provider;
use super::signature;
use crate::domain::payment::book::{Call, Card, Entry, Outcome, What};
use crate::domain::payment::{Authorise, Hint, ProviderError, ProviderPayment};
use crate::store::payment::test_book::{self, Webhook};

/// The header of its webhooks.
const SIGNATURE: &str = "souk-signature";
/// Calls of one commit.
const BATCH: usize = 64;
const PAGE: u64 = 100;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct TestProvider {
    inner: Arc<Inner>,
}

struct Inner {
    db: Database,
    clock: Clock,
    timeout: Duration,
    /// Its own webhooks are signed with it; nobody else ever sends one.
    secret: [u8; 32],
    calls: Group<Call, Result<Outcome, DbErr>>,
    /// Rings when a webhook is to be sent.
    bell: Notify,
    /// Answers that wait until their webhook has arrived.
    waiting: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

/// A webhook of the test provider.
#[derive(Serialize, Deserialize)]
struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    reference: String,
}

impl TestProvider {
    pub(crate) fn new(db: Database, clock: Clock, default_method: bool, timeout: Duration) -> Self {
        let (books, time) = (db.clone(), clock.clone());
        let calls = Group::new(BATCH, move |calls: Vec<Call>| {
            let (db, clock) = (books.clone(), time.clone());
            async move { perform_all(&db, &clock, default_method, calls).await }.boxed()
        });
        let inner = Inner {
            db,
            clock,
            timeout,
            secret: rand::random(),
            calls,
            bell: Notify::new(),
            waiting: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    async fn call(&self, key: &str, what: What) -> Result<ProviderPayment, ProviderError> {
        let inner = &self.inner;
        let away = |error: String| ProviderError::Unknown(error);
        crash::point("payment.charging");
        let done = inner.calls.submit(Call { key: key.to_owned(), what }).await;
        let outcome = match done {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => return Err(away(error.to_string())),
            Err(abandoned) => return Err(away(abandoned.to_string())),
        };
        crash::point("payment.charged");
        if outcome.tells {
            inner.bell.notify_one();
        }
        if let Some(event) = &outcome.tell_first {
            self.arrival(event).await;
        }
        outcome.answer
    }

    /// Waits until the webhook has been received, as long as a call may take.
    async fn arrival(&self, event: &str) {
        let (sender, arrived) = oneshot::channel();
        self.lock().insert(event.to_owned(), sender);
        // it may have gone out before we began to wait
        if let Ok(true) = test_book::is_to_be_sent(&self.inner.db, event).await {
            let _ = tokio::time::timeout(self.inner.timeout, arrived).await;
        }
        self.lock().remove(event);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a card behind a token; false: this person has too many. Its books are in the database
    /// of orders.
    pub(crate) async fn keep_card(tx: &Tx, card: &Card) -> Result<bool, DbErr> {
        test_book::insert_card(tx, card).await
    }

    /// The cards of a person, newest first.
    pub(crate) async fn cards(&self, user_id: &str) -> Result<Vec<Card>, DbErr> {
        test_book::cards_of(&self.inner.db, user_id).await
    }

    /// Forgets a person's card; `None`: they have no such card.
    pub(crate) async fn forget_card(
        &self,
        user_id: &str,
        token: &str,
    ) -> Result<Option<Card>, DbErr> {
        let tx = self.inner.db.begin().await?;
        let card = test_book::card_by_token(&tx, token).await?;
        let card = card.filter(|card| card.user_id == user_id);
        if card.is_some() {
            test_book::remove_card(&tx, token).await?;
        }
        tx.commit().await?;
        Ok(card)
    }

    /// The newest payment of an order, with who pays.
    pub(crate) async fn of_order(&self, order_id: &str) -> Result<Option<Entry>, DbErr> {
        test_book::find_of_order(&self.inner.db, order_id).await
    }

    /// The buyer approves or refuses.
    pub(crate) async fn complete(
        &self,
        reference: &str,
        approve: bool,
    ) -> Result<ProviderPayment, ProviderError> {
        self.call("", What::Complete { reference: reference.to_owned(), approve }).await
    }

    /// Waits until there may be a webhook to send.
    pub(crate) async fn rung(&self) {
        self.inner.bell.notified().await;
    }

    /// Webhooks to be sent now.
    pub(crate) async fn due(&self, limit: u64) -> Result<Vec<Webhook>, DbErr> {
        test_book::due_webhooks(&self.inner.db, self.inner.clock.now(), limit).await
    }

    /// Headers and body of a webhook.
    pub(crate) fn letter(
        &self,
        webhook: &Webhook,
    ) -> serde_json::Result<(BTreeMap<String, String>, Vec<u8>)> {
        let body = serde_json::to_vec(&Message {
            id: webhook.event_id.clone(),
            kind: "payment.changed".to_owned(),
            reference: webhook.reference.clone(),
        })?;
        let signed = signature::sign(&self.inner.secret, &body, self.inner.clock.now());
        Ok((BTreeMap::from([(SIGNATURE.to_owned(), signed)]), body))
    }

    /// They were answered with a success.
    pub(crate) async fn arrived(&self, webhooks: Vec<String>) -> Result<(), DbErr> {
        test_book::remove_webhooks(&self.inner.db, webhooks.clone()).await?;
        for event in &webhooks {
            if let Some(waiting) = self.lock().remove(event) {
                // whoever stopped waiting wants no answer
                let _ = waiting.send(());
            }
        }
        Ok(())
    }

    /// It was refused, and comes again then.
    pub(crate) async fn postpone(
        &self,
        webhook: &Webhook,
        due_at: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        test_book::postpone_webhook(&self.inner.db, webhook, due_at).await
    }

    /// Forgets keys that were used before then.
    pub(crate) async fn forget_keys(&self, before: DateTime<Utc>) -> Result<(), DbErr> {
        test_book::forget_calls(&self.inner.db, before).await
    }
}

/// All in one transaction; if that fails, each in its own, so that none disturbs the others.
async fn perform_all(
    db: &Database,
    clock: &Clock,
    default_method: bool,
    calls: Vec<Call>,
) -> Vec<Result<Outcome, DbErr>> {
    match perform(db, clock, default_method, &calls).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if calls.len() == 1 && !is_race(&error) => vec![Err(error)],
        Err(_) => {
            let mut outcomes = Vec::with_capacity(calls.len());
            for call in &calls {
                let alone = perform(db, clock, default_method, std::slice::from_ref(call)).await;
                let one = alone.and_then(|mut done| {
                    done.pop().ok_or_else(|| DbErr::Custom("a call had no outcome".to_owned()))
                });
                outcomes.push(one);
            }
            outcomes
        }
    }
}

/// Another process answered the same key at the same moment: the second look finds its answer.
fn is_race(error: &DbErr) -> bool {
    souk_storage::violated_constraint(error, "test_call")
}

async fn perform(
    db: &Database,
    clock: &Clock,
    default_method: bool,
    calls: &[Call],
) -> Result<Vec<Outcome>, DbErr> {
    let now = clock.now();
    let tx = db.begin().await?;
    let mut book = test_book::load_book(&tx, calls).await?;
    book.default_method = default_method;
    let fresh_id = || Uuid::now_v7().simple().to_string();
    let outcomes = calls.iter().map(|call| book.perform(call, fresh_id, now)).collect();
    test_book::save_book(&tx, &book, now).await?;
    tx.commit().await?;
    Ok(outcomes)
}

fn unreachable_book(error: DbErr) -> ProviderError {
    ProviderError::Unknown(error.to_string())
}

#[async_trait::async_trait]
impl Provider for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn authorise(&self, ask: &Authorise) -> Result<ProviderPayment, ProviderError> {
        self.call(&ask.key, What::Authorise(ask.clone())).await
    }

    async fn capture(&self, reference: &str, key: &str) -> Result<ProviderPayment, ProviderError> {
        self.call(key, What::Capture { reference: reference.to_owned() }).await
    }

    async fn void(&self, reference: &str, key: &str) -> Result<ProviderPayment, ProviderError> {
        self.call(key, What::Void { reference: reference.to_owned() }).await
    }

    async fn refund(
        &self,
        reference: &str,
        minor: i64,
        key: &str,
    ) -> Result<ProviderPayment, ProviderError> {
        self.call(key, What::Refund { reference: reference.to_owned(), minor }).await
    }

    async fn find(&self, reference: &str) -> Result<Option<ProviderPayment>, ProviderError> {
        let found = test_book::find(&self.inner.db, reference).await.map_err(unreachable_book)?;
        Ok(found.map(|entry| entry.fact))
    }

    async fn accepts(&self, user_id: &str, method: &str) -> Result<bool, ProviderError> {
        test_book::is_card_of(&self.inner.db, user_id, method).await.map_err(unreachable_book)
    }

    async fn list(
        &self,
        since: DateTime<Utc>,
        cursor: Option<&str>,
    ) -> Result<Vec<ProviderPayment>, ProviderError> {
        test_book::list(&self.inner.db, since, cursor, PAGE).await.map_err(unreachable_book)
    }

    fn read_webhook(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Option<Hint> {
        let header = headers.get(SIGNATURE)?;
        if !signature::holds(header, &self.inner.secret, body, now) {
            return None;
        }
        let message: Message = serde_json::from_slice(body).ok()?;
        Some(Hint { event_id: message.id, reference: message.reference })
    }
}

#[cfg(test)]
mod tests;
