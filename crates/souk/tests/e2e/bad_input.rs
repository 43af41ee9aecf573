//! What nobody should send: the right status, the field by its name, nothing changed.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, Client, client, journeys};

use crate::{finish, plan, state, teapot, unique};

journeys!(
    a_field_that_breaks_a_rule_is_named_and_nothing_changes,
    a_body_that_is_no_request_is_refused_whole,
    what_is_not_there_is_not_found_however_it_is_called,
    a_batch_names_what_is_wrong_with_each_item,
);

/// Fields of a product, each with a value that breaks its rule.
fn broken_fields() -> Vec<(&'static str, Value)> {
    let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
    let mut fields = vec![
        ("name", json!("")),
        ("name", json!("   ")),
        ("name", json!("nul \u{0} inside")),
        ("name", json!("two\nlines")),
        ("name", json!("x".repeat(301))),
        ("name", json!("bell \u{7}")),
        ("price", json!(-1)),
        ("price", json!("-1")),
        ("price", number("1e400")),
        ("price", json!("1e400")),
        ("price", json!("abc")),
        ("price", number("19.999")),
        ("price", json!("19.999")),
        ("price", json!("")),
        ("price", json!(" 1")),
        ("price", json!("1,50")),
        ("price", json!("NaN")),
        ("price", number("99999999999999999999")),
        ("price", json!("0x10")),
        ("old_price", json!("abc")),
        ("old_price", json!(-5)),
        ("stock", json!(-1)),
        ("stock", json!(1.5)),
        ("stock", json!("5")),
        ("stock", number("1e3")),
        ("stock", number("10000000000")),
        ("stock", number("99999999999999999999")),
        ("quantity", json!(-1)),
        ("quantity", json!("5")),
        ("currency", json!("EURO")),
        ("currency", json!("eur")),
        ("currency", json!("XXX")),
        ("kind", json!("liquid")),
        ("condition", json!("eaten")),
        ("tags", json!("x")),
        ("tags", json!([""])),
        ("tags", json!([1])),
        ("tags", json!(["x".repeat(51)])),
        ("images", json!(["javascript:alert(1)"])),
        ("images", json!(["//evil"])),
        ("images", json!([1])),
        ("attributes", json!({ "a": 1 })),
        ("attributes", json!({ "": "x" })),
        ("active", json!("yes")),
        ("active", json!(1)),
        ("slug", json!("not a slug")),
        ("slug", json!("")),
        ("slug", json!("Über")),
        ("brand", json!("two\nlines")),
        ("brand", json!("x".repeat(101))),
        ("mark", json!("x".repeat(101))),
        ("category", json!("does/not/exist")),
        ("category", json!("//")),
        ("description", json!("x".repeat(20_001))),
        ("description", json!("nul \u{0}")),
        ("sku", json!("")),
        ("sku", json!("x".repeat(501))),
        ("sku", json!("a\u{0}b")),
        ("colour", json!("red")),
        ("Price", json!("1.00")),
        ("id", json!("prd_x")),
        ("version", json!(1)),
        ("created_at", json!("2026-11-21T00:00:00Z")),
        ("__proto__", json!({})),
        ("", json!(1)),
    ];
    // values of the wrong type for every field
    let typed = [
        ("name", "text"),
        ("description", "text"),
        ("brand", "text"),
        ("mark", "text"),
        ("company", "text"),
        ("sku", "text"),
        ("slug", "text"),
        ("currency", "text"),
        ("kind", "text"),
        ("price", "price"),
        ("stock", "number"),
        ("quantity", "number"),
        ("tags", "list"),
        ("images", "list"),
        ("attributes", "map"),
        ("active", "truth"),
    ];
    for (field, takes) in typed {
        for (kind, value) in [
            ("number", json!(5)),
            ("truth", json!(true)),
            ("null", Value::Null),
            ("list", json!(["x"])),
            ("map", json!({ "x": "y" })),
            ("text", json!("x")),
        ] {
            let fine = takes == kind || (takes == "price" && ["number", "text"].contains(&kind));
            if !fine {
                fields.push((field, value));
            }
        }
    }
    fields
}

