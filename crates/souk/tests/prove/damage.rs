//! `souk verify` finds what is planted: a checker that cannot fail is worth nothing.
use std::path::Path;
use std::time::Duration;

use sea_orm::ConnectionTrait;
use serde_json::json;
use souk_storage::{Database, DatabaseSettings};

use crate::buyers::{Buyer, crowd, crowded, stocked, verified};
use crate::house::{Ground, House, PASSWORD, WHOLE};
use crate::process::tied;

/// Damage: what, in whose database, by which statements, and the invariant that names it.
type Damage = (&'static str, &'static str, &'static str, &'static str);

const SOLD: &str = "UPDATE product SET on_hand = on_hand - 1 WHERE id IN \
                    (SELECT product_id FROM stock_ledger WHERE kind = 'sale')";

const DAMAGES: [Damage; 16] = [
    ("units vanish from the shelf", "catalog", SOLD, "I01"),
    (
        "units are reserved for nobody",
        "catalog",
        "UPDATE product SET reserved = reserved + 1, on_hand = on_hand",
        "I01",
    ),
    ("a movement is deleted", "catalog", "DELETE FROM stock_ledger WHERE kind = 'initial'", "I01"),
    (
        "a sale is taken back in the ledger",
        "catalog",
        "DELETE FROM stock_ledger WHERE kind = 'sale'; UPDATE product SET on_hand = \
         (SELECT COALESCE(SUM(quantity), 0) FROM stock_ledger l WHERE l.product_id = product.id)",
        "I02",
    ),
    ("a charge is lost", "orders", "DELETE FROM test_payment WHERE state = 'captured'", "I03"),
    (
        "another amount was charged",
        "orders",
        "UPDATE test_payment SET captured = captured - 1 WHERE state = 'captured'",
        "I03",
    ),
    (
        "a failed order was charged",
        "orders",
        "UPDATE test_payment SET state = 'captured', captured = amount WHERE state = 'declined'",
        "I04",
    ),
    ("a total is not the sum", "orders", "UPDATE orders SET total = total + 1", "I05"),
    (
        "a cart became two orders",
        "orders",
        "DROP INDEX orders_cart_id; UPDATE orders SET cart_version = 1, cart_id = \
         (SELECT cart_id FROM orders ORDER BY id LIMIT 1)",
        "I06",
    ),
    ("a coupon was used unseen", "orders", "UPDATE coupon SET used = used + 1", "I07"),
    (
        "an order went a forbidden way",
        "orders",
        "UPDATE order_history SET to_state = 'delivered' WHERE to_state = 'capturing'",
        "I08",
    ),
    (
        "an event is missing",
        "orders",
        "DELETE FROM outbox_sent WHERE subject LIKE 'order/%' AND version = 2",
        "I10",
    ),
    (
        "a version was never told",
        "orders",
        "DELETE FROM outbox_sent WHERE subject LIKE 'order/%' AND version > 1",
        "I10",
    ),
    (
        "a consumer missed an event",
        "notifier",
        "DELETE FROM inbox WHERE consumer = 'notifier.order.v1'",
        "I11",
    ),
    (
        "somebody was told twice",
        "notifier",
        "DROP INDEX idx_notification_event_id_user_id; INSERT INTO notification \
         SELECT randomblob(16), event_id, user_id, recipient, product_id, kind, reason, letter_id, \
         created_at, order_id FROM notification WHERE letter_id IS NOT NULL LIMIT 1",
        "I12",
    ),
    (
        "a figure is not the sum of its sales",
        "analytics",
        "UPDATE product_day SET units = units + 1",
        "I13",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_damage_is_found_and_named() {
    let mut house = House::whole(crowded(Ground::folder())).await;
    trade(&house).await;
    println!("{}", verified(&house).await);
    house.term(WHOLE);
    assert_eq!(house.stopped(WHOLE, Duration::from_secs(20)).await, Some(0));
    let (found, text) = verdict(&house, &house.data()).await;
    assert!(found.is_empty(), "before any damage: {text}");
    for (what, service, sql, invariant) in DAMAGES {
        let copy = tempfile::tempdir().unwrap();
        copy_all(&house.data(), copy.path());
        let url = format!("sqlite:{}", copy.path().join(format!("{service}.db")).display());
        let settings = DatabaseSettings { url, ..DatabaseSettings::default() };
        let db = Database::open(&settings, Path::new("/nowhere"), service).await.unwrap();
        for statement in ["PRAGMA ignore_check_constraints = ON"].into_iter().chain(sql.split("; "))
        {
            db.write()
                .execute_unprepared(statement)
                .await
                .unwrap_or_else(|e| panic!("{what}: {e}"));
        }
        db.close().await.unwrap();
        let (found, text) = verdict(&house, copy.path()).await;
        assert!(found.iter().any(|name| name == invariant), "{what} is not {invariant}:\n{text}");
        println!("{what}: {}", found.join(", "));
    }
}

/// One order of each kind.
async fn trade(house: &House) {
    let client = &house.client;
    let product = stocked(client, "Kettle", "12.50", 50).await;
    let buyer = crowd(client, 1).await.remove(0);
    let coupon = json!({ "code": "TEN", "kind": "percent", "percent": "10", "total_limit": 9 });
    let (status, answer) = client.order("POST", "/api/admin/coupons", Some(coupon)).await;
    assert_eq!(status, 201, "{answer}");
    let shipped = buys(&buyer, &product, json!({ "coupon": "TEN" }), 201).await;
    let ship = json!({ "carrier": "Post", "tracking_number": "1Z" });
    let path = format!("/api/admin/orders/{shipped}/ship");
    let (status, answer) = client.order("POST", &path, Some(ship)).await;
    assert_eq!(status, 200, "{answer}");
    buys(&buyer, &product, json!({}), 201).await;
    let declined = buyer.card("4000000000000002").await;
    buys(&buyer, &product, json!({ "payment_method": declined }), 402).await;
    assert!(!PASSWORD.is_empty());
}

async fn buys(buyer: &Buyer, product: &str, body: serde_json::Value, expected: u16) -> String {
    buyer.empty_cart().await;
    assert_eq!(buyer.add(product, 2).await.0, 200);
    let (status, order) = buyer.order(Some(body)).await;
    assert_eq!(status, expected, "{order}");
    order["id"].as_str().unwrap_or_default().to_owned()
}

/// Invariants that `souk verify` calls broken, and all that it said.
async fn verdict(house: &House, data: &Path) -> (Vec<String>, String) {
    let mut command = tied(Path::new(env!("CARGO_BIN_EXE_souk")));
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("SOUK_") {
            command.env_remove(key);
        }
    }
    command.args(["verify", "--settle", "2", "--data-dir"]).arg(data);
    command.envs(house.operator_env()).current_dir(data);
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let broken: Vec<String> = text
        .lines()
        .filter(|line| line.contains(" BROKEN "))
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect();
    assert_eq!(output.status.success(), broken.is_empty(), "{text}");
    (broken, text)
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy_all(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
