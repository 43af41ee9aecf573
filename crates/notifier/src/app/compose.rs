//! Letters in words: subject, text and HTML from compiled-in templates, never from data.
use std::collections::BTreeSet;

use askama::Template;
use chrono::{DateTime, Utc};
use souk_storage::Database;

use super::Shop;
use crate::domain::change::{Change, Kind, Subject, Topic};
use crate::domain::letter::Words;
use crate::domain::text::one_line;
use crate::error::Error;
use crate::store::{letter, notification};

mod newsletter;
mod order;
mod request;

pub use newsletter::{newsletter, subject as newsletter_subject};
pub use order::order;
pub use request::{not_kept, request, subject as request_subject};

/// Changes that a digest shows; it says how many more there are.
pub const DIGEST_LIMIT: usize = 200;

/// Characters of a subject; mail programs show fewer.
const SUBJECT_LIMIT: usize = 200;

/// One change as templates see it.
struct Item<'a> {
    headline: &'static str,
    /// What `change.sku` is.
    label: &'static str,
    /// Its fields changed; else they are facts.
    is_change: bool,
    change: &'a Change,
    at: String,
    link: String,
}

#[derive(Template)]
#[template(path = "change.txt")]
struct ChangeText<'a> {
    shop: &'a Shop,
    foot: Foot,
    item: &'a Item<'a>,
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChangeHtml<'a> {
    shop: &'a Shop,
    foot: Foot,
    item: &'a Item<'a>,
}

#[derive(Template)]
#[template(path = "digest.txt")]
struct DigestText<'a> {
    shop: &'a Shop,
    foot: Foot,
    what: &'static str,
    items: &'a [Item<'a>],
    total: usize,
}

#[derive(Template)]
#[template(path = "digest.html")]
struct DigestHtml<'a> {
    shop: &'a Shop,
    foot: Foot,
    what: &'static str,
    items: &'a [Item<'a>],
    total: usize,
}

/// Why somebody got a letter, and how to get none.
#[derive(Clone, Copy)]
struct Foot {
    about: &'static str,
    /// The body that mutes; empty: nothing does.
    mute: &'static str,
}

impl Foot {
    fn of(kinds: impl IntoIterator<Item = Kind>) -> Self {
        let topics: BTreeSet<Topic> = kinds.into_iter().filter_map(Kind::topic).collect();
        let (products, orders) =
            (topics.contains(&Topic::Products), topics.contains(&Topic::Orders));
        let (about, mute) = match (products, orders) {
            (true, false) => ("product changes", r#"{"product_notices": false}"#),
            (false, true) => ("orders", r#"{"order_notices": false}"#),
            (true, true) => (
                "product changes and orders",
                r#"{"product_notices": false, "order_notices": false}"#,
            ),
            (false, false) => ("orders that need a person", ""),
        };
        Self { about, mute }
    }
}

/// The letter of one change.
pub fn single(
    shop: &Shop,
    kind: Kind,
    subject: Subject,
    change: &Change,
    at: DateTime<Utc>,
) -> Words {
    let foot = Foot::of([kind]);
    let item = &item(shop, kind, subject, change, at);
    let subject = format!("[{}] {}: {} ({})", shop.name, item.headline, change.name, change.sku);
    Words {
        subject: one_line(&subject, SUBJECT_LIMIT),
        text: lines(&ChangeText { shop, foot, item }),
        html: render(&ChangeHtml { shop, foot, item }),
    }
}

/// The letter of many changes, of which `told` are the first.
pub fn digest(shop: &Shop, told: &[(Subject, Kind, Change, DateTime<Utc>)], total: usize) -> Words {
    let items: Vec<_> =
        told.iter().map(|(id, kind, c, at)| item(shop, *kind, *id, c, *at)).collect();
    let items = items.as_slice();
    let foot = Foot::of(told.iter().map(|told| told.1));
    let what = match (told.iter().all(|told| told.1.is_product_change()), total) {
        (true, 1) => "product change",
        (true, _) => "product changes",
        (false, 1) => "notice",
        (false, _) => "notices",
    };
    let subject = format!("[{}] {total} {what}", shop.name);
    Words {
        subject: one_line(&subject, SUBJECT_LIMIT),
        text: lines(&DigestText { shop, foot, what, items, total }),
        html: render(&DigestHtml { shop, foot, what, items, total }),
    }
}

/// What the letter says, or for a digest that still waits, would say now.
pub async fn words(db: &Database, shop: &Shop, letter: &letter::Model) -> Result<Words, Error> {
    if let (Some(subject), Some(text), Some(html)) = (&letter.subject, &letter.text, &letter.html) {
        return Ok(Words { subject: subject.clone(), text: text.clone(), html: html.clone() });
    }
    // a replica may not know the last changes yet
    let told = notification::told(db.write(), letter.id, DIGEST_LIMIT as u64).await?;
    let total = usize::try_from(letter.notifications).unwrap_or(told.len());
    Ok(digest(shop, &told, total))
}

fn item<'a>(
    shop: &Shop,
    kind: Kind,
    subject: Subject,
    change: &'a Change,
    at: DateTime<Utc>,
) -> Item<'a> {
    let headline = match kind {
        Kind::Created => "Product created",
        Kind::Changed => "Product changed",
        Kind::Deleted => "Product deleted",
        Kind::Restored => "Product restored",
        Kind::StockLow => "Low stock",
        Kind::OrderConfirmed => "New order",
        Kind::OrderReview => "Order needs review",
    };
    let (label, path) = match subject {
        Subject::Product(id) => ("SKU", format!("products/{id}")),
        Subject::Order(id) => ("Total", format!("admin/orders/{id}")),
    };
    Item {
        headline,
        label,
        is_change: kind.is_product_change(),
        change,
        at: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        link: format!("{}/api/{path}", shop.public_url),
    }
}

/// Text ends with one line break.
fn lines(template: &impl Template) -> String {
    format!("{}\n", render(template).trim_end())
}

/// Templates are checked by the compiler and write into memory: they do not fail.
fn render(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(error = %error, "template failed");
        String::new()
    })
}

#[cfg(test)]
mod tests;
