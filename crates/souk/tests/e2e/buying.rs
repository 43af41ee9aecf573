//! From a look to goods on their way: carts, checkout, payment, orders, returns, letters, figures.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Backend, Client, Shop, eventually, journeys};

use crate::letters::with_mail;
use crate::{SOON, finish, plan, unique};

journeys!(
    a_shopper_goes_from_an_account_to_goods_on_their_way,
    requests_of_the_first_source_work_for_carts_and_orders,
    a_guests_cart_comes_along_at_login,
    a_declined_card_leaves_cart_and_stock_as_before,
    a_payment_waits_for_its_second_step,
    a_product_that_runs_low_is_told_once,
);

/// A product to be bought, with everything a cart shows.
pub(crate) async fn kettle(admin: &Client, stock: u32) -> String {
    let body = json!({
        "sku": unique("KET"), "name": "Kettle", "price": "40.00", "stock": stock,
        "attributes": { "weight_g": "1500" },
    });
    admin.post("/api/products", &body).await.field("id")
}

pub(crate) fn address() -> Value {
    json!({
        "name": "Ada Probe", "line1": "Hauptstr. 5", "city": "Berlin", "postal_code": "10115",
        "country": "DE",
    })
}

/// A payment method of that number.
pub(crate) async fn card(customer: &Client, number: &str) -> String {
    let body = json!({ "number": number, "exp_month": 12, "exp_year": 2039, "cvc": "123" });
    let made = customer.post("/api/payment-methods", &body).await;
    let method = made.expect(201);
    assert!(!made.text().contains(number), "a card number came back");
    assert_eq!(method["last4"], number[number.len() - 4..]);
    made.field("token")
}

/// Units that can be bought, as anybody reads it.
pub(crate) async fn stock(client: &Client, product: &str) -> i64 {
    client.get(&format!("/api/products/{product}")).await.expect(200)["stock"]
        .as_i64()
        .expect("stock")
}

pub(crate) async fn becomes(shop: &Client, path: &str, field: &str, value: Value) -> Value {
    eventually(&format!("{path}: {field} becomes {value}"), SOON, || async {
        let found = shop.get(path).await.expect(200);
        if found[field] == value { Ok(found) } else { Err(found.to_string()) }
    })
    .await
}

/// Waits for the one letter of a kind about an order to somebody.
async fn told(admin: &Client, order: &str, kind: &str, recipient: &str) -> Value {
    let query = format!("order_id={order}");
    eventually(&format!("one letter {kind} of {order} to {recipient}"), SOON * 2, || async {
        let rows = admin.lists_all("/api/admin/notifications", &query).await;
        let fits = |row: &&Value| {
            row["kind"] == kind && row["recipient"] == recipient && row["status"] == "sent"
        };
        match rows.iter().filter(fits).collect::<Vec<_>>().as_slice() {
            [one] => Ok((*one).clone()),
            _ => Err(format!("{rows:?}")),
        }
    })
    .await
}

