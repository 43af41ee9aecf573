//! Letters that accounts asks for become ledger rows and letters. What they say, and to whom, is
//! asked when they are sent.
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use souk_storage::Tx;
use souk_values::{MailRequestId, NotificationId, UserId};
use uuid::Uuid;

use super::notice::blank;
use super::{App, Recipient};
use crate::domain::request::Kind;
use crate::error::Error;
use crate::store::notification::NOBODY;
use crate::store::{letter, notification};

/// A letter that is to be sent, as an event told it.
#[derive(Clone, Debug)]
pub struct LetterNews {
    pub event_id: Uuid,
    pub request: MailRequestId,
    pub kind: Kind,
    /// None: somebody without an account.
    pub user: Option<UserId>,
    /// By accounts' clock, as the closing of accounts: the two are compared.
    pub at: DateTime<Utc>,
    pub trace: Option<String>,
}

impl App {
    /// Writes the ledger rows and letters of `news`; events that are in the ledger are left out.
    pub async fn record_requests(&self, tx: &Tx, news: &[LetterNews]) -> Result<(), Error> {
        let ids: Vec<Uuid> = news.iter().map(|n| n.event_id).collect();
        let mut known: HashSet<Uuid> = notification::known(tx, &ids).await?;
        let (mut letters, mut entries) = (Vec::new(), Vec::new());
        for news in news.iter().filter(|n| known.insert(n.event_id)) {
            let user_id = news.user.unwrap_or(NOBODY);
            let recipient = Recipient { user_id, email: String::new(), name: String::new() };
            let letter = letter::Model {
                personal: true,
                trace: news.trace.clone(),
                next_at: Some(self.clock.now()),
                request_id: Some(news.request),
                kind: Some(news.kind.event()),
                ..blank(&recipient, news.at)
            };
            entries.push(notification::Model {
                id: NotificationId::new(),
                event_id: news.event_id,
                user_id,
                recipient: String::new(),
                product_id: None,
                order_id: None,
                kind: news.kind.event(),
                reason: None,
                letter_id: Some(letter.id),
                created_at: news.at,
            });
            letters.push(letter);
        }
        letter::insert(tx, letters).await?;
        notification::insert(tx, entries).await?;
        Ok(())
    }
}
