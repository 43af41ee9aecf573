//! Lists: filters, orders, and pages without loss while the shop goes on.
use std::collections::BTreeSet;

use serde_json::{Value, json};
use souk_testkit::client::escaped;
use souk_testkit::{Backend, Client, journeys};

use crate::{finish, plan};

journeys!(
    filters_and_orders_answer_what_they_say,
    pages_lose_nothing_while_products_are_added,
    what_is_no_cursor_and_no_parameter_is_refused,
);

/// Products of a made-up shop; the same formulae are used to expect.
fn item(n: u64) -> Value {
    let kind = if n.is_multiple_of(7) { "digital" } else { "physical" };
    let mut item = json!({
        "sku": format!("L-{n:04}"), "name": format!("Thing {}", n * 7919 % 1000),
        "price": format!("{}.{:02}", n * 37 % 90 + 1, n % 100),
        "brand": nth(&["Acme", "Bodum", "Čapek"], n),
        "category": if n.is_multiple_of(2) { "tools/hand" } else { "tools" },
        "tags": [format!("t{}", n % 4), format!("u{}", n % 5)], "kind": kind,
        "condition": nth(&["new", "good"], n),
    });
    if kind == "physical" {
        item["stock"] = json!(n % 6);
    }
    item
}

fn nth<'a>(words: &[&'a str], n: u64) -> &'a str {
    words[usize::try_from(n).expect("small") % words.len()]
}

async fn fill(admin: &Client, numbers: std::ops::Range<u64>) {
    for path in ["tools", "tools/hand"] {
        let name = path.split('/').next_back().unwrap_or_default();
        let answer = admin.post("/api/categories", &json!({ "path": path, "name": name })).await;
        assert!([201, 409].contains(&answer.status), "{}", answer.text());
    }
    let items: Vec<Value> = numbers.map(item).collect();
    let count = items.len();
    let answer =
        admin.post("/api/admin/products/bulk", &json!({ "items": items })).await.expect(200);
    let made = answer["items"].as_array().expect("items");
    let created = made.iter().filter(|item| item["outcome"] == "created").count();
    assert_eq!(created, count, "{answer}");
}

fn skus(items: &[Value]) -> BTreeSet<String> {
    items.iter().map(|item| item["sku"].as_str().expect("sku").to_owned()).collect()
}

fn cents(item: &Value) -> u64 {
    item["price"].as_str().expect("price").replace('.', "").parse().expect("digits")
}

async fn filters_and_orders_answer_what_they_say(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    fill(&admin, 1..131).await;
    let all = anonymous.lists_all("/api/products", "").await;
    assert_eq!(all.len(), 130);
    let is = |item: &Value, field: &str, text: &str| item[field] == text;
    let has = |item: &Value, tag: &str| {
        item["tags"].as_array().is_some_and(|tags| tags.contains(&json!(tag)))
    };
    type Rule<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let filters: Vec<(String, Rule<'_>)> = vec![
        ("brand=Acme".into(), Box::new(|i| is(i, "brand", "Acme"))),
        (format!("brand={}", escaped("Čapek")), Box::new(|i| is(i, "brand", "Čapek"))),
        ("category=tools".into(), Box::new(|_| true)),
        ("category=tools/hand".into(), Box::new(|i| is(i, "category", "tools/hand"))),
        ("kind=digital".into(), Box::new(|i| is(i, "kind", "digital"))),
        ("condition=good".into(), Box::new(|i| is(i, "condition", "good"))),
        ("tag=t1".into(), Box::new(|i| has(i, "t1"))),
        ("tag=t1&tag=u2".into(), Box::new(|i| has(i, "t1") && has(i, "u2"))),
        ("min_price=20".into(), Box::new(|i| cents(i) >= 2000)),
        ("max_price=19.99".into(), Box::new(|i| cents(i) <= 1999)),
        ("min_price=10&max_price=20.50".into(), Box::new(|i| (1000..=2050).contains(&cents(i)))),
        ("in_stock=true".into(), Box::new(|i| i["stock"] != json!(0))),
        ("in_stock=false".into(), Box::new(|i| i["stock"] == json!(0))),
        ("q=L-0042".into(), Box::new(|i| is(i, "sku", "L-0042"))),
        ("q=thing%20bodum".into(), Box::new(|i| is(i, "brand", "Bodum"))),
        (
            "brand=Acme&kind=physical&max_price=50".into(),
            Box::new(|i| is(i, "brand", "Acme") && is(i, "kind", "physical") && cents(i) <= 5000),
        ),
        ("brand=Nobody".into(), Box::new(|_| false)),
        ("active=true".into(), Box::new(|_| true)),
    ];
    for (query, rule) in filters {
        let found = anonymous.lists_all("/api/products", &query).await;
        let expected: Vec<Value> = all.iter().filter(|item| rule(item)).cloned().collect();
        assert_eq!(skus(&found), skus(&expected), "{query}");
        assert_eq!(found.len(), expected.len(), "{query} doubles");
    }
    for sort in ["created_at", "updated_at", "price", "name", "sku"] {
        let up = anonymous.lists_all("/api/products", &format!("sort={sort}")).await;
        let mut down = anonymous.lists_all("/api/products", &format!("sort=-{sort}")).await;
        assert_eq!((skus(&up), up.len()), (skus(&all), 130), "{sort}");
        let key = |item: &Value| match sort {
            "price" => format!("{:012}", cents(item)),
            other => item[other].as_str().expect("a text").to_lowercase(),
        };
        assert!(up.is_sorted_by_key(key), "{sort} is not in order");
        assert_eq!((skus(&down), down.len()), (skus(&all), 130), "-{sort}");
        down.reverse();
        assert!(down.is_sorted_by_key(key), "-{sort} is not in order");
    }
    finish(shop).await;
}