async fn a_shopper_goes_from_an_account_to_goods_on_their_way(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let admin = shop.admin().await;
    let (user, ada) = shop.person("customer").await;
    let product = kettle(&admin, 10).await;
    opens_for_business(&admin).await;

    // anybody may look, nobody buys without an account
    let anonymous = shop.anonymous();
    anonymous.get(&format!("/api/products/{product}")).await.expect(200);
    anonymous.post("/api/cart", &json!({ "product_id": product })).await.refused(401);
    anonymous.post("/api/orders", &json!({})).await.refused(401);

    let cart = ada.post("/api/cart", &json!({ "product_id": product })).await.expect(200);
    assert_eq!(cart["items"][0]["quantity"], 1);
    let cart = ada.post("/api/cart", &json!({ "product_id": product, "quantity": 2 })).await;
    let cart = cart.expect(200);
    assert_eq!(cart["items"].as_array().map(Vec::len), Some(1), "the same product adds up");
    let line = &cart["items"][0];
    assert_eq!((line["quantity"].as_i64(), line["available"].as_i64()), (Some(3), Some(10)));
    assert_eq!(
        (line["unit_price"].as_str(), line["line_total"].as_str()),
        (Some("40.00"), Some("120.00"))
    );
    assert_eq!((cart["total"].as_str(), cart["currency"].as_str()), (Some("120.00"), Some("EUR")));
    let above = ada.put(&format!("/api/cart/{product}"), &json!({ "quantity": 11 })).await;
    assert_eq!(above.refused(409), "out_of_stock");
    assert_eq!(above.json()["available"], 10);

    // a changed price is marked at the next look, once
    admin.put(&format!("/api/products/{product}"), &json!({ "price": "50.00" })).await.expect(200);
    let stale = ada.post("/api/orders", &json!({ "shipping_address": address() })).await;
    assert_eq!(stale.refused(409), "price_changed", "{}", stale.text());
    let seen = ada.get("/api/cart").await.expect(200);
    assert_eq!(seen["items"][0]["unit_price"], "50.00");

    // 3 × 50 less 10 % = 135, with 19 % in it, shipping 4.90
    let body = json!({ "shipping_address": address(), "coupon": "ten" });
    let quote = ada.post("/api/checkout/quote", &body).await.expect(200);
    assert_eq!(
        ["subtotal", "discount", "shipping", "total"].map(|field| quote[field].as_str()),
        [Some("150.00"), Some("15.00"), Some("4.90"), Some("139.90")],
        "{quote}"
    );
    let typed =
        json!({ "number": "4242424242424242", "exp_month": 12, "exp_year": 2039, "cvc": "123" });
    let key = unique("card");
    let kept = || {
        let request = ada.request(Method::POST, "/api/payment-methods");
        ada.send(request.header("idempotency-key", &key).json(&typed))
    };
    let made = kept().await;
    made.expect(201);
    assert_eq!(kept().await.body, made.body, "the same key, the same card");
    let token = made.field("token");
    let body = json!({
        "shipping_address": address(), "coupon": "TEN", "payment_method": token,
        "note": "ring twice", "cart_version": ada.get("/api/cart").await.expect(200)["version"],
    });
    let key = unique("key");
    let order = || {
        let request = ada.request(Method::POST, "/api/orders").header("idempotency-key", &key);
        ada.send(request.json(&body))
    };
    let placed = order().await;
    let made = placed.expect(201);
    assert_eq!(made["total"], quote["total"], "charged as quoted");
    assert_eq!((made["status"].as_str(), &made["id"]), (Some("confirmed"), &made["order_id"]));
    assert!(made["number"].as_str().is_some_and(|number| number.starts_with("S-")));
    assert_eq!(order().await.body, placed.body, "the same key, the same bytes");
    let id = placed.field("id");
    let path = format!("/api/orders/{id}");

    // at once in the history, the cart is empty, the goods are gone
    let history = ada.get("/api/orders/history").await.expect(200);
    assert_eq!(
        (&history["items"][0]["id"], history["items"][0]["items_count"].as_i64()),
        (&made["id"], Some(3))
    );
    assert_eq!(ada.get("/api/cart").await.expect(200)["items"], json!([]));
    eventually("7 are left", SOON, || async {
        let left = stock(&anonymous, &product).await;
        if left == 7 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    // a later price changes no order
    admin
        .put(&format!("/api/products/{product}"), &json!({ "price": "99.00", "name": "Samovar" }))
        .await
        .expect(200);
    let kept = ada.get(&path).await.expect(200);
    assert_eq!(
        (kept["total"].as_str(), kept["lines"][0]["name"].as_str()),
        (Some("139.90"), Some("Kettle"))
    );
    assert_eq!(ada.get("/api/purchases").await.expect(200)["items"][0]["unit_price"], "50.00");
    let (_, other) = shop.person("customer").await;
    assert_eq!(other.get(&path).await.refused(404), "order_not_found");

    works_on(&shop, &admin, &ada, &id, &product).await;
    let email = user["email"].as_str().expect("email");
    for kind in ["order.confirmed", "order.shipped", "order.refunded"] {
        let row = told(&admin, &id, kind, email).await;
        let letter = row["letter_id"].as_str().expect("letter_id");
        let letter = admin.get(&format!("/api/admin/letters/{letter}")).await.expect(200);
        let number = made["number"].as_str().expect("number");
        assert!(letter["text"].as_str().is_some_and(|text| text.contains(number)), "{letter}");
    }
    sold(&admin, &product).await;
    finish(shop).await;
}

/// Shipping, tax and a coupon, as staff set them up.
async fn opens_for_business(admin: &Client) {
    let method = json!({ "code": "post", "name": "Post", "kind": "flat", "currency": "EUR", "price": "4.90" });
    admin.post("/api/admin/shipping-methods", &method).await.expect(201);
    let settings = json!({ "prices_include_tax": true, "default_country": "DE" });
    admin.put("/api/admin/tax-settings", &settings).await.expect(200);
    let rate = json!({ "country": "DE", "class": "standard", "rate": "19" });
    admin.post("/api/admin/tax-rates", &rate).await.expect(201);
    let coupon = json!({ "code": "TEN", "kind": "percent", "percent": "10", "customer_limit": 1 });
    admin.post("/api/admin/coupons", &coupon).await.expect(201);
    assert_eq!(admin.post("/api/admin/coupons", &coupon).await.status, 409);
}

/// Ships, delivers, refunds one of three and puts it back.
async fn works_on(shop: &Shop, admin: &Client, ada: &Client, id: &str, product: &str) {
    let desk = format!("/api/admin/orders/{id}");
    let ship = json!({ "carrier": "DHL", "tracking_number": "00340434161094015902" });
    ada.post(&format!("{desk}/ship"), &ship).await.refused(403);
    let shipped = admin.post(&format!("{desk}/ship"), &ship).await.expect(200);
    assert_eq!(shipped["status"], "shipped");
    assert!(
        ["already_shipped", "not_paid", "wrong_state"]
            .contains(&admin.post(&format!("{desk}/ship"), &ship).await.refused(409).as_str())
    );
    assert_eq!(
        ada.post(&format!("/api/orders/{id}/cancel"), &json!({})).await.refused(409),
        "not_cancellable"
    );
    admin.post(&format!("{desk}/notes"), &json!({ "text": "asked for a lid" })).await.expect(201);
    let delivered = admin.post(&format!("{desk}/deliver"), &json!({})).await.expect(200);
    assert_eq!(delivered["status"], "delivered");

    let much = json!({ "amount": "1000.00", "reason": "too much" });
    assert_eq!(
        admin.post(&format!("{desk}/refunds"), &much).await.refused(409),
        "refund_too_large"
    );
    let one = json!({
        "lines": [{ "product_id": product, "quantity": 1 }], "reason": "lid missing", "restock": true,
    });
    let refunded = admin.post(&format!("{desk}/refunds"), &one).await;
    assert!([200, 201, 202].contains(&refunded.status), "{}", refunded.text());
    becomes(admin, &desk, "refunded", json!("45.00")).await;
    let anonymous = shop.anonymous();
    eventually("one is back", SOON, || async {
        let left = stock(&anonymous, product).await;
        if left == 8 { Ok(()) } else { Err(left.to_string()) }
    })
    .await;
    let seen = admin.get(&desk).await.expect(200);
    assert_eq!(seen["status"], "delivered", "a part was refunded");
    let timeline = seen["timeline"].as_array().expect("timeline");
    assert!(timeline.iter().any(|entry| entry["text"].as_str().is_some_and(|t| t.contains("lid"))));
    assert!(ada.get(&format!("/api/orders/{id}")).await.expect(200).get("timeline").is_none());
    let moves = admin.lists_all("/api/admin/stock/movements", &format!("order_id={id}")).await;
    let mut kinds: Vec<_> = moves
        .iter()
        .map(|m| (m["kind"].as_str().unwrap_or_default(), m["quantity"].as_i64()))
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("return", Some(1)), ("sale", Some(-3))]);
}

