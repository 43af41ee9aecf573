//! All that is kept of somebody: given to them as a file, and taken away everywhere. What is
//! searched for is searched for in the files of SQLite as they lie on the disk, and in every row of
//! every table on the server.
use std::collections::BTreeSet;

use http::Method;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use souk_testkit::shop::PASSWORD;
use souk_testkit::{Backend, Client, Shop, ShopPlan, eventually, journeys};

use crate::buying::{address, becomes, card, kettle};
use crate::letters::{letter, with_mail};
use crate::{SOON, finish, plan, unique};

journeys!(
    somebody_takes_their_data_and_goes_and_no_name_is_left,
    somebody_changes_their_mind_and_stays,
);

const SERVICES: [&str; 5] = ["accounts", "analytics", "catalog", "notifier", "orders"];

fn soon_erased(backend: Backend) -> ShopPlan {
    with_mail(plan(backend), backend)
        .set("accounts.personal_data.erasure_delay_s", 0)
        .set("accounts.personal_data.recheck_s", 1)
        .set("accounts.personal_data.second_look_s", 1)
}

/// Somebody whose every trace has a word of its own.
struct Somebody {
    id: String,
    /// In lower case: names, streets, addresses are found by it however they are written.
    traces: Vec<String>,
    email: String,
    street: String,
    client: Client,
}

async fn somebody(shop: &Shop, admin: &Client) -> Somebody {
    let random = unique("x").replace("x-", "");
    let (name, family) = (format!("zoe{random}"), format!("Quittenbaum{random}"));
    let (email, street) = (format!("mail{random}@people.test"), format!("Hagebuttenweg{random}"));
    let body = json!({
        "username": name, "email": email, "full_name": format!("Zoe {family}"),
        "password": PASSWORD, "role": "customer",
    });
    let id = admin.post("/api/users", &body).await.field("id");
    let client = shop.log_in(&email, PASSWORD).await;
    let traces = vec![name, family.to_lowercase(), email.clone(), street.to_lowercase()];
    Somebody { id, traces, email, street, client }
}

impl Somebody {
    /// Lives here: an address book, a card, an order with a note, views.
    async fn leaves_traces(&self, product: &str) -> (String, String) {
        let me = &self.client;
        let mut home = address();
        home["line1"] = json!(format!("{} 5", self.street));
        me.post("/api/me/addresses", &home).await.expect(201);
        let token = card(me, "4242424242424242").await;
        for _ in 0..3 {
            me.get(&format!("/api/products/{product}")).await.expect(200);
        }
        me.post("/api/cart", &json!({ "product_id": product, "quantity": 2 })).await.expect(200);
        let body = json!({
            "shipping_address": home, "payment_method": token,
            "note": format!("ring at {}", self.traces[1]),
        });
        let order = me.post("/api/orders", &body).await;
        let made = order.expect(201);
        me.post("/api/cart", &json!({ "product_id": product })).await.expect(200);
        (order.field("id"), made["number"].as_str().expect("number").to_owned())
    }

    /// The places in which any trace of them lies.
    async fn found(&self, shop: &Shop) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (place, text) in everything(shop).await {
            for trace in self.traces.iter().filter(|trace| text.contains(trace.as_str())) {
                found.insert(format!("{place}: {trace}"));
            }
        }
        found
    }
}

/// Everything that is kept, by place, in lower case.
async fn everything(shop: &Shop) -> Vec<(String, String)> {
    let mut places = Vec::new();
    let lower = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
    for service in SERVICES {
        let db = shop.house(service).database(service).expect("a database");
        if !db.is_postgres() {
            continue;
        }
        for table in column(&db, TABLES).await {
            let rows =
                column(&db, &format!("SELECT row_to_json(t)::text FROM \"{table}\" t")).await;
            places.push((format!("{service}.{table}"), rows.join("\n").to_lowercase()));
        }
    }
    // files of databases with their logs, of the bus, letters in the folder, whatever else
    let mut folders = vec![shop.store().data_dir()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                places.push((name, lower(&bytes)));
            }
        }
    }
    places
}

