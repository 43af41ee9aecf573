//! Several writers at once: versions, conditions, keys for repeating safely.
use futures::future::join_all;
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Answer, Backend, Client, client, journeys};

use crate::{finish, plan, state, teapot, unique};

journeys!(
    conditions_protect_writers_and_spare_readers,
    of_many_writers_with_the_same_version_one_wins,
    a_repeated_request_is_answered_with_the_same_bytes,
    a_sku_is_taken_once,
);

async fn change_if(admin: &Client, id: &str, seen: &str, fields: &Value) -> Answer {
    let request = admin.request(Method::PUT, &client::product(id)).header("if-match", seen);
    admin.send(request.json(fields)).await
}

async fn conditions_protect_writers_and_spare_readers(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let made = admin.creates_product(&teapot()).await;
    let id = made.field("id");
    let first = made.etag().to_owned();
    assert!(first.starts_with("\"1."), "{first}");
    let second = change_if(&admin, &id, &first, &json!({ "price": "2.00" })).await;
    second.expect(200);
    let before = state(&admin, &id).await;
    for stale in [first.as_str(), "\"1\"", "\"99\"", "\"foreign\""] {
        let refused = change_if(&admin, &id, stale, &json!({ "price": "3.00" })).await;
        assert_eq!(refused.refused(412), "stale_version", "{stale}");
        assert_eq!(refused.json()["current_version"], 2);
    }
    let unreadable = change_if(&admin, &id, "7", &json!({ "price": "3.00" })).await;
    unreadable.refused(400);
    for method in [Method::DELETE, Method::POST] {
        let path = client::product(&id) + if method == Method::POST { "/restore" } else { "" };
        let request = admin.request(method, &path).header("if-match", &first);
        admin.send(request).await.refused(412);
    }
    assert_eq!(state(&admin, &id).await, before, "a stale writer changed something");
    for current in ["\"2\"", "*"] {
        change_if(&admin, &id, current, &json!({ "price": "2.00" })).await.expect(200);
    }

    // readers who have it are told so, with and without the gateway's memory
    let path = client::product(&id);
    for who in [&anonymous, &admin, &anonymous] {
        let answer = who.get(&path).await;
        let etag = answer.etag().to_owned();
        let have = who.send(who.request(Method::GET, &path).header("if-none-match", &etag)).await;
        assert_eq!((have.status, have.body.len(), have.etag()), (304, 0, etag.as_str()));
        let old = who.send(who.request(Method::GET, &path).header("if-none-match", &first)).await;
        old.expect(200);
    }
    // accounts too
    let (user, _) = shop.person("customer").await;
    let path = format!("/api/users/{}", user["id"].as_str().expect("id"));
    let etag = admin.get(&path).await.etag().to_owned();
    let change = |name: &str| {
        let request = admin.request(Method::PUT, &path).header("if-match", &etag);
        admin.send(request.json(&json!({ "full_name": name })))
    };
    change("One").await.expect(200);
    assert_eq!(change("Two").await.refused(412), "stale_version");
    finish(shop).await;
}

async fn of_many_writers_with_the_same_version_one_wins(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let admin = shop.admin().await;
    let made = admin.creates_product(&teapot()).await;
    let (id, etag) = (made.field("id"), made.etag().to_owned());
    let prices: Vec<String> = (1..=20).map(|n| format!("{n}.75")).collect();
    let bodies: Vec<Value> = prices.iter().map(|price| json!({ "price": price })).collect();
    let answers = join_all(bodies.iter().map(|body| change_if(&admin, &id, &etag, body))).await;
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1, "winners");
    assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 19);
    let now = admin.reads(&id).await.expect(200);
    assert_eq!((&now["price"], now["version"].as_u64()), (&won[0].json()["price"], Some(2)));

    // without a condition all are done, one after the other, and none is lost
    let unconditional = bodies.iter().map(|body| admin.changes(&id, body));
    let mut versions: Vec<u64> = join_all(unconditional)
        .await
        .iter()
        .map(|answer| answer.expect(200)["version"].as_u64().expect("a version"))
        .collect();
    versions.sort_unstable();
    versions.dedup();
    let last = admin.reads(&id).await.expect(200)["version"].as_u64().expect("a version");
    assert_eq!(versions.last(), Some(&last));
    assert!(versions.len() >= 19, "each price but the present one is a change: {versions:?}");
    finish(shop).await;
}

async fn a_repeated_request_is_answered_with_the_same_bytes(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let admin = shop.admin().await;
    let (_, other_admin) = shop.person("admin").await;
    let key = unique("key");
    let body = teapot();
    let create = |who: &Client, body: &Value| {
        let request = who.request(Method::POST, "/api/products").header("idempotency-key", &key);
        let (who, request) = (who.clone(), request.json(body));
        async move { who.send(request).await }
    };
    let first = create(&admin, &body).await;
    let id = first.expect(201)["id"].clone();
    // also when the product has changed since
    admin.changes(id.as_str().expect("id"), &json!({ "price": "1.00" })).await.expect(200);
    for _ in 0..3 {
        let again = create(&admin, &body).await;
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.etag(), first.etag());
    }
    let mut other = body.clone();
    other["price"] = json!("1.23");
    assert_eq!(create(&admin, &other).await.refused(422), "idempotency_key_reused");
    // a key is its sender's own
    assert_eq!(create(&other_admin, &body).await.refused(409), "sku_taken");
    for bad in [" ", "a b", &"x".repeat(256)] {
        let request = admin.request(Method::POST, "/api/products").header("idempotency-key", bad);
        admin.send(request.json(&teapot())).await.refused(400);
    }

    // at once: one is made, the others hear the same or that it is on its way
    let (key, body) = (unique("key"), teapot());
    let request = || {
        let request = admin.request(Method::POST, "/api/products").header("idempotency-key", &key);
        admin.send(request.json(&body))
    };
    let answers = join_all((0..10).map(|_| request())).await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!made.is_empty());
    assert!(made.iter().all(|answer| answer.body == made[0].body), "different answers to one key");
    let rest = answers.iter().filter(|answer| answer.status != 201);
    for answer in rest {
        assert_eq!(answer.refused(409), "idempotency_key_in_flight");
    }
    let found = admin
        .lists_all("/api/products", &format!("q={}", body["sku"].as_str().expect("sku")))
        .await;
    assert_eq!(found.len(), 1);
    finish(shop).await;
}

async fn a_sku_is_taken_once(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let admin = shop.admin().await;
    let body = teapot();
    let answers = join_all((0..10).map(|_| admin.creates_product(&body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(answer.refused(409), "sku_taken");
    }
    // a hidden product keeps its SKU, and exactly the same text is the same SKU
    let sku = body["sku"].as_str().expect("sku");
    admin.deletes(sku).await.expect(200);
    assert_eq!(admin.creates_product(&body).await.refused(409), "sku_taken");
    let mut lower = body.clone();
    lower["sku"] = json!(sku.to_lowercase());
    admin.creates_product(&lower).await.expect(201);
    // the same name makes another slug
    let slugs: Vec<String> =
        join_all((0..5).map(|_| async { admin.creates_product(&teapot()).await.field("slug") }))
            .await;
    let distinct: std::collections::BTreeSet<&String> = slugs.iter().collect();
    assert_eq!(distinct.len(), 5, "{slugs:?}");
    finish(shop).await;
}
