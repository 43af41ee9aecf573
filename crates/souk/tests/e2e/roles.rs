//! Everybody reads; only admins write, and only they see what is theirs.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, eventually, journeys};

use crate::{SOON, finish, plan, state, teapot};

journeys!(
    everybody_reads_and_only_admins_write,
    nobody_raises_himself,
    a_role_that_was_taken_away_is_gone_at_once,
);

/// Requests that only admins may make: method, path (`{id}` is a product), body.
fn writes() -> Vec<(Method, &'static str, Value)> {
    let change = json!({ "price": "1.00" });
    vec![
        (Method::POST, "/api/products", json!({ "name": "X", "price": 1 })),
        (Method::PUT, "/api/products/{id}", change.clone()),
        (Method::PATCH, "/api/products/{id}", change.clone()),
        (Method::DELETE, "/api/products/{id}", Value::Null),
        (Method::POST, "/api/products/{id}/restore", Value::Null),
        (Method::POST, "/api/products/{id}/images", Value::Null),
        (Method::POST, "/api/admin/products/bulk", json!({ "items": [change] })),
        (Method::POST, "/api/admin/products/import", Value::Null),
        (Method::GET, "/api/admin/products/export", Value::Null),
        (Method::POST, "/api/categories", json!({ "path": "x" })),
        (Method::DELETE, "/api/categories/x", Value::Null),
        (Method::GET, "/api/users", Value::Null),
        (Method::POST, "/api/users", json!({ "username": "evil" })),
        (Method::GET, "/api/users/usr_x", Value::Null),
        (Method::PUT, "/api/users/usr_x", json!({ "rol": 1 })),
        (Method::DELETE, "/api/users/usr_x", Value::Null),
        (Method::GET, "/api/roles", Value::Null),
        (Method::GET, "/api/admin/roles", Value::Null),
        (Method::GET, "/api/admin/roles/admin", Value::Null),
        (Method::POST, "/api/admin/roles", json!({ "name": "evil", "permissions": [] })),
        (Method::PUT, "/api/admin/roles/customer", json!({ "permissions": ["users.write"] })),
        (Method::DELETE, "/api/admin/roles/customer", Value::Null),
        (Method::GET, "/api/admin/permissions", Value::Null),
        (Method::GET, "/api/users/usr_x/api-keys", Value::Null),
        (Method::DELETE, "/api/users/usr_x/api-keys/key_x", Value::Null),
        (Method::DELETE, "/api/users/usr_x/second-factor", Value::Null),
        (Method::GET, "/api/admin/blocks", Value::Null),
        (Method::POST, "/api/admin/blocks", json!({ "user_id": "usr_x", "reason": "x" })),
        (Method::DELETE, "/api/admin/blocks/x", Value::Null),
        (Method::POST, "/api/admin/users/actions", json!({ "action": "delete_inactive" })),
        (Method::GET, "/api/admin/stats/products/{id}", Value::Null),
        (Method::GET, "/api/admin/stats/top", Value::Null),
        (Method::GET, "/api/admin/stats/totals", Value::Null),
        (Method::GET, "/api/admin/notifications", Value::Null),
        (Method::GET, "/api/admin/notifications/counts", Value::Null),
        (Method::GET, "/api/admin/letters/x", Value::Null),
        (Method::GET, "/api/admin/jobs", Value::Null),
        (Method::GET, "/api/admin/jobs/x", Value::Null),
        (Method::GET, "/api/admin/jobs/x/results", Value::Null),
        (Method::DELETE, "/api/admin/jobs/x", Value::Null),
        (Method::GET, "/api/admin/dead-letters", Value::Null),
        (Method::GET, "/api/admin/dead-letters/x", Value::Null),
        (Method::POST, "/api/admin/dead-letters/x/replay", Value::Null),
        (Method::DELETE, "/api/admin/dead-letters/x", Value::Null),
        (Method::GET, "/api/admin/events", Value::Null),
    ]
}

async fn everybody_reads_and_only_admins_write(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, customer, anonymous) =
        (shop.admin().await, shop.customer().await, shop.anonymous());
    let id = admin.creates_product(&teapot()).await.field("id");
    let before = state(&admin, &id).await;
    for who in [&anonymous, &customer, &admin] {
        who.get("/api/products").await.expect(200);
        who.reads(&id).await.expect(200);
        who.get("/api/categories").await.expect(200);
    }
    for (who, status) in [(&anonymous, 401), (&customer, 403)] {
        for (method, path, body) in writes() {
            let mut request = who.request(method, &path.replace("{id}", &id));
            if !body.is_null() {
                request = request.json(&body);
            }
            let code = who.send(request).await.refused(status);
            assert!(["unauthenticated", "forbidden"].contains(&code.as_str()), "{path}: {code}");
        }
    }
    assert_eq!(state(&admin, &id).await, before, "a refused request changed something");

    // hidden products are for admins
    admin.deletes(&id).await.expect(200);
    for who in [&anonymous, &customer] {
        who.reads(&id).await.refused(404);
        who.get(&format!("/api/products/{id}?include_hidden=true")).await.refused(404);
        for query in ["include_hidden=true", "active=false"] {
            let items = who.lists_all("/api/products", query).await;
            assert!(
                items.iter().all(|product| product["id"] != *id),
                "{query} shows hidden products"
            );
        }
    }
    let hidden = admin.get(&format!("/api/products/{id}?include_hidden=true")).await.expect(200);
    assert_eq!(hidden["active"], false);
    let items = admin.lists_all("/api/products", "active=false").await;
    assert!(items.iter().any(|product| product["id"] == *id));
    finish(shop).await;
}

async fn nobody_raises_himself(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let (user, customer) = shop.person("customer").await;
    for field in ["role", "rol", "active", "password", "permissions", "version"] {
        let mut body = json!({ "full_name": "Eve" });
        body[field] = json!(if field == "rol" { json!(1) } else { json!("admin") });
        let answer = customer.put("/api/me", &body).await;
        answer.refused(422);
        assert!(answer.broken_fields().contains(&field.to_owned()), "{field}: {}", answer.text());
    }
    let me = customer.get("/api/me").await.expect(200);
    let fields = ["role", "full_name", "version"];
    fields.iter().for_each(|field| assert_eq!(me[*field], user[*field], "{field}"));
    // whoever is an admin already keeps one: the last one stays
    let own = admin.get("/api/me").await.field("id");
    let path = format!("/api/users/{own}");
    assert_eq!(admin.put(&path, &json!({ "rol": 2 })).await.refused(409), "last_admin");
    assert_eq!(admin.delete(&path).await.refused(409), "last_admin");
    anonymous.get("/api/me").await.refused(401);
    finish(shop).await;
}

async fn a_role_that_was_taken_away_is_gone_at_once(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let id = admin.creates_product(&teapot()).await.field("id");
    for change in [json!({ "role": "customer" }), json!({ "active": false })] {
        let (user, former) = shop.person("admin").await;
        former.changes(&id, &json!({ "stock": 1 })).await.expect(200);
        let path = format!("/api/users/{}", user["id"].as_str().expect("id"));
        admin.put(&path, &change).await.expect(200);
        eventually("the old token is refused", SOON, || async {
            let answer = former.get("/api/admin/events").await;
            if answer.status == 401 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
        let before = state(&admin, &id).await;
        former.changes(&id, &json!({ "price": "0.01" })).await.refused(401);
        assert_eq!(state(&admin, &id).await, before);
    }
    finish(shop).await;
}