const TABLES: &str =
    "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";

async fn column(db: &souk_storage::Database, sql: &str) -> Vec<String> {
    let connection = db.write();
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("rows");
    let text = |row: sea_orm::QueryResult| row.try_get_by_index::<Option<String>>(0).expect("text");
    rows.into_iter().filter_map(text).collect()
}

/// What is told of sales and views of the product.
async fn figures(admin: &Client, product: &str) -> [Value; 3] {
    let sales = admin.get(&format!("/api/admin/stats/sales?product={product}")).await.expect(200);
    let views = admin.get(&format!("/api/admin/stats/products/{product}")).await.expect(200);
    let totals = admin.get("/api/admin/stats/totals").await.expect(200);
    [sales, views, totals]
}

async fn verified(shop: &Shop) {
    for service in SERVICES {
        let audit = shop.house(service).audit(service).expect("an audit");
        audit.seal().await.expect("sealed");
        let verdict = audit.verify().await.expect("read");
        assert_eq!(verdict.breaches, Vec::new(), "{service}");
    }
}

async fn somebody_takes_their_data_and_goes_and_no_name_is_left(backend: Backend) {
    let shop = soon_erased(backend).open().await;
    let admin = shop.admin().await;
    let product = kettle(&admin, 10).await;
    let zoe = somebody(&shop, &admin).await;
    let (order, number) = zoe.leaves_traces(&product).await;
    let desk = format!("/api/admin/orders/{order}");
    let note = json!({ "text": format!("{} called, wants it soon", zoe.traces[1]) });
    admin.post(&format!("{desk}/notes"), &note).await.expect(201);
    letter(&shop, &zoe.email, "Order confirmed").await;

    // the file
    let asked = zoe.client.send(zoe.client.request(Method::POST, "/api/me/export")).await;
    assert!(
        ["waiting", "running"].contains(&asked.expect(202)["status"].as_str().expect("status"))
    );
    let ready = becomes(&zoe.client, "/api/me/export", "status", json!("ready")).await;
    assert_eq!(ready["link"], "/api/me/export/file");
    let file = zoe.client.get("/api/me/export/file").await;
    let data = file.expect(200);
    assert!(file.header("content-disposition").contains("personal-data.json"));
    assert_eq!(file.header("cache-control"), "no-store");
    let services = &data["services"];
    assert_eq!(services["accounts"]["account"][0]["email"], zoe.email.as_str());
    assert_eq!(services["orders"]["orders"][0]["number"], number.as_str());
    assert_eq!(services["orders"]["payment_methods"][0]["last4"], "4242");
    assert!(services["orders"]["orders"][0].to_string().contains(&zoe.street));
    assert!(services["orders"]["cart"][0]["lines"].as_array().is_some_and(|l| l.len() == 1));
    let letters = services["notifier"]["letters"].as_array().expect("letters");
    assert!(letters.iter().all(|letter| letter["recipient"] == zoe.email.as_str()), "{letters:?}");
    assert!(!file.text().contains("4242424242424242") && !file.text().contains("argon2"));
    letter(&shop, &zoe.email, "Your data is ready").await;
    let (_, other) = shop.person("customer").await;
    assert_eq!(other.get("/api/me/export/file").await.refused(404), "export_not_found");
    assert_eq!(admin.get("/api/me/export/file").await.refused(404), "export_not_found");
    other.get(&format!("/api/users/{}/export", zoe.id)).await.refused(403);

    // the end: not while the order is open
    let wrong = json!({ "current_password": "not this one" });
    assert_eq!(zoe.client.post("/api/me/erasure", &wrong).await.refused(422), "wrong_password");
    let body = json!({ "current_password": PASSWORD });
    zoe.client.post("/api/me/erasure", &body).await.expect(202);
    let held = becomes(&zoe.client, "/api/me/erasure", "status", json!("held")).await;
    assert_eq!(held["reason"], format!("orders: open_orders {number}"));
    zoe.client.get("/api/me").await.expect(200);
    assert_eq!(zoe.client.post("/api/me/erasure", &body).await.refused(409), "erasure_requested");

    let path = format!("/api/admin/stats/sales?product={product}");
    eventually("the sale is counted", SOON, || async {
        let sales = admin.get(&path).await.expect(200);
        if sales.to_string().contains("80.00") { Ok(()) } else { Err(sales.to_string()) }
    })
    .await;
    eventually("the views are counted", SOON, || async {
        let views = admin.get(&format!("/api/admin/stats/products/{product}")).await.expect(200);
        if views["total_views"] == 3 { Ok(()) } else { Err(views.to_string()) }
    })
    .await;
    let before = figures(&admin, &product).await;
    let total = admin.get(&desk).await.expect(200)["total"].clone();
    // a search that cannot find her would prove nothing later
    let found = zoe.found(&shop).await;
    let finds = |place: &str, trace: usize| {
        let trace = &zoe.traces[trace];
        found.iter().any(|f| f.starts_with(place) && f.ends_with(trace.as_str()))
    };
    for (place, trace) in [("accounts", 0), ("accounts", 2), ("orders", 3), ("notifier", 2)] {
        assert!(finds(place, trace), "{place}, {trace}: {found:#?}");
    }

    let ship = json!({ "carrier": "DHL", "tracking_number": "00340434161094015902" });
    admin.post(&format!("{desk}/ship"), &ship).await.expect(200);
    let gone = format!("/api/users/{}/erasure", zoe.id);
    let done = becomes(&admin, &gone, "status", json!("done")).await;
    assert_eq!(done["user_id"], zoe.id.as_str());

    assert_eq!(zoe.found(&shop).await, BTreeSet::new());
    assert_eq!(figures(&admin, &product).await, before, "figures stay");
    let kept = admin.get(&desk).await.expect(200);
    assert_eq!((&kept["total"], &kept["status"]), (&total, &json!("shipped")));
    assert_eq!(kept["shipping_address"]["country"], "DE");
    verified(&shop).await;
    zoe.client.get("/api/me").await.refused(401);
    let login = json!({ "email": zoe.email, "password": PASSWORD });
    let answer = shop.anonymous().post("/api/auth/login", &login).await;
    assert_eq!(answer.refused(401), "invalid_credentials");
    admin.get(&format!("/api/users/{}", zoe.id)).await.refused(404);
    let job = format!("/api/admin/jobs/{}/results", done["job_id"].as_str().expect("job_id"));
    let results = admin.lists_all(&job, "").await;
    for service in SERVICES {
        assert!(results.iter().any(|result| result["key"] == service), "{service}: {results:?}");
    }
    // her names are free again
    let body = json!({
        "username": zoe.traces[0], "email": zoe.email, "password": PASSWORD, "role": "customer",
    });
    assert_ne!(admin.post("/api/users", &body).await.field("id"), zoe.id);
    finish(shop).await;
}

async fn somebody_changes_their_mind_and_stays(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let admin = shop.admin().await;
    let (user, ada) = shop.person("customer").await;
    let email = user["email"].as_str().expect("email");
    let body = json!({ "current_password": PASSWORD });
    let asked = ada.post("/api/me/erasure", &body).await.expect(202);
    assert_eq!(asked["status"], "waiting");
    letter(&shop, email, "Your account will be erased").await;
    let kept = ada.delete("/api/me/erasure").await.expect(200);
    assert_eq!(kept["status"], "cancelled");
    letter(&shop, email, "Your account stays").await;
    assert_eq!(ada.delete("/api/me/erasure").await.refused(404), "erasure_not_found");
    ada.get("/api/me").await.expect(200);
    // by mail, through an admin; and the last admin goes nowhere
    let id = user["id"].as_str().expect("id");
    let path = format!("/api/users/{id}/erasure");
    let asked = admin.send(admin.request(Method::POST, &path)).await.expect(202);
    assert_eq!(asked["requested_by"], admin.get("/api/me").await.expect(200)["id"]);
    assert_eq!(admin.delete(&path).await.expect(200)["status"], "cancelled");
    finish(shop).await;
}
