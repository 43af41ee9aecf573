//! Every product change reaches every active admin's mailbox once.
use std::collections::BTreeMap;

use serde_json::{Value, json};
use souk_testkit::{Backend, Client, Shop, journeys};

use crate::letters::{delivered_about, settled, with_mail};
use crate::{finish, plan, unique};

journeys!(every_change_reaches_every_active_admin_once);

async fn every_change_reaches_every_active_admin_once(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    tell_every_admin(&shop).await;
    finish(shop).await;
}

/// Three admins more than the first: one listens, one is mute, one is gone; and a customer.
pub(crate) async fn tell_every_admin(shop: &Shop) {
    let first = shop.admin().await;
    let (listening, actor) = shop.person("admin").await;
    let (muted, mute) = shop.person("admin").await;
    let (gone, _) = shop.person("admin").await;
    let (customer, _) = shop.person("customer").await;
    mute.put("/api/me/preferences", &json!({ "product_notices": false })).await.expect(200);
    first
        .put(&format!("/api/users/{}", text(&gone["id"])), &json!({ "active": false }))
        .await
        .expect(200);
    let first_email = text(&first.get("/api/me").await.expect(200)["email"]);
    let awake = [first_email, text(&listening["email"])];

    let sku = unique("NOTE");
    let teapot = json!({ "sku": sku, "name": "Blue <Teapot>", "price": "39.99", "stock": 7 });
    let id = actor.creates_product(&teapot).await.field("id");
    let query = format!("product_id={id}");
    settled(&first, &query, 3).await;
    actor.changes(&sku, &json!({ "price": "29.99", "mark": "Bodum" })).await.expect(200);
    settled(&first, &query, 6).await;
    // the same once more is no change: nothing is told
    let same =
        actor.changes(&sku, &json!({ "price": "29.990", "mark": "Bodum" })).await.expect(200);
    assert_eq!(same["version"], 2);
    actor.deletes(&sku).await.expect(200);
    actor.deletes(&sku).await;
    settled(&first, &query, 9).await;
    actor.restores(&sku).await.expect(200);
    let rows = settled(&first, &query, 12).await;

    let kinds = ["product.created", "product.changed", "product.deleted", "product.restored"];
    let mut told: BTreeMap<(String, String, String), u32> = BTreeMap::new();
    for row in &rows {
        let key = (text(&row["kind"]), text(&row["recipient"]), text(&row["status"]));
        *told.entry(key).or_default() += 1;
    }
    let mut expected = BTreeMap::new();
    for kind in kinds {
        let key = |recipient: &str, status: &str| {
            (kind.to_owned(), recipient.to_owned(), status.to_owned())
        };
        expected.extend(awake.iter().map(|email| (key(email, "sent"), 1)));
        expected.insert(key(&text(&muted["email"]), "suppressed"), 1);
    }
    assert_eq!(told, expected);
    let told = delivered_about(shop, &sku);
    let due: BTreeMap<String, usize> = awake.iter().map(|email| (email.clone(), 4)).collect();
    assert_eq!(told, due);
    for nobody in [&muted, &gone, &customer] {
        assert!(!told.contains_key(&text(&nobody["email"])));
    }
    for row in rows.iter().filter(|row| row["recipient"] == *awake[0]) {
        says_what_happened(&first, row, &sku, &id).await;
    }
}

/// SKU, name, field, old and new value, who and where; the customer's text is only text.
async fn says_what_happened(admin: &Client, row: &Value, sku: &str, id: &str) {
    let letter =
        admin.get(&format!("/api/admin/letters/{}", text(&row["letter_id"]))).await.expect(200);
    let (words, html) = (text(&letter["text"]), text(&letter["html"]));
    let kind = text(&row["kind"]);
    for part in [sku, "Blue <Teapot>", "Ada Probe", &format!("/api/products/{id}")] {
        assert!(words.contains(part), "{kind}: no {part:?} in {words}");
    }
    assert!(text(&letter["subject"]).contains(sku));
    assert!(
        html.contains("Blue &#60;Teapot&#62;") || html.contains("Blue &lt;Teapot&gt;"),
        "{html}"
    );
    assert!(!html.contains("<Teapot>"), "{html}");
    if kind == "product.changed" {
        let line = |field: &str| {
            words.lines().find(|line| line.trim().starts_with(field)).unwrap_or_default()
        };
        let price = line("price:");
        let (old, new) = price.split_once(" -> ").unwrap_or_else(|| panic!("no price in {words}"));
        assert!(old.contains("39.99") && new.contains("29.99"), "{price}");
        assert!(line("brand:").contains("Bodum"), "{words}");
        assert!(!words.contains("stock:"), "what did not change is not told: {words}");
    }
    assert_eq!(letter["status"], "sent");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
