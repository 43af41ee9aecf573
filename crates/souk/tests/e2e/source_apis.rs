//! The requests of the source systems work as they stand (`features.md` 1.6 and 1.7).
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, journeys};

use crate::{finish, plan, unique};

journeys!(
    requests_of_the_first_source_work_for_products,
    requests_of_the_second_source_work_for_products,
    requests_of_the_second_source_work_for_users,
);

async fn requests_of_the_first_source_work_for_products(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let (user, _) = shop.person("admin").await;
    let login = json!({ "username": user["username"], "password": souk_testkit::shop::PASSWORD });
    let anonymous = shop.anonymous();
    let token = anonymous.post("/api/auth/login", &login).await.field("access_token");
    let admin = anonymous.with_token(&token);

    let body = json!({ "name": "Lamp", "price": 24.5, "description": "Bright.", "stock": 3 });
    let made = admin.post("/api/products", &body).await.expect(201);
    let id = made["product_id"].as_str().expect("product_id").to_owned();
    assert_eq!(made["id"], *id);
    let path = format!("/api/products/{id}");
    let read = anonymous.get(&path).await.expect(200);
    assert_eq!(read["description"], "Bright.");
    assert_eq!((read["price"].as_str(), read["stock"].as_i64()), (Some("24.50"), Some(3)));
    let listed = anonymous.get("/api/products").await.expect(200);
    let listed = listed["items"].as_array().expect("items");
    assert!(listed.iter().any(|product| product["id"] == *id), "newest first");

    let changed = admin.put(&path, &json!({ "price": 12 })).await.expect(200);
    assert_eq!(
        (changed["price"].as_str(), changed["name"].as_str()),
        (Some("12.00"), Some("Lamp"))
    );
    admin.put(&path, &json!({})).await.refused(422);
    let missing = admin.post("/api/products", &json!({ "stock": 1 })).await;
    missing.refused(422);
    let mut fields = missing.broken_fields();
    fields.sort();
    assert_eq!(fields, ["name", "price"]);

    admin.delete(&path).await.expect(200);
    assert_eq!(anonymous.get(&path).await.refused(404), "product_not_found");
    assert_eq!(admin.delete("/api/products/999").await.refused(404), "product_not_found");
    let wrong = json!({ "username": user["username"], "password": "not the pass phrase" });
    anonymous.post("/api/auth/login", &wrong).await.refused(401);
    finish(shop).await;
}

async fn requests_of_the_second_source_work_for_products(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let (user, _) = shop.person("admin").await;
    let login = json!({ "email": user["email"], "password": souk_testkit::shop::PASSWORD });
    let anonymous = shop.anonymous();
    let token = anonymous.post("/users/login", &login).await.field("Token");
    let admin = anonymous.with_token(&token);

    let sku = unique("sku");
    let body = json!({ "sku": sku, "name": "Phone", "price": 150, "mark": "Nokia", "quantity": 4 });
    let made = admin.post("/api/products", &body).await.expect(201);
    assert_eq!((made["brand"].as_str(), made["stock"].as_i64()), (Some("Nokia"), Some(4)));
    assert_eq!(made["price"], "150.00");
    let path = format!("/api/products/{sku}/");
    assert_eq!(anonymous.get(&path).await.expect(200)["name"], "Phone");
    let fields = [
        (json!({ "name": "Phone 2" }), "name", json!("Phone 2")),
        (json!({ "price": 160 }), "price", json!("160.00")),
        (json!({ "mark": "Fairphone" }), "brand", json!("Fairphone")),
        (json!({ "company": "Shiftphone" }), "brand", json!("Shiftphone")),
        (json!({ "quantity": 9 }), "stock", json!(9)),
    ];
    for (body, field, value) in fields {
        assert_eq!(admin.put(&path, &body).await.expect(200)[field], value, "{body}");
    }
    let now = anonymous.get(&path).await.expect(200);
    assert_eq!(now["version"], 6);
    // what is wrong is called as the client called it
    let wrong = json!({ "mark": 5, "quantity": "9" });
    let refused = admin.put(&path, &wrong).await;
    refused.refused(422);
    let mut named = refused.broken_fields();
    named.sort();
    assert_eq!(named, ["mark", "quantity"]);
    let twice = admin.post("/api/products", &body_of(&sku)).await;
    assert_eq!(twice.refused(409), "sku_taken");
    assert_eq!(admin.delete(&path).await.expect(200)["active"], false);
    anonymous.get(&path).await.refused(404);
    let listed = anonymous.lists_all("/api/products", "").await;
    assert!(listed.iter().all(|product| product["sku"] != *sku), "hidden products are not listed");
    finish(shop).await;
}

fn body_of(sku: &str) -> Value {
    json!({ "sku": sku, "name": "Other", "price": 1, "mark": "X", "quantity": 1 })
}

async fn requests_of_the_second_source_work_for_users(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let name = unique("u");
    let email = format!("{name}@people.test");
    let password = "hunter2 and seven more";
    let body = json!({
        "fullname": "Grace Probe", "username": name, "password": password, "email": email, "rol": 1,
    });
    let made = admin.post("/api/users", &body).await;
    let user = made.expect(201);
    let id = user["id"].as_str().expect("id").to_owned();
    assert_eq!(
        (user["full_name"].as_str(), user["role"].as_str()),
        (Some("Grace Probe"), Some("admin"))
    );
    let path = format!("/api/users/{id}/");
    let (one, all) = (admin.get(&path).await, admin.get("/api/users").await);
    assert_eq!(one.expect(200)["username"], *name);
    all.expect(200);
    let login = json!({ "email": email, "password": password });
    let entered = anonymous.post("/users/login", &login).await;
    let token = entered.field("Token");
    for answer in [&made, &one, &all, &entered] {
        let text = answer.text();
        assert!(!text.contains(password) && !text.contains("argon2"), "{}", answer.request);
        assert!(!text.contains("\"password\""), "{}", answer.request);
    }
    anonymous.with_token(&token).get("/api/users").await.expect(200);

    let changed = admin.put(&path, &json!({ "fullname": "Grace P." })).await.expect(200);
    assert_eq!(
        (changed["full_name"].as_str(), changed["email"].as_str()),
        (Some("Grace P."), Some(&*email))
    );
    assert_eq!(admin.put(&path, &json!({ "rol": 2 })).await.expect(200)["role"], "customer");
    let refused = admin.put(&path, &json!({ "rol": "7", "fullname": 1 })).await;
    refused.refused(422);
    let mut named = refused.broken_fields();
    named.sort();
    assert_eq!(named, ["fullname", "rol"]);
    let other = "another long pass phrase";
    admin.put(&path, &json!({ "password": other })).await.expect(200);
    anonymous.post("/users/login", &login).await.refused(401);
    let login = json!({ "email": email, "password": other });
    anonymous.post("/users/login", &login).await.expect(200);
    assert_eq!(admin.delete(&path).await.expect(200)["active"], false);
    anonymous.post("/users/login", &login).await.refused(401);
    let active = admin.lists_all("/api/users", "").await;
    assert!(active.iter().all(|user| user["id"] != *id), "closed accounts are not listed");
    assert_eq!(admin.get("/api/users/unknown/").await.refused(404), "user_not_found");
    let twice = admin.post("/api/users", &body).await;
    assert!(["email_taken", "username_taken"].contains(&twice.refused(409).as_str()));
    let nothing =
        anonymous.send(anonymous.request(Method::POST, "/users/login").json(&json!({}))).await;
    nothing.refused(422);
    finish(shop).await;
}
