//! The postman: takes letters whose time has come, hands them over, writes down what became of
//! them.
//!
//! `sending` is committed before the call. A letter whose postman dies stays so until its lease
//! ends; then another takes it, early where a repeat cannot double, else late.
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use souk_events::crash;
use souk_values::UserId;

use super::{App, account, compose, delta};
use crate::clients::accounts::Accounts;
use crate::clients::mail::mime::{self, Head, Sender};
use crate::clients::mail::{Mail, MailError};
use crate::config::Config;
use crate::domain::letter::{Status, Words};
use crate::domain::retry;
use crate::error::Error;
use crate::store::account as standing;
use crate::store::letter::{self, Model, Settled};

mod newsletter;
mod request;
mod round;

/// How long a carrier that repeats safely keeps a letter from others.
const SAFE_LEASE: TimeDelta = TimeDelta::seconds(30);

/// Sends letters; one a process.
pub struct Postman {
    app: App,
    accounts: Accounts,
    mail: Arc<dyn Mail>,
    from: Sender,
    rate: Option<DefaultDirectRateLimiter>,
    slots: usize,
    lease: TimeDelta,
    unknown_after: Duration,
    hold: Mutex<Hold>,
}

/// Until when nobody sends, and how often in a row that was asked for.
#[derive(Clone, Copy, Default)]
struct Hold {
    until: Option<DateTime<Utc>>,
    streak: u32,
}

/// Why an attempt ended without the carrier having the letter.
enum Unsent {
    Carrier(MailError),
    /// Accounts cannot say what stands in it.
    Wait,
    /// It will never be sent.
    Over(Status, &'static str),
    /// Another sender has it.
    TakenOver,
}

impl From<MailError> for Unsent {
    fn from(error: MailError) -> Self {
        Self::Carrier(error)
    }
}

/// A letter as it is sent at one attempt.
struct Ready {
    words: Words,
    recipient: String,
    /// Where its reader ends such letters.
    unsubscribe: Option<String>,
}

impl Postman {
    pub fn new(
        app: App,
        accounts: Accounts,
        mail: Arc<dyn Mail>,
        config: &Config,
    ) -> anyhow::Result<Self> {
        let rate = mail.rate().and_then(NonZeroU32::new);
        let slots = config.concurrency.min(mail.rate().unwrap_or(u32::MAX)) as usize;
        let unknown_after = config.ses.unknown_after.duration();
        Ok(Self {
            lease: if mail.repeats_safely() { SAFE_LEASE } else { delta(unknown_after) },
            app,
            accounts,
            mail,
            from: Sender::parse(&config.mail.from)?,
            rate: rate.map(|rate| RateLimiter::direct(Quota::per_second(rate))),
            // never more at once than a second allows: nobody's lease ends in the queue for the
            // rate
            slots: slots.max(1),
            unknown_after,
            hold: Mutex::default(),
        })
    }

    /// Takes up to `limit` letters; each must then be carried.
    pub async fn claim(&self, limit: usize) -> Result<Vec<Model>, Error> {
        let now = self.app.clock.now();
        if self.hold().until.is_some_and(|until| now < until) {
            return Ok(Vec::new());
        }
        let db = self.app.db.write();
        let mut letters = letter::claim(db, now, now + self.lease, limit as u64).await?;
        if letters.is_empty() {
            return Ok(letters);
        }
        let users: Vec<UserId> = letters.iter().map(|l| l.user_id).collect();
        let closed = standing::closed(db, &users).await?;
        for letter in letters.extract_if(.., |l| {
            let until = closed.get(&l.user_id).and_then(|closed| closed.until(l.personal));
            until.is_some_and(|until| l.created_at <= until && !l.outlives_account())
        }) {
            let end = Settled {
                reason: Some(account::INACTIVE.to_owned()),
                ..Settled::new(Status::Suppressed, letter.attempts - 1)
            };
            letter::settle(db, letter.id, letter.attempts, &end).await?;
        }
        Ok(letters)
    }

    /// One attempt with a claimed letter, from the words to the ledger.
    pub async fn carry(&self, letter: Model) {
        let outcome = self.attempt(&letter).await;
        let Some(settled) = self.judge(&letter, outcome) else {
            tracing::warn!(letter.id = %letter.id, "letter was taken over");
            return;
        };
        let (status, letter_id) = (settled.status, letter.id);
        metrics::counter!("souk_letters_total", "outcome" => status.as_str()).increment(1);
        match status {
            Status::Sent => tracing::info!(letter.id = %letter_id, "letter sent"),
            Status::Failed => tracing::error!(
                letter.id = %letter_id,
                attempt = letter.attempts,
                reason = settled.reason.as_deref().unwrap_or_default(),
                "letter given up"
            ),
            _ => tracing::warn!(
                letter.id = %letter_id,
                letter.status = status.as_str(),
                attempt = letter.attempts,
                reason = settled.reason.as_deref().unwrap_or_default(),
                "letter not sent"
            ),
        }
        self.settle(&letter, &settled).await;
    }

