//! What administrators are told becomes ledger rows and letters: at once, or collected in a digest.
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use souk_storage::Tx;
use souk_values::{LetterId, NotificationId, UserId};
use uuid::Uuid;

use super::{App, compose};
use crate::domain::change::{Change, FieldChange, Kind, Subject};
use crate::domain::letter::Status;
use crate::domain::pace::Pace;
use crate::error::Error;
use crate::store::{change, letter, notification, pace, preference};

/// Why a recipient with muted letters got none, as the ledger says it.
pub(super) const MUTED: &str = "muted";

/// One change, as an event told it.
#[derive(Clone, Debug)]
pub struct Notice {
    pub event_id: Uuid,
    pub subject: Subject,
    pub kind: Kind,
    /// Of an order its total and its number.
    pub sku: String,
    pub name: String,
    /// `usr_…`, or the name of a service or job; empty: nobody is named.
    pub actor_id: String,
    pub fields: Vec<FieldChange>,
    /// It came with many others: an import, a bulk change.
    pub in_batch: bool,
    /// Who gets another letter about the same event: once is enough.
    pub told_already: Option<UserId>,
    pub at: DateTime<Utc>,
    pub trace: Option<String>,
}

/// Somebody who is told.
#[derive(Clone)]
pub struct Recipient {
    pub user_id: UserId,
    pub email: String,
    pub name: String,
}

/// Everybody who is told, as accounts said at that time.
#[derive(Clone)]
pub struct Recipients {
    pub asked_at: DateTime<Utc>,
    pub people: Vec<Recipient>,
}

/// The rows that one batch of events makes.
#[derive(Default)]
struct Rows {
    letters: Vec<letter::Model>,
    notifications: Vec<notification::Model>,
}

/// An event with what letters tell of it.
struct Told<'a> {
    notice: &'a Notice,
    change: Change,
}

impl App {
    /// Writes the ledger rows and letters of `notices`; events that are in the ledger are left out.
    pub async fn record(
        &self,
        tx: &Tx,
        notices: &[Notice],
        recipients: &Recipients,
    ) -> Result<(), Error> {
        let ids: Vec<Uuid> = notices.iter().map(|n| n.event_id).collect();
        let mut known = change::known(tx, &ids).await?;
        let names = recipients.names();
        let told: Vec<Told<'_>> = notices
            .iter()
            .filter(|n| known.insert(n.event_id))
            .map(|notice| Told { notice, change: told(notice, &names) })
            .collect();
        if told.is_empty() || recipients.people.is_empty() {
            return Ok(());
        }
        let users: Vec<UserId> = recipients.people.iter().map(|r| r.user_id).collect();
        let paces = pace::lock(tx, &users, self.clock.now()).await?;
        let wishes = preference::of_all(tx, &users).await?;
        let mut rows = Rows::default();
        let mut seen = HashSet::new();
        for recipient in recipients.people.iter().filter(|r| seen.insert(r.user_id)) {
            let at = recipients.asked_at;
            let wishes = wishes.get(&recipient.user_id).copied().unwrap_or_default();
            let own = told.iter().filter(|t| t.notice.told_already != Some(recipient.user_id));
            let (wanted, muted): (Vec<&Told<'_>>, Vec<_>) =
                own.partition(|told| wishes.want(told.notice.kind.topic()));
            rows.suppress(recipient, at, &muted);
            if let Some(pace) = paces.get(&recipient.user_id) {
                let after = self.address(tx, &mut rows, recipient, at, *pace, &wanted).await?;
                if after != *pace {
                    pace::save(tx, recipient.user_id, after).await?;
                }
            }
        }
        let changes = told.into_iter().map(|t| (t.notice.event_id, t.change, t.notice.at));
        change::insert(tx, changes).await?;
        letter::insert(tx, rows.letters).await?;
        notification::insert(tx, rows.notifications).await?;
        Ok(())
    }

    /// Divides the changes among letters of their own and the digest.
    async fn address(
        &self,
        tx: &Tx,
        rows: &mut Rows,
        recipient: &Recipient,
        asked_at: DateTime<Utc>,
        mut pace: Pace,
        told: &[&Told<'_>],
    ) -> Result<Pace, Error> {
        let now = self.clock.now();
        let mut collected = Vec::new();
        for told in told {
            if told.notice.in_batch || !pace.admits(now, self.threshold) {
                collected.push(told);
                continue;
            }
            let notice = told.notice;
            let words =
                compose::single(&self.shop, notice.kind, notice.subject, &told.change, notice.at);
            let letter = letter::Model {
                subject: Some(words.subject),
                text: Some(words.text),
                html: Some(words.html),
                trace: notice.trace.clone(),
                next_at: Some(now),
                ..blank(recipient, asked_at)
            };
            rows.notifications.push(entry(recipient, asked_at, notice, Some(letter.id)));
            rows.letters.push(letter);
        }
        if !collected.is_empty() {
            let count = i32::try_from(collected.len()).unwrap_or(i32::MAX);
            let digest = match letter::join_digest(tx, recipient.user_id, count).await? {
                Some(open) => open,
                None => {
                    let letter = letter::Model {
                        digest: true,
                        notifications: count,
                        next_at: Some(now + self.window),
                        ..blank(recipient, asked_at)
                    };
                    let id = letter.id;
                    rows.letters.push(letter);
                    id
                }
            };
            let entries =
                collected.iter().map(|t| entry(recipient, asked_at, t.notice, Some(digest)));
            rows.notifications.extend(entries);
        }
        Ok(pace)
    }
}

impl Rows {
    fn suppress(&mut self, recipient: &Recipient, at: DateTime<Utc>, told: &[&Told<'_>]) {
        self.notifications.extend(told.iter().map(|told| notification::Model {
            reason: Some(MUTED.to_owned()),
            ..entry(recipient, at, told.notice, None)
        }));
    }
}

impl Recipients {
    fn names(&self) -> HashMap<String, &str> {
        let named = self.people.iter().filter(|p| !p.name.trim().is_empty());
        named.map(|p| (p.user_id.to_string(), p.name.as_str())).collect()
    }
}

/// What letters tell of `notice`; an actor among the recipients is called by name.
fn told(notice: &Notice, names: &HashMap<String, &str>) -> Change {
    let actor = names.get(&notice.actor_id).copied().unwrap_or(&notice.actor_id);
    Change::new(&notice.sku, &notice.name, actor, notice.fields.clone())
}

pub(super) fn blank(recipient: &Recipient, at: DateTime<Utc>) -> letter::Model {
    letter::Model {
        id: LetterId::new(),
        user_id: recipient.user_id,
        recipient: recipient.email.clone(),
        digest: false,
        personal: false,
        notifications: 1,
        subject: None,
        text: None,
        html: None,
        trace: None,
        status: Status::Queued.as_str().to_owned(),
        attempts: 0,
        next_at: None,
        provider_id: None,
        reason: None,
        created_at: at,
        sent_at: None,
        request_id: None,
        kind: None,
        expires_at: None,
        newsletter_id: None,
    }
}

fn entry(
    recipient: &Recipient,
    at: DateTime<Utc>,
    notice: &Notice,
    letter_id: Option<LetterId>,
) -> notification::Model {
    notification::Model {
        id: NotificationId::new(),
        event_id: notice.event_id,
        user_id: recipient.user_id,
        recipient: recipient.email.clone(),
        product_id: notice.subject.product(),
        order_id: notice.subject.order(),
        kind: notice.kind.event().to_owned(),
        reason: None,
        letter_id,
        created_at: at,
    }
}
