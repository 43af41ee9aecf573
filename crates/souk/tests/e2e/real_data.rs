//! The goods of real shops: imported, again, out and in again; told to everybody; looked at ten thousand times.
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, Client, Shop, eventually, journeys};

use crate::data::{expected, expected_of_shopify, folder, invoice_lines, left_out};
use crate::jobs::{count, imports};
use crate::letters::{delivered, settled, with_mail};
use crate::{SOON, finish, plan};

journeys!(a_real_shop_moves_in_and_works, product_files_of_shopify_come_in_and_go_out);

const MAP: [(&str, &str); 2] =
    [("map", "sku=StockCode,name=Description,price=UnitPrice"), ("currency", "GBP")];
const CHANGES: usize = 200;
const READS: usize = 10_000;
const CONNECTIONS: usize = 8;

async fn a_real_shop_moves_in_and_works(backend: Backend) {
    let plan = plan(backend).set("notifier.digest.window", "2s").set("shop.currency", "GBP");
    let shop = with_mail(plan, backend).open().await;
    let admin = shop.admin().await;
    let (second, third) = (shop.person("admin").await.0, shop.person("admin").await.0);
    let me = admin.get("/api/me").await.expect(200);
    let admins =
        [&me, &second, &third].map(|user| user["email"].as_str().expect("email").to_owned());

    let products = moves_in(&admin).await;
    out_and_in_changes_nothing(&admin, products.len()).await;
    let changed = change_some(&admin, &products).await;
    for email in &admins {
        told_once(&shop, &admin, email, products.len(), &changed).await;
    }
    looked_at(&shop, &admin, &products).await;
    finish(shop).await;
}

/// Imports the invoice lines, holds every row against the computation, imports them again.
async fn moves_in(admin: &Client) -> Vec<Value> {
    let file = invoice_lines();
    let expected = expected(&file);
    let job = imports(admin, &MAP, file.clone()).await;
    let figures = ["created", "failed", "skipped", "rejected"].map(|outcome| count(&job, outcome));
    let of = |set: &BTreeSet<u64>| set.len();
    let (skipped, rejected) = (of(&expected.skipped), of(&expected.rejected));
    assert_eq!(
        figures,
        [expected.products.len(), expected.nameless.len(), skipped, rejected],
        "{job}"
    );
    // every row of the file is accounted for
    assert_eq!(
        expected.good_rows + count(&job, "skipped") + count(&job, "rejected"),
        expected.rows
    );
    let results = format!("/api/admin/jobs/{}/results", job["id"].as_str().expect("id"));
    let (mut lines, mut nameless) = (BTreeMap::<String, BTreeSet<u64>>::new(), BTreeSet::new());
    for row in admin.lists_all(&results, "").await {
        let outcome = row["outcome"].as_str().expect("an outcome").to_owned();
        if outcome == "failed" {
            nameless.insert(row["key"].as_str().expect("a key").to_owned());
        }
        lines.entry(outcome).or_default().insert(row["position"].as_u64().expect("a line"));
    }
    assert_eq!(lines.remove("skipped").unwrap_or_default(), expected.skipped);
    assert_eq!(lines.remove("rejected").unwrap_or_default(), expected.rejected);
    assert_eq!(nameless, expected.nameless);

    let products = admin.lists_all("/api/products", "sort=sku").await;
    assert_eq!(products.len(), expected.products.len());
    for product in &products {
        let text = |name: &str| product[name].as_str().unwrap_or_default();
        let (name, pence) = &expected.products[text("sku")];
        assert_eq!((text("name"), text("currency")), (name.as_str(), "GBP"), "{product}");
        assert_eq!(text("price"), format!("{}.{:02}", pence / 100, pence % 100), "{product}");
    }

    let events = events(admin).await;
    assert_eq!(events, products.len());
    let again = imports(admin, &MAP, file).await;
    let figures = ["unchanged", "created", "updated"].map(|outcome| count(&again, outcome));
    assert_eq!(figures, [products.len(), 0, 0], "{again}");
    assert_eq!(self::events(admin).await, events, "a repeated import tells nobody");
    products
}

async fn events(admin: &Client) -> usize {
    admin.lists_all("/api/admin/events", "service=catalog").await.len()
}

async fn out_and_in_changes_nothing(admin: &Client, products: usize) {
    let before = events(admin).await;
    let file = admin.get("/api/admin/products/export").await;
    assert_eq!(file.status, 200);
    assert!(file.header("content-type").starts_with("text/csv"));
    let job = imports(admin, &[], file.body).await;
    let figures = ["unchanged", "created", "updated", "failed", "rejected", "skipped"];
    let figures = figures.map(|outcome| count(&job, outcome));
    assert_eq!(figures, [products, 0, 0, 0, 0, 0], "{job}");
    assert_eq!(events(admin).await, before);
}

/// Raises the price of some by a penny; answers their ids.
async fn change_some(admin: &Client, products: &[Value]) -> BTreeSet<String> {
    let some: Vec<&Value> =
        products.iter().step_by(products.len() / CHANGES).take(CHANGES).collect();
    for four in some.chunks(4) {
        let changes = four.iter().map(|product| async {
            let pence: u64 =
                product["price"].as_str().expect("price").replace('.', "").parse().expect("digits");
            let price = format!("{}.{:02}", (pence + 1) / 100, (pence + 1) % 100);
            let id = product["id"].as_str().expect("id");
            let changed = admin.changes(id, &json!({ "price": price })).await.expect(200);
            assert_eq!(
                (changed["price"].as_str(), changed["version"].as_u64()),
                (Some(&*price), Some(2))
            );
        });
        join_all(changes).await;
    }
    some.iter().map(|product| product["id"].as_str().expect("id").to_owned()).collect()
}