async fn pages_lose_nothing_while_products_are_added(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    fill(&admin, 1..91).await;
    let before = skus(&anonymous.lists_all("/api/products", "").await);
    let mut next = 1000;
    for sort in ["-created_at", "created_at", "price", "-name", "sku"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/products?limit=7&sort={sort}{cursor}");
            let page = anonymous.get(&path).await.expect(200);
            seen.extend(page["items"].as_array().expect("items").iter().cloned());
            // between two pages somebody adds, and changes what was seen
            admin.creates_product(&item(next)).await.expect(201);
            next += 1;
            let Some(cursor_text) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={}", escaped(cursor_text));
            assert!(seen.len() < 500, "{sort}: the pages do not end");
        }
        let listed = skus(&seen);
        assert_eq!(listed.len(), seen.len(), "{sort}: a product stands on two pages");
        assert!(listed.is_superset(&before), "{sort}: {:?} is missing", before.difference(&listed));
    }
    let page = anonymous.get("/api/products").await.expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(24), "the default");
    finish(shop).await;
}

async fn what_is_no_cursor_and_no_parameter_is_refused(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    fill(&admin, 1..13).await;
    let page = anonymous.get("/api/products?limit=2&sort=price").await.expect(200);
    let cursor = page["next_cursor"].as_str().expect("a cursor").to_owned();
    let foreign = admin.get("/api/admin/events?limit=1").await.expect(200);
    let foreign = foreign["next_cursor"].as_str().expect("a cursor").to_owned();
    let flipped: String = cursor.chars().rev().collect();
    let bad = [
        "x",
        "%00",
        "%F0%9F%98%80",
        "bnVsbA",
        "W10",
        &cursor[..cursor.len() / 2],
        &flipped,
        &foreign,
    ];
    for cursor in bad {
        let answer = anonymous.get(&format!("/api/products?sort=price&cursor={cursor}")).await;
        answer.refused(422);
        assert_eq!(answer.broken_fields(), ["cursor"], "{cursor}");
    }
    // a cursor belongs to its order
    let answer = anonymous.get(&format!("/api/products?sort=-name&cursor={cursor}")).await;
    answer.refused(422);
    let refused = [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=1e1", "limit"),
        ("sort=stock", "sort"),
        ("sort=--price", "sort"),
        ("sort=price,name", "sort"),
        ("min_price=abc", "min_price"),
        ("max_price=-1", "max_price"),
        ("min_price=1.999", "min_price"),
        ("in_stock=perhaps", "in_stock"),
        ("kind=liquid", "kind"),
        ("colour=red", "colour"),
        ("active=2", "active"),
        ("condition=eaten", "condition"),
        ("q=a+b+c+d+e+f+g+h+i+j+k", "q"),
        ("q=%00", "q"),
    ];
    for (query, field) in refused {
        let answer = anonymous.get(&format!("/api/products?{query}")).await;
        answer.refused(422);
        assert_eq!(answer.broken_fields(), [field], "{query}: {}", answer.text());
    }
    for query in ["limit=1&limit=2", "q=%ff", "brand=%C3"] {
        anonymous.get(&format!("/api/products?{query}")).await.refused(400);
    }
    for path in
        ["/api/users", "/api/admin/notifications", "/api/admin/events", "/api/admin/dead-letters"]
    {
        let answer = admin.get(&format!("{path}?cursor=rubbish!")).await;
        answer.refused(422);
    }
    finish(shop).await;
}
