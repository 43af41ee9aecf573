//! One order's way: reserve → authorize → commit stock → capture → confirm.
//!
//! Whatever is asked of a neighbor carries a key and may be asked again, so a resumed saga simply
//! begins anew at the last state that was committed.
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::commit::{Done, Item, Moved};
use super::moves::{Move, To};
use super::review;
use crate::app::App;
use crate::app::order::Trace;
use crate::clients::catalog::{Hold as Goods, Refused};
use crate::domain::change::Refusal;
use crate::domain::order::{Order, State, Undo};
use crate::domain::payment::{self, Payment, ProviderError, ProviderPayment, Verdict};
use crate::error::Error;
use crate::store::saga::Hold;
use crate::store::{self};
use souk_events::crash;
use souk_rpc::Kind;

/// An order that nobody could finish in this time is given up, before the pivot.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);
/// How often a payment is looked at that waits for its buyer, should its webhook be lost.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(30);
/// Pauses before asking again at once; after them the saga is put off.
const AGAIN: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(250)];

pub(super) struct Runner {
    pub(super) app: App,
    pub(super) order: Order,
    pub(super) payment: Option<Payment>,
    pub(super) hold: Hold,
    pub(super) undo: Option<Undo>,
    /// Nobody before this runner may have asked the provider for money.
    pub(super) fresh: bool,
    /// The provider may know of a payment.
    pub(super) asked: bool,
    pub(super) keyed: bool,
    pub(super) attempts: i32,
    pub(super) progress_at: DateTime<Utc>,
    pub(super) trace: Trace,
    /// What the provider said last, not yet in our books.
    pub(super) fact: Option<ProviderPayment>,
}

/// Why a saga goes no further now.
pub(super) enum Halt {
    /// Somebody else drives it.
    Lost,
    /// A neighbor is away: later.
    Later(String),
    /// An answer that cannot be: a person looks at it.
    Impossible(&'static str, String),
}

/// Where a saga stands after one round.
pub(super) enum Flow {
    /// On to the state that was committed.
    On,
    /// Nothing to do before something becomes known.
    Over(Option<Vec<u8>>),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        match error {
            Error::Broken(why) => Self::Impossible("broken_promise", why),
            Error::Neighbour(failure) if !is_passing(failure.kind) => {
                Self::Impossible("impossible_answer", format!("{}: {failure}", failure.reason))
            }
            other => Self::Later(other.to_string()),
        }
    }
}

impl From<souk_storage::DbErr> for Halt {
    fn from(error: souk_storage::DbErr) -> Self {
        Self::Later(error.to_string())
    }
}

fn is_passing(kind: Kind) -> bool {
    matches!(kind, Kind::Unavailable | Kind::Timeout | Kind::Internal | Kind::Exhausted)
}

impl Runner {
    pub(super) fn fresh(
        app: App,
        order: Order,
        payment: Option<Payment>,
        hold: Hold,
        keyed: bool,
        trace: Trace,
    ) -> Self {
        let progress_at = order.created_at;
        Self {
            app,
            order,
            payment,
            hold,
            undo: None,
            fresh: true,
            asked: false,
            keyed,
            attempts: 0,
            progress_at,
            trace,
            fact: None,
        }
    }

    /// Drives until the end or a halt, entered in the books of this process. Answers what the
    /// buyer is told, if this run found out.
    pub(super) async fn drive_registered(self) -> Option<Vec<u8>> {
        let (sagas, id) = (self.app.sagas.clone(), self.hold.id);
        if !sagas.enter(id, self.order.id) {
            return None;
        }
        let told = self.drive().await;
        sagas.leave(id);
        told
    }

    async fn drive(mut self) -> Option<Vec<u8>> {
        loop {
            let round = match self.order.state {
                State::Created => self.place().await,
                State::AwaitingPayment => self.look().await,
                State::Capturing => self.capture().await,
                State::Releasing => self.release().await,
                _ => return None,
            };
            match round {
                Ok(Flow::On) => {}
                Ok(Flow::Over(told)) => return told,
                Err(Halt::Lost) => {
                    tracing::info!(order.id = %self.order.id, "saga was taken over");
                    return None;
                }
                Err(Halt::Later(error)) => {
                    self.put_off(&error, None).await;
                    return None;
                }
                Err(Halt::Impossible(code, error)) => {
                    self.put_off(&error, Some(code)).await;
                    return None;
                }
            }
        }
    }

