//! Newsletters in words.
use askama::Template;

use super::{SUBJECT_LIMIT, Shop, lines, render};
use crate::domain::letter::Words;
use crate::domain::newsletter::Item;
use crate::domain::text::one_line;
use crate::store::newsletter::Model;

/// A newsletter as templates see it.
struct View<'a> {
    subject: &'a str,
    /// Lines of each.
    paragraphs: Vec<Vec<&'a str>>,
    items: Vec<Below>,
    /// Empty: shown to somebody who is not its reader.
    unsubscribe: String,
}

/// A product below the text.
struct Below {
    name: String,
    price: String,
    link: String,
}

#[derive(Template)]
#[template(path = "newsletter.txt")]
struct NewsletterText<'a> {
    shop: &'a Shop,
    view: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "newsletter.html")]
struct NewsletterHtml<'a> {
    shop: &'a Shop,
    view: &'a View<'a>,
}

/// What one reader gets; `link` is path and query that end it for them.
pub fn newsletter(shop: &Shop, issue: &Model, link: &str) -> Words {
    let unsubscribe =
        if link.is_empty() { String::new() } else { format!("{}{link}", shop.public_url) };
    let items = issue.items().into_iter().map(|Item { id, name, price }| Below {
        name: one_line(&name, 200),
        price,
        link: format!("{}/api/products/{id}", shop.public_url),
    });
    let view = &View {
        subject: &issue.subject,
        paragraphs: paragraphs(&issue.text),
        items: items.collect(),
        unsubscribe,
    };
    Words {
        subject: subject(shop, issue),
        text: lines(&NewsletterText { shop, view }),
        html: render(&NewsletterHtml { shop, view }),
    }
}

/// The same for every reader.
pub fn subject(shop: &Shop, issue: &Model) -> String {
    one_line(&format!("[{}] {}", shop.name, issue.subject), SUBJECT_LIMIT)
}

fn paragraphs(text: &str) -> Vec<Vec<&str>> {
    let parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.lines().map(str::trim_end).collect()).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use souk_values::NewsletterId;

    use super::*;

    fn issue(text: &str, items: &[Item]) -> Model {
        let at = DateTime::from_timestamp(1_795_251_600, 0).unwrap();
        Model {
            id: NewsletterId::new(),
            subject: "Tea <b>& more</b>".into(),
            text: text.into(),
            with_products: true,
            products: Some(serde_json::to_value(items).unwrap()),
            status: "sending".into(),
            version: 1,
            created_by: "usr_x".into(),
            created_at: at,
            updated_at: at,
            job_id: None,
            sent_at: None,
        }
    }

    #[test]
    fn text_is_only_text_and_its_end_is_the_readers_link() {
        let shop = Shop::new("Souk", "https://shop.example/");
        let item = Item { id: "prd_1".into(), name: "Mug <i>".into(), price: "3.50 EUR".into() };
        let issue = issue("Hello {{ x }}\n<script>\n\n\n\nBye", &[item]);
        let words = newsletter(&shop, &issue, "/newsletter/unsubscribe?token=T");
        let link = "https://shop.example/newsletter/unsubscribe?token=T";
        assert_eq!(words.subject, "[Souk] Tea <b>& more</b>");
        for part in ["Hello {{ x }}\n<script>\n\nBye", "Mug <i>", "3.50 EUR", link] {
            assert!(words.text.contains(part), "{part}: {}", words.text);
        }
        assert!(words.html.contains("https://shop.example/api/products/prd_1"));
        assert!(words.html.contains(&format!("href=\"{link}\"")), "{}", words.html);
        assert!(!words.html.contains("<script>") && !words.html.contains("<i>"));
        // nobody else is shown a link
        let shown = newsletter(&shop, &issue, "");
        assert!(!shown.text.contains("unsubscribe?") && !shown.html.contains("unsubscribe?"));
    }
}