    async fn attempt(&self, letter: &Model) -> Result<String, Unsent> {
        let ready = match (letter.request_id, letter.newsletter_id) {
            (Some(request), _) => self.ask(letter, request).await?,
            (None, Some(newsletter)) => self.issue(letter, newsletter).await?,
            (None, None) => self.read(letter).await.map_err(unreadable)?,
        };
        let Ready { words, recipient, unsubscribe } = ready;
        let head = Head {
            letter: letter.id,
            from: &self.from,
            to: &recipient,
            date: letter.created_at.into(),
            trace: letter.trace.as_deref(),
            unsubscribe: unsubscribe.as_deref(),
        };
        let outgoing = mime::message(&head, &words)?;
        if let Some(rate) = &self.rate {
            rate.until_ready().await;
        }
        crash::point("mail.sending");
        let outcome = self.mail.send(&outgoing).await;
        crash::point("mail.sent");
        Ok(outcome?)
    }

    /// A letter whose words are ours; those of a digest are kept from now on.
    async fn read(&self, letter: &Model) -> Result<Ready, Error> {
        let words = compose::words(&self.app.db, &self.app.shop, letter).await?;
        if !letter.is_written() {
            letter::write(self.app.db.write(), letter.id, &words).await?;
        }
        Ok(Ready { words, recipient: letter.recipient.clone(), unsubscribe: None })
    }

    /// What an outcome means for the letter, and for all others.
    /// None: nothing, it is another's.
    fn judge(&self, letter: &Model, outcome: Result<String, Unsent>) -> Option<Settled> {
        let now = self.app.clock.now();
        let attempts = letter.attempts;
        let attempt = attempts.unsigned_abs();
        let error = match outcome {
            Ok(provider_id) => {
                *self.hold() = Hold::default();
                return Some(Settled {
                    provider_id: Some(provider_id),
                    sent_at: Some(now),
                    ..Settled::new(Status::Sent, attempts)
                });
            }
            Err(Unsent::Carrier(error)) => error,
            Err(Unsent::Wait) => return Some(request::wait(letter, now)),
            Err(Unsent::Over(status, reason)) => {
                let reason = Some(reason.to_owned());
                return Some(Settled { reason, ..Settled::new(status, attempts) });
            }
            Err(Unsent::TakenOver) => return None,
        };
        let reason = Some(error.to_string());
        let failed =
            || Settled { reason: reason.clone(), ..Settled::new(Status::Failed, attempts) };
        let again = |attempts, at| Settled {
            reason: reason.clone(),
            next_at: Some(at),
            ..Settled::new(Status::Queued, attempts)
        };
        let pause = match error {
            MailError::Refused(_) => return Some(failed()),
            // not the letter's fault: the attempt does not count
            MailError::Throttled(_) | MailError::Blocked(_) => {
                return Some(again(attempts - 1, self.wait_for_all(now)));
            }
            MailError::Failed(_) => retry::backoff(attempt),
            MailError::Unknown(_) if self.mail.repeats_safely() => retry::backoff(attempt),
            MailError::Unknown(_) => retry::backoff(attempt).map(|p| p.max(self.unknown_after)),
        };
        Some(pause.map_or_else(failed, |pause| again(attempts, now + delta(pause))))
    }

    /// Nobody sends for a while; longer each time in a row. Letters on their way do not count
    /// twice.
    fn wait_for_all(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let mut hold = self.hold();
        match hold.until {
            Some(until) if now < until => until,
            _ => {
                hold.streak += 1;
                let until = now + delta(retry::hold(hold.streak));
                hold.until = Some(until);
                until
            }
        }
    }

    /// Tries hard: a letter that was sent and is not known as sent would be sent again.
    async fn settle(&self, letter: &Model, settled: &Settled) {
        const PAUSES_MS: [u64; 6] = [0, 100, 300, 1_000, 3_000, 10_000];
        for pause in PAUSES_MS {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            match letter::settle(self.app.db.write(), letter.id, letter.attempts, settled).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(letter.id = %letter.id, "letter was taken over");
                    return;
                }
                Err(error) => {
                    tracing::error!(letter.id = %letter.id, error = %error, "letter not settled");
                }
            }
        }
    }

    fn hold(&self) -> std::sync::MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The database cannot be read or written: the letter is not to blame.
fn unreadable(error: Error) -> Unsent {
    tracing::error!(error = ?error, "letter cannot be read");
    Unsent::Carrier(MailError::Failed("the database failed".to_owned()))
}