async fn a_field_that_breaks_a_rule_is_named_and_nothing_changes(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let id = admin.creates_product(&teapot()).await.field("id");
    let before = state(&admin, &id).await;
    for (field, value) in broken_fields() {
        let mut created = teapot();
        if ["mark", "company"].contains(&field) {
            created.as_object_mut().expect("an object").remove("brand");
        }
        if field == "quantity" {
            created.as_object_mut().expect("an object").remove("stock");
        }
        created[field] = value.clone();
        let mut changed = json!({});
        changed[field] = value;
        for answer in [admin.creates_product(&created).await, admin.changes(&id, &changed).await] {
            let what = format!("{} {changed}", answer.request);
            assert_eq!(answer.status, 422, "{what}: {}", answer.text());
            answer.refused(422);
            assert_eq!(answer.broken_fields(), [field], "{what}: {}", answer.text());
        }
    }
    // a SKU is for life
    let renamed = admin.changes(&id, &json!({ "sku": unique("NEW") })).await;
    renamed.refused(422);
    assert_eq!(renamed.broken_fields(), ["sku"]);
    // all at once, under the names that were sent
    let many = json!({ "name": "", "price": "abc", "quantity": -1, "mark": 5, "colour": "red", "kind": "gas" });
    let answer = admin.creates_product(&many).await;
    answer.refused(422);
    let mut named = answer.broken_fields();
    named.sort();
    assert_eq!(named, ["colour", "kind", "mark", "name", "price", "quantity"]);
    let both = admin.changes(&id, &json!({ "brand": "A", "mark": "B" })).await;
    both.refused(422);
    assert_eq!(state(&admin, &id).await, before, "a refused request changed something");
    assert_eq!(admin.lists_all("/api/products", "include_hidden=true").await.len(), 1);
    finish(shop).await;
}

async fn a_body_that_is_no_request_is_refused_whole(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let id = admin.creates_product(&teapot()).await.field("id");
    let before = state(&admin, &id).await;
    let deep = format!("{{\"attributes\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
    let deepest = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let bodies: Vec<(&[u8], u16)> = vec![
        (b"", 400),
        (b"{", 400),
        (b"{} {}", 400),
        (b"{'name':1}", 400),
        (b"{\"price\":NaN}", 400),
        (b"{\"name\":\"a\",\"name\":\"b\"}", 400),
        (b"{\"attributes\":{\"a\":\"1\",\"a\":\"2\"}}", 400),
        (b"{\"name\":\"\xff\xfe\"}", 400),
        (b"{\"name\":\"\xc3\x28\"}", 400),
        (b"{\"name\":\"\\ud800\"}", 400),
        (b"\xef\xbb\xbf{\"name\":\"x\"}", 400),
        (b"{\"price\":01}", 400),
        (b"{\"price\":1.}", 400),
        (b"<xml/>", 400),
        (b"\x00\x00", 400),
        (deep.as_bytes(), 400),
        (deepest.as_bytes(), 400),
        (large.as_bytes(), 413),
        (b"[]", 422),
        (b"5", 422),
        (b"null", 422),
        (b"\"text\"", 422),
        (b"{}", 422),
    ];
    for (method, path) in
        [(Method::POST, "/api/products".to_owned()), (Method::PUT, client::product(&id))]
    {
        for (body, status) in &bodies {
            let request =
                admin.request(method.clone(), &path).header("content-type", "application/json");
            let answer = admin.send(request.body(body.to_vec())).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(answer.status, *status, "{method} {shown}: {}", answer.text());
            answer.refused(*status);
        }
        for media in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "json",
        ] {
            let request = admin.request(method.clone(), &path).header("content-type", media);
            admin.send(request.body("{\"name\":\"x\",\"price\":1}")).await.refused(415);
        }
        admin.send(admin.request(method.clone(), &path).body("{}")).await.refused(415);
    }
    assert_eq!(state(&admin, &id).await, before);
    finish(shop).await;
}

async fn what_is_not_there_is_not_found_however_it_is_called(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let id = admin.creates_product(&teapot()).await.field("id");
    let before = state(&admin, &id).await;
    let long = "x".repeat(5_000);
    let keys = [
        "prd_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1",
        "prd_",
        "usr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1",
        "0",
        "-1",
        "null",
        "' OR 1=1 --",
        "../../etc/passwd",
        "..",
        "\u{0}",
        "a\nb",
        "😀",
        "%",
        "%2e%2e",
        "*",
        long.as_str(),
    ];
    for key in keys {
        let path = client::product(key);
        let answers = [
            anonymous.get(&path).await,
            admin.changes(key, &json!({ "price": "1.00" })).await,
            admin.deletes(key).await,
            admin.restores(key).await,
            admin.get(&format!("/api/admin/stats/products/{}", client::escaped(key))).await,
        ];
        for answer in answers {
            assert!([400, 404].contains(&answer.status), "{}: {}", answer.request, answer.text());
            answer.refused(answer.status);
        }
    }
    for path in [
        "/api/products?q=%00",
        "/api/products?brand=%00",
        "/api/products?tag=%00",
        "/api/products?category=%00",
        "/api/products?sort=%00",
        "/api/users?q=%00",
        "/api/users?role=%00",
        "/api/users/%00",
        "/api/admin/notifications?recipient=%00",
        "/api/admin/notifications?status=%00",
        "/api/admin/notifications?product_id=%00",
        "/api/admin/notifications?event_id=%00",
        "/api/admin/notifications/counts?letter_id=%00",
        "/api/admin/letters/%00",
        "/api/admin/jobs/%00",
        "/api/admin/jobs/%00/results",
        "/api/admin/dead-letters?status=%00",
        "/api/admin/dead-letters/%00",
        "/api/admin/events?event_id=%00",
        "/api/admin/events?service=%00",
        "/api/admin/stats/top?from=%00",
    ] {
        let answer = admin.get(path).await;
        assert!(answer.status < 500, "{path}: {}", answer.text());
    }
    for (path, body) in [
        ("/api/auth/login", json!({ "email": "nul\u{0}@people.test", "password": "x\u{0}" })),
        ("/api/auth/login", json!({ "username": "\u{0}", "password": "\u{0}" })),
        ("/api/auth/refresh", json!({ "refresh_token": "\u{0}" })),
        ("/api/categories", json!({ "path": "\u{0}", "name": "\u{0}" })),
        (
            "/api/users",
            json!({ "username": "nul\u{0}x", "email": "\u{0}@x.test", "password": "\u{0}" }),
        ),
    ] {
        let answer = admin.post(path, &body).await;
        assert!((400..500).contains(&answer.status), "{path} {body}: {}", answer.text());
    }
    for path in ["/api/products/%ff", "/api/products/%", "/api/users/%c3%28"] {
        let answer = admin.get(path).await;
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.text());
    }
    for path in [
        "/api/users/usr_x",
        "/api/users/prd_x",
        "/api/admin/letters/x",
        "/api/admin/jobs/x",
        "/api/admin/jobs/x/results",
        "/api/admin/dead-letters/x",
    ] {
        admin.get(path).await.refused(404);
    }
    assert_eq!(state(&admin, &id).await, before);
    finish(shop).await;
}