    /// From acceptance to the pivot.
    async fn place(&mut self) -> Result<Flow, Halt> {
        if let Some(undo) = self.given_up() {
            return self.turn_back(undo).await;
        }
        let lines = self.lines();
        let refused = again(|| self.app.catalog.reserve(self.order.id, &lines)).await?;
        if let Some(first) = refused.first() {
            let undo = Undo::new(State::Rejected, self.refusal(first));
            if self.fresh {
                // nothing is held and nothing was asked: it ends at once
                return self.end(undo, None).await;
            }
            return self.turn_back(undo).await;
        }
        crash::point("orders.reserved");
        if !self.order.is_free() {
            match self.authorise().await? {
                payment::State::Authorised | payment::State::Captured => {}
                payment::State::RequiresAction => return self.wait().await,
                payment::State::Pending => {
                    return Err(Halt::Later("the provider has not decided yet".to_owned()));
                }
                payment::State::Declined | payment::State::Voided => {
                    let undo = self.declined();
                    return self.turn_back(undo).await;
                }
            }
        }
        crash::point("orders.authorised");
        self.past_the_pivot().await
    }

    /// Stock leaves the shop, and the money may be taken.
    async fn past_the_pivot(&mut self) -> Result<Flow, Halt> {
        let refused = again(|| self.app.catalog.commit(self.order.id)).await?;
        if let Some(first) = refused.first() {
            // what was held had expired, and somebody else has it now
            let undo = Undo::new(State::Expired, self.refusal(first));
            return self.turn_back(undo).await;
        }
        crash::point("orders.committed");
        match self.make(To::Capture).await? {
            Some(_) => Ok(Flow::On),
            None => {
                // who asked is told in the history
                let found = store::order::find(self.app.db.write(), self.order.id).await?;
                self.order.cancel = found.and_then(|order| order.cancel);
                self.turn_back(cancelled()).await
            }
        }
    }

    /// A payment that waits for its buyer.
    async fn look(&mut self) -> Result<Flow, Halt> {
        if self.order.cancel.is_some() {
            return self.turn_back(cancelled()).await;
        }
        let known = self.payment.as_ref().ok_or_else(no_payment)?.reference.clone();
        let fact = self.provider_says(self.app.provider.find(&known).await)?;
        let fact = fact.ok_or_else(|| {
            Halt::Impossible("payment_unknown", "the provider knows no such payment".to_owned())
        })?;
        let deadline = self.deadline();
        match self.learn(fact)? {
            payment::State::Authorised | payment::State::Captured => {
                let lines = self.lines();
                let refused = again(|| self.app.catalog.reserve(self.order.id, &lines)).await?;
                if let Some(first) = refused.first() {
                    let undo = Undo::new(State::Expired, self.refusal(first));
                    return self.turn_back(undo).await;
                }
                crash::point("orders.authorised");
                self.past_the_pivot().await
            }
            payment::State::Declined | payment::State::Voided => {
                let undo = self.declined();
                self.turn_back(undo).await
            }
            payment::State::Pending | payment::State::RequiresAction => {
                let now = self.app.clock.now();
                if now >= deadline {
                    let why =
                        Refusal::new("action_expired", "the payment was not approved in time");
                    return self.turn_back(Undo::new(State::Expired, why)).await;
                }
                let next = deadline.min(now + LOOK_AGAIN);
                let db = self.app.db.write();
                store::saga::put_off(db, self.hold, next, now, "").await?;
                Ok(Flow::Over(None))
            }
        }
    }

