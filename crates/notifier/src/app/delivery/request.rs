//! Letters of accounts at the moment of sending. What they say is in memory from here to the
//! carrier, and nowhere else; asked again, accounts says the same.
use chrono::{DateTime, TimeDelta, Utc};
use souk_values::{EmailAddress, MailRequestId};

use super::{Postman, Ready, Unsent, unreadable};
use crate::app::{compose, delta};
use crate::clients::mail::MailError;
use crate::domain::letter::Status;
use crate::domain::retry;
use crate::error::Error;
use crate::store::letter::{self, Model, Settled};
use crate::store::notification;

/// How long a letter waits for accounts when it is not known when it ends.
const PATIENCE: TimeDelta = TimeDelta::hours(24);

/// Used, expired or replaced before it was sent.
const OBSOLETE: &str = "obsolete";
/// Accounts does not know the request.
const NOT_FOUND: &str = "mail_not_found";
/// A letter about a code or link without one.
const INCOMPLETE: &str = "mail_incomplete";
/// An older version of this program cannot word it.
const UNKNOWN: &str = "kind_unknown";
const AWAY: &str = "accounts_away";

impl Postman {
    /// What the letter says, and where it goes; the place is written down.
    pub(super) async fn ask(&self, letter: &Model, id: MailRequestId) -> Result<Ready, Unsent> {
        let kind = letter.account_kind().ok_or(Unsent::Over(Status::Failed, UNKNOWN))?;
        let mail = match self.accounts.mail(id).await {
            Ok(Some(mail)) => mail,
            Ok(None) => return Err(Unsent::Over(Status::Failed, NOT_FOUND)),
            Err(error) => {
                tracing::warn!(letter.id = %letter.id, error = ?error, "accounts cannot be asked");
                return Err(Unsent::Wait);
            }
        };
        if mail.is_over(self.app.clock.now()) {
            return Err(Unsent::Over(Status::Suppressed, OBSOLETE));
        }
        if !mail.is_complete(kind) {
            return Err(Unsent::Over(Status::Failed, INCOMPLETE));
        }
        // checked here too: no database keeps every text
        if EmailAddress::parse(&mail.email).is_err() {
            let refused = MailError::Refused("the address cannot be written".to_owned());
            return Err(Unsent::Carrier(refused));
        }
        let written = self.address(letter, &mail.email, mail.expires_at).await;
        if !written.map_err(unreadable)? {
            return Err(Unsent::TakenOver);
        }
        let words = compose::request(&self.app.shop, kind, &mail, letter.created_at);
        Ok(Ready { words, recipient: mail.email, unsubscribe: None })
    }

    /// Writes the address into letter and ledger. Asking took time: the lease begins anew, and
    /// whoever lost the letter meanwhile does not send it.
    pub(super) async fn address(
        &self,
        letter: &Model,
        email: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<bool, Error> {
        let until = self.app.clock.now() + self.lease;
        let tx = self.app.db.begin().await?;
        if !letter::address(&tx, letter, email, expires_at, until).await? {
            return Ok(false);
        }
        if letter.recipient != email {
            notification::address(&tx, letter.id, email).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// Accounts is away: the attempt does not count, but nobody waits beyond the end of the code.
pub(super) fn wait(letter: &Model, now: DateTime<Utc>) -> Settled {
    let over = |status, reason: &str| Settled {
        reason: Some(reason.to_owned()),
        ..Settled::new(status, letter.attempts - 1)
    };
    match letter.expires_at {
        Some(end) if now >= end => return over(Status::Suppressed, OBSOLETE),
        None if now >= letter.created_at + PATIENCE => return over(Status::Failed, AWAY),
        _ => {}
    }
    let age = (now - letter.created_at).to_std().unwrap_or_default();
    Settled { next_at: Some(now + delta(retry::wait(age))), ..over(Status::Queued, AWAY) }
}