/// Units and money of the product: three sold, one back.
async fn sold(admin: &Client, product: &str) {
    let path = format!("/api/admin/stats/sales?product={product}");
    eventually("the figures", SOON, || async {
        let sales = admin.get(&path).await.expect(200);
        let total = &sales["totals"][0];
        let right = total["units"] == 2 && total["revenue"] == "90.00";
        if right { Ok(()) } else { Err(sales.to_string()) }
    })
    .await;
    let demand = admin.get("/api/admin/stats/demand?limit=100").await.expect(200);
    let items = demand["items"].as_array().expect("items");
    let mine = items.iter().find(|item| item["product_id"] == product).expect("the product");
    assert_eq!(mine["units_sold"], 2, "{mine}");
}

async fn requests_of_the_first_source_work_for_carts_and_orders(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let admin = shop.admin().await;
    let ada = shop.customer().await;
    let lamp = json!({ "name": "Lamp", "price": 24.5, "stock": 30 });
    let lamp = admin.post("/api/products", &lamp).await.field("product_id");
    let cup = json!({ "name": "Cup", "price": "3.10", "stock": 30 });
    let cup = admin.post("/api/products", &cup).await.field("product_id");

    assert_eq!(ada.get("/api/cart").await.expect(200)["items"], json!([]));
    assert_eq!(ada.post("/api/orders", &json!({})).await.refused(409), "cart_empty");
    ada.post("/api/cart", &json!({ "product_id": lamp, "quantity": 1 })).await.expect(200);
    ada.post("/api/cart", &json!({ "product_id": lamp, "quantity": 2 })).await.expect(200);
    ada.post("/api/cart", &json!({ "product_id": cup })).await.expect(200);
    ada.delete(&format!("/api/cart/{cup}")).await.expect(200);
    assert_eq!(ada.delete(&format!("/api/cart/{cup}")).await.refused(404), "item_not_found");
    let no_body = ada.send(ada.request(Method::POST, "/api/orders")).await;
    let order = no_body.expect(201);
    assert_eq!(order["total"], "73.50");
    let details = ada.get(&format!("/api/orders/{}", no_body.field("order_id"))).await.expect(200);
    assert_eq!(details["lines"][0]["quantity"], 3);
    let history = ada.get("/api/orders/history").await.expect(200);
    assert_eq!(history["items"][0]["total"], "73.50");
    assert!(history["items"][0]["date"].is_string());
    for path in ["/api/cart/clear", "/api/cart"] {
        ada.post("/api/cart", &json!({ "product_id": cup })).await.expect(200);
        assert_eq!(ada.delete(path).await.expect(200)["items"], json!([]));
        assert_eq!(ada.delete(path).await.expect(200)["items"], json!([]), "again");
    }
    finish(shop).await;
}

