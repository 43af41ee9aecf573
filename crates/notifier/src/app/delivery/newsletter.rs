//! Letters of a newsletter at the moment of sending: only then it is asked whether its reader still
//! wants it, and the link that ends it is in memory from here to the carrier only.
use souk_values::{EmailAddress, NewsletterId};

use super::{Postman, Ready, Unsent, unreadable};
use crate::app::compose;
use crate::app::newsletter::{CANCELLED, REFUSED, UNSUBSCRIBED};
use crate::clients::mail::MailError;
use crate::domain::letter::Status;
use crate::domain::newsletter::Status as NewsletterStatus;
use crate::error::Error;
use crate::store::letter::Model;
use crate::store::newsletter::{self, as_subscriber};

/// It was written and is there no more.
const GONE: &str = "newsletter_gone";

impl Postman {
    /// What the letter says, and where it goes; the place is written down.
    pub(super) async fn issue(&self, letter: &Model, id: NewsletterId) -> Result<Ready, Unsent> {
        let found = newsletter::find(self.app.db.write(), id).await;
        let found = found.map_err(|error| unreadable(error.into()))?;
        let issue = found.ok_or(Unsent::Over(Status::Failed, GONE))?;
        if issue.is(NewsletterStatus::Cancelled) {
            return Err(Unsent::Over(Status::Suppressed, CANCELLED));
        }
        if issue.is(NewsletterStatus::Failed) {
            return Err(Unsent::Over(Status::Suppressed, REFUSED));
        }
        let subscriber = as_subscriber(letter.user_id);
        let (email, link) = match self.accounts.newsletter_recipient(subscriber).await {
            Ok(Some(recipient)) => recipient,
            Ok(None) => return Err(Unsent::Over(Status::Suppressed, UNSUBSCRIBED)),
            Err(error) => {
                tracing::warn!(letter.id = %letter.id, error = ?error, "accounts cannot be asked");
                return Err(Unsent::Wait);
            }
        };
        // checked here too: no database keeps every text
        if EmailAddress::parse(&email).is_err() {
            let refused = MailError::Refused("the address cannot be written".to_owned());
            return Err(Unsent::Carrier(refused));
        }
        let written = self.address(letter, &email, None).await;
        if !written.map_err(|error: Error| unreadable(error))? {
            return Err(Unsent::TakenOver);
        }
        let words = compose::newsletter(&self.app.shop, &issue, &link);
        let unsubscribe = format!("{}{link}", self.app.shop.public_url);
        Ok(Ready { words, recipient: email, unsubscribe: Some(unsubscribe) })
    }
}
