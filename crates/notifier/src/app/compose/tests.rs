//! Letters as people read them.
use super::*;
use souk_values::ProductId;

use crate::domain::change::FieldChange;

fn shop() -> Shop {
    Shop::new("Souk", "https://shop.example/")
}

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_251_600, 0).unwrap()
}

fn some_product() -> Subject {
    Subject::Product(ProductId::new())
}

fn field(field: &str, old: &str, new: &str) -> FieldChange {
    FieldChange { field: field.into(), old: old.into(), new: new.into() }
}

fn change() -> Change {
    let fields = vec![field("price", "39.99 EUR", "29.99 EUR"), field("brand", "", "Zelij")];
    Change::new("MUG-1", "Blue mug", "Ann Lee", fields)
}

#[test]
fn a_letter_says_who_what_when_from_to_and_how_to_mute() {
    let product = ProductId::new();
    let words = single(&shop(), Kind::Changed, Subject::Product(product), &change(), at());
    assert_eq!(words.subject, "[Souk] Product changed: Blue mug (MUG-1)");
    let expected = format!(
        "Product changed: Blue mug

  SKU      MUG-1
  By       Ann Lee
  At       2026-11-21 09:00:00 UTC
  See      https://shop.example/api/products/{product}

  price: 39.99 EUR -> 29.99 EUR
  brand: Zelij

--
Souk sent you this letter because your account gets notices of product changes.
To get none:  PUT https://shop.example/api/me/preferences  {{\"product_notices\": false}}
"
    );
    assert_eq!(words.text, expected);
    for part in ["39.99 EUR", "29.99 EUR", "Ann Lee", "MUG-1", &product.to_string(), "UTC"] {
        assert!(words.html.contains(part), "{part} in {}", words.html);
    }
}

#[test]
fn every_kind_has_its_subject() {
    let subject = |kind| single(&shop(), kind, some_product(), &change(), at()).subject;
    assert_eq!(subject(Kind::Created), "[Souk] Product created: Blue mug (MUG-1)");
    assert_eq!(subject(Kind::Deleted), "[Souk] Product deleted: Blue mug (MUG-1)");
    assert_eq!(subject(Kind::Restored), "[Souk] Product restored: Blue mug (MUG-1)");
}

#[test]
fn foreign_text_is_escaped_in_html_and_verbatim_in_text() {
    let name = "<a href=//evil>Reset</a> {{ shop.name }} ${7*7}";
    let change = Change::new("\"><script>", name, "usr_1", vec![field("name", "", name)]);
    for words in [
        single(&shop(), Kind::Created, some_product(), &change, at()),
        digest(&shop(), &[(some_product(), Kind::Created, change.clone(), at())], 1),
    ] {
        assert!(words.text.contains(name), "{}", words.text);
        assert!(!words.html.contains("<a href=//evil>"), "{}", words.html);
        assert!(!words.html.contains("<script>"), "{}", words.html);
        assert!(words.html.contains("{{ shop.name }} ${7*7}"), "{}", words.html);
    }
}

#[test]
fn line_breaks_in_names_reach_neither_subject_nor_text() {
    let change = Change::new("S\r\nX: 1", "a\r\nBcc: x@evil", "usr_1", Vec::new());
    let words = single(&shop(), Kind::Changed, some_product(), &change, at());
    assert_eq!(words.subject, "[Souk] Product changed: a  Bcc: x@evil (S  X: 1)");
    assert!(!words.text.lines().any(|line| line.starts_with("Bcc:")), "{}", words.text);
}

#[test]
fn a_digest_shows_its_changes_and_says_how_many_more() {
    let told: Vec<_> = (0..DIGEST_LIMIT)
        .map(|n| {
            let change = Change::new(&format!("SKU-{n}"), "Mug", "import", Vec::new());
            (some_product(), Kind::Changed, change, at())
        })
        .collect();
    let words = digest(&shop(), &told, 1234);
    assert_eq!(words.subject, "[Souk] 1234 product changes");
    assert_eq!(words.text.matches("Product changed: Mug").count(), DIGEST_LIMIT);
    assert!(words.text.contains("SKU-199"), "{}", words.text);
    assert!(words.text.contains("and 1034 more changes"), "{}", words.text);
    assert!(words.html.contains("and 1034 more changes"), "{}", words.html);
    let whole = digest(&shop(), &told[..2], 2);
    assert_eq!(whole.subject, "[Souk] 2 product changes");
    assert!(!whole.text.contains("more changes"), "{}", whole.text);
}