    /// The money is taken: from here only forward, unless the provider refuses for good.
    async fn capture(&mut self) -> Result<Flow, Halt> {
        if !self.order.is_free() {
            let known = self.payment.as_ref().ok_or_else(no_payment)?;
            let (reference, key) = (known.reference.clone(), known.capture_key());
            let asked = insist(|| self.app.provider.capture(&reference, &key)).await;
            let fact = match asked {
                Ok(fact) => fact,
                Err(ProviderError::Refused { code }) => {
                    let found = self.provider_says(self.app.provider.find(&reference).await)?;
                    found.ok_or(Halt::Impossible("payment_unknown", code))?
                }
                Err(error) => return Err(Halt::Later(error.to_string())),
            };
            let captured = fact.captured;
            match self.learn(fact)? {
                payment::State::Captured if captured == self.order.quote.total => {}
                payment::State::Captured => {
                    let told = format!("{captured} were captured");
                    return Err(Halt::Impossible("amount_differs", told));
                }
                payment::State::Declined | payment::State::Voided => {
                    let undo = self.declined();
                    return self.turn_back(undo).await;
                }
                state => {
                    let told = format!("capturing left the payment {}", state.as_str());
                    return Err(Halt::Later(told));
                }
            }
        }
        crash::point("orders.captured");
        let moved = self.make(To::Confirm).await?.ok_or(Halt::Lost)?;
        if moved.refund.is_some() {
            self.app.sagas.wake(self.order.id);
        }
        Ok(Flow::Over(moved.answer))
    }

    async fn authorise(&mut self) -> Result<payment::State, Halt> {
        let known = self.payment.as_ref().ok_or_else(no_payment)?;
        // a webhook may have been faster
        if known.state > payment::State::RequiresAction {
            return Ok(known.state);
        }
        let ask = payment::Authorise {
            order_id: self.order.id.to_string(),
            user_id: self.order.user_id.to_string(),
            method: known.method.clone(),
            amount: known.amount,
            key: known.authorise_key(),
        };
        self.asked = true;
        match insist(|| self.app.provider.authorise(&ask)).await {
            Ok(fact) => self.learn(fact),
            Err(ProviderError::Refused { code }) => {
                tracing::info!(order.id = %self.order.id, code, "payment refused");
                if let Some(payment) = &mut self.payment {
                    payment.decline_code = code;
                }
                Ok(payment::State::Declined)
            }
            Err(ProviderError::Unknown(error)) => Err(Halt::Later(error)),
        }
    }

    async fn wait(&mut self) -> Result<Flow, Halt> {
        let until = self.deadline().min(self.app.clock.now() + LOOK_AGAIN);
        let moved = self.make(To::Wait { until }).await?.ok_or(Halt::Lost)?;
        Ok(Flow::Over(moved.answer))
    }

    fn deadline(&self) -> DateTime<Utc> {
        self.order.created_at + TimeDelta::minutes(i64::from(self.app.config.action_minutes))
    }

    /// Why an order is not even tried any further.
    fn given_up(&self) -> Option<Undo> {
        if self.order.cancel.is_some() {
            return Some(cancelled());
        }
        let late = self.app.clock.now() - self.order.created_at > PATIENCE;
        (late && !self.fresh).then(|| {
            let why = Refusal::new("timed_out", "the order could not be finished in time");
            Undo::new(State::Expired, why)
        })
    }

    /// Joins what the provider says with what is known.
    pub(super) fn learn(&mut self, fact: ProviderPayment) -> Result<payment::State, Halt> {
        let now = self.app.clock.now();
        let payment = self.payment.as_mut().ok_or_else(no_payment)?;
        match payment.take(&fact, now) {
            Verdict::Differs(why) => return Err(Halt::Impossible("payment_differs", why)),
            Verdict::News => self.fact = Some(fact),
            Verdict::Known => {}
        }
        Ok(payment.state)
    }

    pub(super) fn provider_says<T>(&self, said: Result<T, ProviderError>) -> Result<T, Halt> {
        said.map_err(|error| match error {
            ProviderError::Unknown(error) => Halt::Later(error),
            ProviderError::Refused { code } => Halt::Impossible("provider_refused", code),
        })
    }

    fn declined(&self) -> Undo {
        let code = self.payment.as_ref().map(|p| p.decline_code.as_str()).unwrap_or_default();
        let code = if code.is_empty() { "declined" } else { code };
        let why = Refusal::new("payment_failed", "the payment was declined");
        Undo::new(State::PaymentFailed, why.with("decline_code", code))
    }

