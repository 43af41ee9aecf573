//! What the reconciler finds when the books differ, each kind planted.
use souk_proto::orders::v1::place_order_response::Outcome;

use super::desk::{Desk, Person};

super::on_both! { &[];
    money_of_an_ended_order_is_proposed_for_a_refund
    money_of_no_order_at_all_is_found
    goods_that_nobody_paid_for_are_found
    an_open_authorisation_of_an_ended_order_is_voided
    another_amount_is_found
    books_that_agree_stay_quiet
}

async fn bought(desk: &Desk, person: &Person) -> String {
    let placed = desk.buy(person, "").await;
    assert_eq!(placed.outcome(), Outcome::Confirmed, "{placed:?}");
    placed.order.unwrap().id
}

/// Makes the order's row or payment something else.
async fn set(desk: &Desk, table: &str, what: &str, order: &str) {
    if table == "orders" {
        // ids are stored as bytes: the newest order is meant
        desk.tamper(&format!(
            "UPDATE orders SET {what} WHERE created_at = (SELECT MAX(created_at) FROM orders)"
        ))
        .await;
    } else {
        desk.tamper(&format!("UPDATE {table} SET {what} WHERE order_id = '{order}'")).await;
    }
}

async fn money_of_an_ended_order_is_proposed_for_a_refund(desk: &Desk) {
    let ada = desk.person(&[]);
    let order = bought(desk, &ada).await;
    set(desk, "orders", "state = 'cancelled'", &order).await;
    let found = desk.difference(&order, "captured_without_order", true).await;
    assert_eq!(found.action, "proposed_refund");
    assert!(found.detail.contains("cancelled"), "{}", found.detail);
    assert!(found.reference.starts_with("pay_"));
    // somebody gives the money back with the provider
    set(desk, "test_payment", "refunded = captured", &order).await;
    desk.difference(&order, "captured_without_order", false).await;
}

async fn money_of_no_order_at_all_is_found(desk: &Desk) {
    let ada = desk.person(&[]);
    let order = bought(desk, &ada).await;
    let stranger = souk_values::OrderId::new().to_string();
    set(desk, "test_payment", &format!("order_id = '{stranger}'"), &order).await;
    let found = desk.difference(&stranger, "captured_without_order", true).await;
    assert_eq!(found.action, "proposed_refund");
    // and the order has lost its payment
    let lost = desk.difference(&order, "amount_differs", true).await;
    assert_eq!(lost.action, "alarm");
}

async fn goods_that_nobody_paid_for_are_found(desk: &Desk) {
    let ada = desk.person(&[]);
    let order = bought(desk, &ada).await;
    set(desk, "test_payment", "state = 'authorised', captured = 0", &order).await;
    let found = desk.difference(&order, "confirmed_without_capture", true).await;
    assert_eq!(found.action, "alarm");
    let gone = bought(desk, &ada).await;
    desk.tamper(&format!("DELETE FROM test_payment WHERE order_id = '{gone}'")).await;
    let found = desk.difference(&gone, "confirmed_without_capture", true).await;
    assert_eq!(found.action, "alarm");
}

async fn an_open_authorisation_of_an_ended_order_is_voided(desk: &Desk) {
    let ada = desk.person(&[]);
    let order = bought(desk, &ada).await;
    set(desk, "orders", "state = 'expired'", &order).await;
    set(desk, "test_payment", "state = 'authorised', captured = 0", &order).await;
    let found = desk.difference(&order, "open_authorisation", false).await;
    assert_eq!(found.action, "repaired");
    let theirs =
        desk.rows(&format!("SELECT state FROM test_payment WHERE order_id = '{order}'")).await;
    assert_eq!(theirs[0]["state"], "voided");
}

async fn another_amount_is_found(desk: &Desk) {
    let ada = desk.person(&[]);
    let order = bought(desk, &ada).await;
    set(desk, "test_payment", "amount = amount + 1", &order).await;
    let found = desk.difference(&order, "amount_differs", true).await;
    assert_eq!(found.action, "alarm");
    set(desk, "test_payment", "amount = amount - 1", &order).await;
    desk.difference(&order, "amount_differs", false).await;
}

async fn books_that_agree_stay_quiet(desk: &Desk) {
    let ada = desk.person(&[]);
    for number in ["", "4242424242424242", "4000000000000002", "4000002500003155"] {
        desk.buy(&ada, number).await;
    }
    // a round has passed when a planted difference was found
    let order = bought(desk, &ada).await;
    set(desk, "test_payment", "amount = amount + 1", &order).await;
    desk.difference(&order, "amount_differs", true).await;
    assert_eq!(desk.differences().await.len(), 1);
}
