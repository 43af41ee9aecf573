//! What a buyer, or the shop's staff, should not send: the right status and code, nothing changed.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, eventually, journeys};

use crate::buying::{address, becomes, card, kettle, stock};
use crate::{SOON, finish, plan};

journeys!(
    wrong_steps_are_refused_and_change_nothing,
    what_no_cart_or_order_should_be_sent_is_refused,
);

async fn wrong_steps_are_refused_and_change_nothing(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let ada = shop.customer().await;
    let product = kettle(&admin, 9).await;
    ada.post("/api/cart", &json!({ "product_id": product })).await.expect(200);
    let token = card(&ada, "4000002500003155").await;
    let waiting = ada.post("/api/orders", &json!({ "payment_method": token })).await;
    waiting.expect(202);
    let unpaid = format!("/api/admin/orders/{}", waiting.field("id"));
    let ship = json!({ "carrier": "DHL" });
    assert_eq!(admin.post(&format!("{unpaid}/ship"), &ship).await.refused(409), "not_paid");
    for word in ["deliver", "refunds"] {
        admin
            .post(&format!("{unpaid}/{word}"), &json!({ "reason": "x" }))
            .await
            .status_in(&[409, 422]);
    }
    // the buyer changes their mind: nothing was taken
    let path = format!("/api/orders/{}", waiting.field("id"));
    ada.post(&format!("{path}/cancel"), &json!({ "reason": "no" })).await.expect(200);
    becomes(&ada, &path, "status", json!("cancelled")).await;

    ada.put(&format!("/api/cart/{product}"), &json!({ "quantity": 2 })).await.expect(200);
    let placed = ada.post("/api/orders", &json!({})).await;
    placed.expect(201);
    let desk = format!("/api/admin/orders/{}", placed.field("id"));
    let etag = admin.get(&desk).await;
    let stale = admin.request(Method::POST, &format!("{desk}/ship")).header("if-match", "\"99\"");
    assert_eq!(admin.send(stale.json(&ship)).await.refused(412), "stale_version");
    let fresh =
        admin.request(Method::POST, &format!("{desk}/ship")).header("if-match", etag.etag());
    admin.send(fresh.json(&ship)).await.expect(200);
    let cancel = admin.post(&format!("{desk}/cancel"), &json!({ "reason": "late" })).await;
    assert_eq!(cancel.refused(409), "not_cancellable");

    // one that is paid and not shipped goes back whole
    ada.put(&format!("/api/cart/{product}"), &json!({ "quantity": 3 })).await.expect(200);
    let placed = ada.post("/api/orders", &json!({})).await;
    placed.expect(201);
    let path = format!("/api/orders/{}", placed.field("id"));
    ada.post(&format!("{path}/cancel"), &json!({})).await.expect(200);
    becomes(&ada, &path, "status", json!("refunded")).await;
    eventually("7 are there: 9 less the 2 shipped", SOON, || async {
        let now = stock(&shop.anonymous(), &product).await;
        if now == 7 { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    finish(shop).await;
}

async fn what_no_cart_or_order_should_be_sent_is_refused(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let admin = shop.admin().await;
    let ada = shop.customer().await;
    let product = kettle(&admin, 9).await;
    let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
    for quantity in
        [json!(0), json!(-1), json!(1.5), number("1000000000"), json!("1"), json!(null), json!([])]
    {
        let body = json!({ "product_id": product, "quantity": quantity });
        let refused = ada.post("/api/cart", &body).await;
        assert_eq!(refused.refused(422), "invalid_fields", "{body}");
        assert_eq!(refused.broken_fields(), ["quantity"], "{body}");
    }
    ada.post("/api/cart", &json!({})).await.refused(422);
    ada.post("/api/cart", &json!({ "product_id": product, "colour": "red" })).await.refused(422);
    let hidden = kettle(&admin, 1).await;
    admin.deletes(&hidden).await.expect(200);
    for unknown in ["999", "prd_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1", &hidden] {
        let refused = ada.post("/api/cart", &json!({ "product_id": unknown })).await;
        assert_eq!(refused.refused(404), "product_not_found", "{unknown}");
    }
    let yen = json!({ "name": "Sake", "price": "900", "currency": "JPY", "stock": 5 });
    let yen = admin.post("/api/products", &yen).await.field("id");
    ada.post("/api/cart", &json!({ "product_id": product })).await.expect(200);
    let mixed = ada.post("/api/cart", &json!({ "product_id": yen })).await;
    assert_eq!(mixed.refused(409), "currency_mismatch");

    let before = (ada.get("/api/cart").await.expect(200), ada.lists_all("/api/orders", "").await);
    let long = "x".repeat(100_000);
    let with = |field: &str, value: &str| {
        let mut whole = address();
        whole[field] = json!(value);
        json!({ "shipping_address": whole })
    };
    let bad = [
        with("line1", &long),
        with("country", "XX"),
        with("country", "Germany"),
        with("name", ""),
        with("line1", "4242 4242 4242 4242"),
        json!({ "note": "my card is 4242-4242-4242-4242" }),
        json!({ "coupon": "4242424242424242" }),
        json!({ "note": "x".repeat(1_001) }),
        json!({ "shipping_method": "by-balloon" }),
        json!({ "payment_method": 5 }),
        json!({ "total": "0.01" }),
        json!({ "cart_version": -1 }),
    ];
    for body in bad {
        let refused = ada.post("/api/orders", &body).await;
        refused.refused(422);
        assert!(!refused.text().contains("4242424242424242"), "{}", refused.text());
    }
    let other = card(&shop.customer().await, "4242424242424242").await;
    for method in [other.as_str(), "pm_made_up"] {
        let refused = ada.post("/api/orders", &json!({ "payment_method": method })).await;
        refused.refused(422);
        assert_eq!(refused.broken_fields(), ["payment_method"]);
    }
    ada.post("/api/orders", &json!({ "coupon": "NOSUCH" })).await.status_in(&[409, 422]);
    let old = ada.post("/api/orders", &json!({ "cart_version": 0 })).await;
    assert_eq!(old.refused(409), "cart_changed");
    for number in ["4242424242424241", "4242", "", "4242 4242 4242 4242 4242", "abc"] {
        let body = json!({ "number": number, "exp_month": 13, "exp_year": 2001, "cvc": "1" });
        let refused = ada.post("/api/payment-methods", &body).await;
        refused.refused(422);
        let fields = refused.broken_fields();
        assert!(
            ["number", "exp_month", "cvc"].iter().all(|f| fields.iter().any(|b| b == f)),
            "{fields:?}"
        );
    }
    let forged = ada.post("/api/webhooks/payments/test", &json!({ "id": "evt_1" })).await;
    assert_eq!(forged.refused(401), "bad_signature");
    let after = (ada.get("/api/cart").await.expect(200), ada.lists_all("/api/orders", "").await);
    assert_eq!(before, after, "nothing changed");
    finish(shop).await;
}