/// Sends it and holds the 422 against the fields that must be named, in order.
pub(crate) async fn refuses(
    who: &Client,
    method: Method,
    path: &str,
    body: Value,
    fields: &[&str],
) {
    let answer = who.send(who.request(method, path).json(&body)).await;
    assert_eq!(answer.status, 422, "{} {body}: {}", answer.request, answer.text());
    answer.refused(422);
    let mut named = answer.broken_fields();
    named.sort();
    assert_eq!(named, fields, "{} {body}: {}", answer.request, answer.text());
}

async fn a_batch_names_what_is_wrong_with_each_item(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let path = "/api/admin/products/bulk";
    refuses(&admin, Method::POST, path, json!({}), &["items"]).await;
    refuses(&admin, Method::POST, path, json!({ "items": 5 }), &["items"]).await;
    refuses(&admin, Method::POST, path, json!({ "items": [5] }), &["items"]).await;
    let many: Vec<Value> =
        (0..501).map(|n| json!({ "sku": format!("S{n}"), "name": "N", "price": 1 })).collect();
    refuses(&admin, Method::POST, path, json!({ "items": many }), &["items"]).await;
    let items = json!([
        { "sku": "B-1", "name": "One", "price": 1 },
        { "sku": "B-2", "name": "Two", "price": "abc", "quantity": -1 },
        { "sku": "B-3", "name": "Three", "price": 3, "colour": "red" },
        { "sku": "B-1", "name": "One", "price": 1 },
        { "sku": "B-4", "price": 4 },
        { "name": "Five", "price": 5 },
        { "sku": "B-6", "name": 6, "price": "abc", "quantity": -1, "mark": true, "colour": "red" },
        { "sku": "B-7", "name": "Seven", "price": true, "category": "does/not/exist" },
        { "sku": 8, "price": -8 },
    ]);
    let answer = admin.post(path, &json!({ "items": items })).await.expect(200);
    let made = answer["items"].as_array().expect("items");
    let outcomes: Vec<&str> =
        made.iter().map(|item| item["outcome"].as_str().expect("an outcome")).collect();
    assert_eq!(outcomes[..5], ["created", "failed", "failed", "failed", "failed"], "{answer}");
    for problem in made.iter().map(|item| &item["problem"]).filter(|problem| !problem.is_null()) {
        let trace = problem["trace_id"].as_str().unwrap_or_default();
        assert!(!trace.is_empty(), "{answer}");
    }
    let named = |at: usize| -> Vec<String> {
        let errors = made[at]["problem"]["errors"].as_array().cloned().unwrap_or_default();
        let mut named: Vec<String> = errors
            .iter()
            .map(|error| error["field"].as_str().unwrap_or_default().to_owned())
            .collect();
        named.sort();
        named
    };
    assert_eq!(named(1), ["price", "quantity"], "{answer}");
    assert_eq!(
        (named(2), named(4)),
        (vec!["colour".to_owned()], vec!["name".to_owned()]),
        "{answer}"
    );
    assert_eq!(named(3), ["sku"], "the same SKU twice: {answer}");
    // types and rules at once, under the names that were sent
    assert_eq!(named(6), ["colour", "mark", "name", "price", "quantity"], "{answer}");
    assert_eq!(named(7), ["category", "price"], "{answer}");
    assert_eq!(named(8), ["price", "sku"], "{answer}");
    let good = outcomes.iter().filter(|outcome| **outcome == "created").count();
    assert_eq!(admin.lists_all("/api/products", "").await.len(), good);
    finish(shop).await;
}
