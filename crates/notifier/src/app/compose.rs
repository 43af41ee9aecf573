//! Letters in words: subject, text and HTML from compiled-in templates, never from data.
use askama::Template;
use chrono::{DateTime, Utc};
use souk_storage::Database;
use souk_values::ProductId;

use super::Shop;
use crate::domain::change::{Change, Kind};
use crate::domain::letter::Words;
use crate::domain::text::one_line;
use crate::error::Error;
use crate::store::{letter, notification};

/// Changes that a digest shows; it says how many more there are.
pub const DIGEST_LIMIT: usize = 200;

/// Characters of a subject; mail programs show fewer.
const SUBJECT_LIMIT: usize = 200;

/// One change as templates see it.
struct Item<'a> {
    headline: &'static str,
    change: &'a Change,
    at: String,
    link: String,
}

#[derive(Template)]
#[template(path = "change.txt")]
struct ChangeText<'a> {
    shop: &'a Shop,
    item: &'a Item<'a>,
}

#[derive(Template)]
#[template(path = "change.html")]
struct ChangeHtml<'a> {
    shop: &'a Shop,
    item: &'a Item<'a>,
}

#[derive(Template)]
#[template(path = "digest.txt")]
struct DigestText<'a> {
    shop: &'a Shop,
    items: &'a [Item<'a>],
    total: usize,
}

#[derive(Template)]
#[template(path = "digest.html")]
struct DigestHtml<'a> {
    shop: &'a Shop,
    items: &'a [Item<'a>],
    total: usize,
}

/// The letter of one change.
pub fn single(
    shop: &Shop,
    kind: Kind,
    product: ProductId,
    change: &Change,
    at: DateTime<Utc>,
) -> Words {
    let item = &item(shop, kind, product, change, at);
    let subject = format!("[{}] {}: {} ({})", shop.name, item.headline, change.name, change.sku);
    Words {
        subject: one_line(&subject, SUBJECT_LIMIT),
        text: lines(&ChangeText { shop, item }),
        html: render(&ChangeHtml { shop, item }),
    }
}

/// The letter of many changes, of which `told` are the first.
pub fn digest(
    shop: &Shop,
    told: &[(ProductId, Kind, Change, DateTime<Utc>)],
    total: usize,
) -> Words {
    let items: Vec<_> =
        told.iter().map(|(id, kind, c, at)| item(shop, *kind, *id, c, *at)).collect();
    let items = items.as_slice();
    let plural = if total == 1 { "" } else { "s" };
    let subject = format!("[{}] {total} product change{plural}", shop.name);
    Words {
        subject: one_line(&subject, SUBJECT_LIMIT),
        text: lines(&DigestText { shop, items, total }),
        html: render(&DigestHtml { shop, items, total }),
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
    product: ProductId,
    change: &'a Change,
    at: DateTime<Utc>,
) -> Item<'a> {
    let headline = match kind {
        Kind::Created => "Product created",
        Kind::Changed => "Product changed",
        Kind::Deleted => "Product deleted",
        Kind::Restored => "Product restored",
    };
    Item {
        headline,
        change,
        at: at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        link: format!("{}/api/products/{product}", shop.public_url),
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