async fn a_guests_cart_comes_along_at_login(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let (user, ada) = shop.person("customer").await;
    let (cup, pot) = (kettle(&admin, 20).await, kettle(&admin, 20).await);
    ada.post("/api/cart", &json!({ "product_id": cup, "quantity": 2 })).await.expect(200);

    let anonymous = shop.anonymous();
    let made = anonymous.send(anonymous.request(Method::POST, "/api/carts")).await;
    made.expect(201);
    let secret = made.field("cart_secret");
    let guest =
        |method: Method, path: &str| anonymous.request(method, path).header("souk-cart", &secret);
    for product in [&cup, &pot] {
        let body = json!({ "product_id": product, "quantity": 3 });
        anonymous.send(guest(Method::POST, "/api/cart").json(&body)).await.expect(200);
    }
    anonymous.send(guest(Method::POST, "/api/orders").json(&json!({}))).await.refused(401);
    let stranger = anonymous.request(Method::GET, "/api/cart").header("souk-cart", "made-up");
    assert_eq!(anonymous.send(stranger).await.refused(404), "cart_not_found");

    let login = json!({ "email": user["email"], "password": souk_testkit::shop::PASSWORD });
    anonymous.send(guest(Method::POST, "/api/auth/login").json(&login)).await.expect(200);
    let cart = ada.get("/api/cart").await.expect(200);
    let quantity = |product: &str| {
        let items = cart["items"].as_array().expect("items");
        items.iter().find(|item| item["product_id"] == product).map(|item| item["quantity"].clone())
    };
    assert_eq!((quantity(&cup), quantity(&pot)), (Some(json!(5)), Some(json!(3))), "{cart}");
    anonymous.send(guest(Method::GET, "/api/cart")).await.refused(404);
    finish(shop).await;
}

