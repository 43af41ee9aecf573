//! What nobody should say of accounts, or to the log-in.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, Client, journeys};

use crate::bad_input::refuses;
use crate::{finish, plan};

journeys!(accounts_refuse_bad_fields_too);

async fn accounts_refuse_bad_fields_too(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let (user, customer) = shop.person("customer").await;
    let id = user["id"].as_str().expect("id").to_owned();
    let path = format!("/api/users/{id}");
    let users = |admin: Client| async move {
        let users = admin.lists_all("/api/users", "").await;
        let events = admin.lists_all("/api/admin/events", "service=accounts").await;
        (users, events.len())
    };
    let before = users(admin.clone()).await;
    let all = json!({});
    refuses(&admin, Method::POST, "/api/users", all, &["email", "password", "username"]).await;
    for (field, value) in [
        ("username", json!("a")),
        ("username", json!("x".repeat(33))),
        ("username", json!("a b c")),
        ("username", json!(5)),
        ("email", json!("no address")),
        ("email", json!("a@b\r\nBcc: c@d")),
        ("email", json!(format!("{}@x.test", "x".repeat(400)))),
        ("password", json!("short")),
        ("password", json!("x".repeat(257))),
        ("password", json!(12_345_678)),
        ("rol", json!(0)),
        ("rol", json!("1")),
        ("role", json!("root")),
        ("role", json!(1)),
        ("active", json!("no")),
        ("full_name", json!("x".repeat(201))),
        ("fullname", json!("nul \u{0}")),
        ("is_admin", json!(true)),
        ("id", json!("usr_x")),
        ("version", json!(9)),
    ] {
        let mut body = json!({});
        body[field] = value;
        refuses(&admin, Method::PUT, &path, body, &[field]).await;
    }
    // types and rules at once, under the names that were sent
    let many = json!({
        "username": "a b",
        "email": 5,
        "fullname": "x".repeat(201),
        "rol": 7,
        "colour": "red",
    });
    let named = ["colour", "email", "fullname", "password", "rol", "username"];
    refuses(&admin, Method::POST, "/api/users", many.clone(), &named).await;
    let named = ["colour", "email", "fullname", "rol", "username"];
    refuses(&admin, Method::PATCH, &path, many, &named).await;
    let mine = json!({ "email": "no address", "full_name": 5, "password": "another password" });
    let named = ["email", "full_name", "password"];
    refuses(&customer, Method::PUT, "/api/me", mine.clone(), &named).await;
    refuses(&customer, Method::PATCH, "/api/me", mine, &named).await;
    let stranger = "/api/users/usr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1";
    admin
        .send(admin.request(Method::PUT, stranger).json(&json!({ "email": 5 })))
        .await
        .refused(404);
    let wrong = json!({ "product_notices": "no" });
    refuses(&admin, Method::PUT, "/api/me/preferences", wrong, &["product_notices"]).await;
    let (login, refresh) = ("/api/auth/login", "/api/auth/refresh");
    refuses(&anonymous, Method::POST, login, json!({ "email": 5, "password": "x" }), &["email"])
        .await;
    refuses(&anonymous, Method::POST, refresh, json!({}), &["refresh_token"]).await;
    for token in ["", "x", "e30.e30.", &"x".repeat(9_000), admin.token()] {
        let answer = anonymous.post(refresh, &json!({ "refresh_token": token })).await;
        assert!([401, 422].contains(&answer.status), "{}", answer.text());
    }
    // who is unknown and who mistypes hear the same
    let login = |email: &str| json!({ "email": email, "password": "not the pass phrase" });
    let email = user["email"].as_str().expect("email");
    let answers = [email, "nobody@people.test"].map(login);
    let mut said = Vec::new();
    for body in &answers {
        let answer = anonymous.post("/api/auth/login", body).await;
        let mut problem = answer.expect(401);
        problem["trace_id"] = Value::Null;
        said.push(problem);
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(users(admin.clone()).await, before, "a refused request changed something");
    customer.get("/api/me").await.expect(200);
    finish(shop).await;
}