/// One row in the ledger for each event, all in letters that were really delivered, each once.
async fn told_once(
    shop: &Shop,
    admin: &Client,
    email: &str,
    created: usize,
    changed: &BTreeSet<String>,
) {
    let recipient = format!("recipient={}", souk_testkit::client::escaped(email));
    let rows = settled(admin, &recipient, created + changed.len()).await;
    let (mut letters, mut told, mut seen) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (text("status"), text("recipient")),
            ("sent".to_owned(), email.to_owned()),
            "{row}"
        );
        assert!(seen.insert(text("event_id")), "told twice: {row}");
        letters.insert(text("letter_id"));
        if text("kind") == "product.changed" {
            assert!(told.insert(text("product_id")), "told twice: {row}");
        }
    }
    assert_eq!(&told, changed);
    assert!(!letters.contains(""), "a notice without a letter");
    assert_eq!(delivered(shop, email), letters.len(), "letters to {email}");
    // the first twenty of a minute came alone, the others together
    assert!(letters.len() >= 21 && letters.len() < rows.len(), "{} letters", letters.len());
}

/// Ten thousand looks, by all names, over several connections: exactly ten thousand views.
async fn looked_at(shop: &Shop, admin: &Client, products: &[Value]) {
    let views = || async {
        let totals = admin.get("/api/admin/stats/totals").await.expect(200);
        totals["views"].as_u64().expect("views")
    };
    let before = views().await;
    let hot = products[0]["id"].as_str().expect("id").to_owned();
    let key = |n: usize| match n % 5 {
        0 | 1 => hot.clone(),
        way => {
            let product = &products[1 + n * 31 % (products.len() - 1)];
            product[["id", "sku", "slug"][way - 2]].as_str().expect("a key").to_owned()
        }
    };
    let paths: Vec<String> = (0..READS).map(|n| souk_testkit::client::product(&key(n))).collect();
    let readers = paths.chunks(READS / CONNECTIONS).map(|paths| {
        let (reader, paths) = (shop.anonymous(), paths.to_vec());
        tokio::spawn(async move {
            for path in paths {
                let answer = reader.get(&path).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.expect("a reader got no answer");
    }
    // who only looks at the head, or at nothing, is not counted
    let head = admin.request(Method::HEAD, &souk_testkit::client::product(&hot));
    assert_eq!(admin.send(head).await.status, 200);
    admin.reads("nothing of this name").await.refused(404);
    let expected = before + READS as u64;
    let counted = |expected: u64| async move {
        eventually(&format!("{expected} views"), SOON, || async {
            let seen = views().await;
            if seen >= expected { Ok(seen) } else { Err(seen) }
        })
        .await
    };
    assert_eq!(counted(expected).await, expected);
    let report = admin.get(&format!("/api/admin/stats/products/{hot}")).await.expect(200);
    assert_eq!(report["total_views"].as_u64(), Some(READS as u64 / 5 * 2));
    // one more comes after all of them: nothing was on its way behind
    shop.anonymous().reads(&hot).await.expect(200);
    assert_eq!(counted(expected + 1).await, expected + 1);
}

async fn product_files_of_shopify_come_in_and_go_out(backend: Backend) {
    let Some(folder) = folder() else {
        left_out("product_files_of_shopify_come_in_and_go_out");
        return;
    };
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let mut all = BTreeMap::new();
    for name in ["apparel.csv", "home-and-garden.csv", "jewelery.csv"] {
        let file = std::fs::read(folder.join("shopify").join(name)).expect(name);
        let (variants, free) = expected_of_shopify(&file);
        let job = imports(&admin, &[], file.clone()).await;
        let figures =
            ["created", "skipped", "rejected", "failed"].map(|outcome| count(&job, outcome));
        assert_eq!(figures, [variants.len(), free.len(), 0, 0], "{name}: {job}");
        let again = imports(&admin, &[], file).await;
        let figures = ["unchanged", "created", "updated"].map(|outcome| count(&again, outcome));
        assert_eq!(figures, [variants.len(), 0, 0], "{name}: {again}");
        all.extend(variants);
    }
    let listed = admin.lists_all("/api/products", "").await;
    let found: BTreeMap<String, String> = listed
        .iter()
        .map(|product| {
            ["sku", "price"].map(|name| product[name].as_str().expect("a text").to_owned())
        })
        .map(|[sku, price]| (sku, price))
        .collect();
    assert_eq!(found, all);
    for product in &listed {
        let description = product["description"].as_str().unwrap_or_default();
        assert!(!description.contains("<script"), "{description}");
        assert!(product["images"].as_array().is_some_and(|images| !images.is_empty()), "{product}");
    }
    out_and_in_changes_nothing(&admin, listed.len()).await;

    // into an empty shop: the same goods
    let file = admin.get("/api/admin/products/export").await.body;
    let other = plan(backend).open().await;
    let job = imports(&other.admin().await, &[], file).await;
    assert_eq!(count(&job, "created"), all.len(), "{job}");
    let copies = other.admin().await.lists_all("/api/products", "").await;
    let plain = |products: &[Value]| -> BTreeMap<String, Value> {
        let bare = products.iter().map(|product| {
            let mut product = product.clone();
            let map = product.as_object_mut().expect("an object");
            ["id", "version", "created_at", "updated_at"]
                .iter()
                .for_each(|name| drop(map.remove(*name)));
            (product["sku"].as_str().expect("sku").to_owned(), product)
        });
        bare.collect()
    };
    assert_eq!(plain(&copies), plain(&listed));
    finish(other).await;
    finish(shop).await;
}