async fn a_declined_card_leaves_cart_and_stock_as_before(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let admin = shop.admin().await;
    let (user, ada) = shop.person("customer").await;
    let product = kettle(&admin, 5).await;
    for (number, code) in [
        ("4000000000000002", "card_declined"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000000069", "expired_card"),
    ] {
        ada.put(&format!("/api/cart/{product}"), &json!({ "quantity": 4 })).await.expect(200);
        let token = card(&ada, number).await;
        let declined = ada.post("/api/orders", &json!({ "payment_method": token })).await;
        declined.refused(402);
        assert!(declined.text().contains(code), "{}", declined.text());
        let order = declined.field("order_id");
        let seen = ada.get(&format!("/api/orders/{order}")).await.expect(200);
        assert_eq!(seen["status"], "payment_failed");
        eventually("all five are there again", SOON, || async {
            let left = stock(&shop.anonymous(), &product).await;
            if left == 5 { Ok(()) } else { Err(left.to_string()) }
        })
        .await;
        let cart = ada.get("/api/cart").await.expect(200);
        assert_eq!(cart["items"][0]["quantity"], 4, "the cart is as before: {cart}");
        told(&admin, &order, "order.failed", user["email"].as_str().expect("email")).await;
    }
    let paid = ada.post("/api/orders", &json!({})).await.expect(201);
    assert_eq!(paid["total"], "160.00");
    finish(shop).await;
}

async fn a_payment_waits_for_its_second_step(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let ada = shop.customer().await;
    let product = kettle(&admin, 5).await;
    for (approve, status, left) in [(false, "payment_failed", 5), (true, "confirmed", 3)] {
        ada.put(&format!("/api/cart/{product}"), &json!({ "quantity": 2 })).await.expect(200);
        let token = card(&ada, "4000002500003155").await;
        let waiting = ada.post("/api/orders", &json!({ "payment_method": token })).await;
        let order = waiting.expect(202);
        assert!(order["next_action"].is_object(), "{order}");
        let path = format!("/api/orders/{}", waiting.field("id"));
        assert_eq!(ada.get(&path).await.expect(200)["status"], "awaiting_payment");
        assert_eq!(stock(&shop.anonymous(), &product).await, 3, "held");
        let other = shop.customer().await;
        let answer = json!({ "approve": approve });
        other.post(&format!("{path}/payment/complete"), &answer).await.refused(404);
        ada.post(&format!("{path}/payment/complete"), &answer).await.expect(200);
        becomes(&ada, &path, "status", json!(status)).await;
        eventually("the stock", SOON, || async {
            let now = stock(&shop.anonymous(), &product).await;
            if now == left { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
    }
    finish(shop).await;
}

async fn a_product_that_runs_low_is_told_once(backend: Backend) {
    let shop = with_mail(plan(backend), backend).set("catalog.low_stock", "5").open().await;
    let admin = shop.admin().await;
    let ada = shop.customer().await;
    let product = kettle(&admin, 8).await;
    for quantity in [2, 1, 1] {
        ada.put(&format!("/api/cart/{product}"), &json!({ "quantity": quantity }))
            .await
            .expect(200);
        ada.post("/api/orders", &json!({})).await.expect(201);
    }
    let query = format!("product_id={product}");
    let rows = eventually("a letter about low stock", SOON * 2, || async {
        let rows = admin.lists_all("/api/admin/notifications", &query).await;
        let low: Vec<Value> = rows.into_iter().filter(|row| row["kind"] == "stock.low").collect();
        if low.iter().any(|row| row["status"] == "sent") {
            Ok(low)
        } else {
            Err(format!("{low:?}"))
        }
    })
    .await;
    assert_eq!(rows.len(), 1, "once, to the one admin: {rows:?}");
    let receive = json!({ "kind": "receive", "quantity": 20, "reason": "delivery" });
    let moved = admin.post(&format!("/api/admin/stock/{product}/movements"), &receive).await;
    assert_eq!(moved.expect(201)["available"], 24);
    finish(shop).await;
}