    fn refusal(&self, refused: &Refused) -> Refusal {
        let (code, sentence) = match refused.reason.as_str() {
            "price_changed" => ("price_changed", "a price is no longer what the buyer saw"),
            "product_gone" => ("product_gone", "a product is no longer sold"),
            _ => ("out_of_stock", "less is there than wanted"),
        };
        let line = self.order.quote.lines.iter();
        let line = line.into_iter().find(|l| l.product_id.to_string() == refused.product_id);
        let mut why = Refusal::new(code, sentence).with("product_id", &refused.product_id);
        if let Some(line) = line {
            why = why.with("sku", &line.sku);
        }
        if let Some(available) = refused.available {
            why = why.with("available", available);
        }
        if let Some(price) = refused.price {
            why = why.with("unit_price", price.decimal()).with("currency", price.currency);
        }
        why
    }

    /// Undoing is durable before anything is undone.
    pub(super) async fn turn_back(&mut self, undo: Undo) -> Result<Flow, Halt> {
        let paid = self.asked || !self.fresh;
        let to = To::Release { undo: undo.clone(), paid };
        self.make(to).await?.ok_or(Halt::Lost)?;
        self.undo = Some(undo);
        self.asked = paid;
        Ok(Flow::On)
    }

    /// Commits a move together with those of other orders; `None`: it was asked to cancel.
    pub(super) async fn make(&mut self, to: To) -> Result<Option<Moved>, Halt> {
        let wanted = Move {
            hold: self.hold,
            order: self.order.clone(),
            to,
            fact: self.fact.clone(),
            payment: self.payment.clone(),
            keyed: self.keyed,
            trace: self.trace.clone(),
        };
        match self.app.sagas.commit(Item::Move(Box::new(wanted))).await? {
            Done::Moved(moved) => {
                self.fact = None;
                self.hold.version += 1;
                self.order = moved.order.clone();
                self.progress_at = self.app.clock.now();
                Ok(Some(*moved))
            }
            Done::CancelAsked => Ok(None),
            Done::Lost | Done::Accepted(_) => Err(Halt::Lost),
        }
    }

    fn lines(&self) -> Vec<Goods> {
        let currency = self.order.currency();
        let lines = self.order.quote.lines.iter().map(|line| Goods {
            product_id: line.product_id,
            quantity: line.quantity,
            seen: Some((line.product_version, souk_values::Money::new(line.unit_price, currency))),
        });
        lines.collect()
    }

    async fn put_off(&mut self, error: &str, impossible: Option<&'static str>) {
        let round = review::Round {
            hold: self.hold,
            order: &self.order,
            attempts: self.attempts,
            progress_at: self.progress_at,
            error,
            impossible,
        };
        if let Err(failed) = review::put_off(&self.app, &round).await {
            // its lease ends by itself
            tracing::warn!(order.id = %self.order.id, error = %failed, "saga not put off");
        }
    }
}

pub(super) fn cancelled() -> Undo {
    Undo::new(State::Cancelled, Refusal::new("cancelled", "the order was cancelled"))
}

fn no_payment() -> Halt {
    Halt::Impossible("payment_missing", "the order has no payment".to_owned())
}

/// Asks again after a short pause when a neighbor is away for a moment.
pub(super) async fn again<T, F: Future<Output = Result<T, Error>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, Error> {
    for pause in AGAIN {
        match ask().await {
            Err(Error::Neighbour(failure)) if is_passing(failure.kind) => {
                tracing::debug!(reason = failure.reason, "neighbor away, asking again");
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
    ask().await
}

/// The same with a provider: the key makes it the same question.
pub(super) async fn insist<T, F: Future<Output = Result<T, ProviderError>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, ProviderError> {
    for pause in AGAIN {
        match ask().await {
            Err(ProviderError::Unknown(error)) => {
                tracing::debug!(error, "provider away, asking again");
                tokio::time::sleep(pause).await;
            }
            answer => return answer,
        }
    }
    ask().await
}
