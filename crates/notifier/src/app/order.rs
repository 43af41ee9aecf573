//! Steps of orders become letters to their buyers, each at once and alone, and notices to
//! administrators.
use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use souk_storage::Tx;
use souk_values::{NotificationId, UserId};
use uuid::Uuid;

use super::account::INACTIVE;
use super::notice::blank;
use super::{App, Notice, Recipient, Recipients, compose};
use crate::domain::change::{FieldChange, Kind, Subject};
use crate::domain::order::{Line, Order, Step, words};
use crate::error::Error;
use crate::store::{letter, notification, pace};

/// Why a buyer got no letter: there is no such account any more.
const GONE: &str = "account_gone";

/// Why a buyer got no letter: there were many within [`HOUR`].
const TOO_MANY: &str = "too_many";

/// For which letters to one buyer are counted.
const HOUR: TimeDelta = TimeDelta::hours(1);

/// One step of an order, as an event told it.
#[derive(Clone, Debug)]
pub struct OrderNews {
    pub event_id: Uuid,
    pub user: UserId,
    pub told: Told,
    pub order: Order,
    pub at: DateTime<Utc>,
    pub trace: Option<String>,
}

/// Who is told of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Buyer(Step),
    /// The order needs a person.
    Staff,
}

/// Whom a letter to a buyer reaches.
#[derive(Clone)]
pub enum Buyer {
    Known(Recipient),
    /// The account is closed.
    Closed(Recipient),
    /// There is none any more.
    Gone,
}

impl OrderNews {
    /// Whether the buyer gets a letter.
    pub fn is_for_buyer(&self) -> bool {
        matches!(self.told, Told::Buyer(_))
    }

    /// What administrators are told, if they are.
    fn kind(&self, new_orders: bool) -> Option<Kind> {
        match self.told {
            Told::Buyer(Step::Confirmed) => new_orders.then_some(Kind::OrderConfirmed),
            Told::Buyer(_) => None,
            Told::Staff => Some(Kind::OrderReview),
        }
    }
}

impl App {
    /// Whether administrators are told of any of these.
    pub fn needs_staff(&self, news: &[OrderNews]) -> bool {
        news.iter().any(|news| news.kind(self.tells_of_new_orders()).is_some())
    }

    /// Writes the ledger rows and letters of `news`; events of which somebody was told are left
    /// out.
    pub async fn record_orders(
        &self,
        tx: &Tx,
        news: &[OrderNews],
        buyers: &HashMap<UserId, Buyer>,
        staff: &Recipients,
    ) -> Result<(), Error> {
        let ids: Vec<Uuid> = news.iter().map(|n| n.event_id).collect();
        let mut known: HashSet<Uuid> = notification::known(tx, &ids).await?;
        let fresh: Vec<&OrderNews> = news.iter().filter(|n| known.insert(n.event_id)).collect();
        let mut written = self.letters_to_buyers(tx, &fresh, staff).await?;
        let (mut letters, mut entries) = (Vec::new(), Vec::new());
        for news in &fresh {
            let Told::Buyer(step) = news.told else { continue };
            let buyer = buyers.get(&news.user).unwrap_or(&Buyer::Gone);
            let written = written.entry(news.user).or_default();
            let is_full = *written >= u64::from(self.order_letters_per_hour);
            let (letter, entry) = self.to_buyer(news, step, buyer, is_full, staff.asked_at);
            *written += u64::from(letter.is_some());
            letters.extend(letter);
            entries.push(entry);
        }
        letter::insert(tx, letters).await?;
        notification::insert(tx, entries).await?;
        let notices: Vec<Notice> = fresh.iter().filter_map(|news| self.to_staff(news)).collect();
        self.record(tx, &notices, staff).await
    }

    /// How many letters each buyer got within the hour. Nobody else counts or writes theirs until
    /// the transaction ends.
    async fn letters_to_buyers(
        &self,
        tx: &Tx,
        news: &[&OrderNews],
        staff: &Recipients,
    ) -> Result<HashMap<UserId, u64>, Error> {
        let buyers: BTreeSet<UserId> =
            news.iter().filter(|news| news.is_for_buyer()).map(|news| news.user).collect();
        if buyers.is_empty() {
            return Ok(HashMap::new());
        }
        // together with those whose pace the notices want: one order of locks
        let everybody: BTreeSet<UserId> =
            buyers.iter().copied().chain(staff.people.iter().map(|p| p.user_id)).collect();
        pace::lock(tx, &everybody.into_iter().collect::<Vec<_>>(), self.clock.now()).await?;
        let buyers: Vec<UserId> = buyers.into_iter().collect();
        Ok(letter::about_orders(tx, &buyers, self.clock.now() - HOUR).await?)
    }

    fn to_buyer(
        &self,
        news: &OrderNews,
        step: Step,
        buyer: &Buyer,
        is_full: bool,
        asked_at: DateTime<Utc>,
    ) -> (Option<letter::Model>, notification::Model) {
        let (letter, recipient, reason) = match buyer {
            Buyer::Known(person) if is_full => (None, person.email.clone(), Some(TOO_MANY)),
            Buyer::Known(person) => {
                let words = compose::order(&self.shop, step, &news.order, &person.name);
                let letter = letter::Model {
                    personal: true,
                    subject: Some(words.subject),
                    text: Some(words.text),
                    html: Some(words.html),
                    trace: news.trace.clone(),
                    next_at: Some(self.clock.now()),
                    ..blank(person, asked_at)
                };
                (Some(letter), person.email.clone(), None)
            }
            Buyer::Closed(person) => (None, person.email.clone(), Some(INACTIVE)),
            Buyer::Gone => (None, String::new(), Some(GONE)),
        };
        let entry = notification::Model {
            id: NotificationId::new(),
            event_id: news.event_id,
            user_id: news.user,
            recipient,
            product_id: None,
            order_id: Some(news.order.id),
            kind: step.event().to_owned(),
            reason: reason.map(str::to_owned),
            letter_id: letter.as_ref().map(|letter| letter.id),
            created_at: asked_at,
        };
        (letter, entry)
    }

    /// The buyer who is an administrator too has a letter already.
    fn to_staff(&self, news: &OrderNews) -> Option<Notice> {
        let kind = news.kind(self.tells_of_new_orders())?;
        let order = &news.order;
        let fields = if kind == Kind::OrderReview {
            let reason = fact("reason", words(&order.reason));
            vec![reason, fact("status", order.status.clone())]
        } else {
            order.lines.iter().map(line).collect()
        };
        Some(Notice {
            event_id: news.event_id,
            subject: Subject::Order(order.id),
            kind,
            sku: order.total.to_string(),
            name: order.number.clone(),
            actor_id: String::new(),
            fields,
            in_batch: false,
            told_already: news.is_for_buyer().then_some(news.user),
            at: news.at,
            trace: news.trace.clone(),
        })
    }
}

fn line(line: &Line) -> FieldChange {
    let amount = line.amount().map(|amount| amount.to_string()).unwrap_or_default();
    fact(&line.what(), amount)
}

fn fact(field: &str, new: String) -> FieldChange {
    FieldChange { field: field.to_owned(), old: String::new(), new }
}
