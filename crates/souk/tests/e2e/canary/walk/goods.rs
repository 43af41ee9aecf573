//! How one buys: a cart, an address, a card, an order with a note.
use http::Method;
use serde_json::json;
use souk_testkit::Client;

use super::{CARD, Canary, word};
use crate::buying::{card, kettle};

impl Canary<'_> {
    pub(in super::super) async fn buys(&mut self, client: &Client) {
        let product = kettle(&self.admin, 10).await;
        client.get(&format!("/api/products/{product}")).await.expect(200);
        let guest = self.anonymous.request(Method::POST, "/api/carts");
        let guest = self.anonymous.send(guest).await;
        self.mark_field("cart secret", &guest, "cart_secret");
        let note = self.mark("note", word("note"));
        let address = json!({
            "name": self.name, "line1": self.street, "city": "Berlin", "postal_code": "10115",
            "country": "DE", "phone": self.phone,
        });
        client.post("/api/me/addresses", &address).await.expect(201);
        client.post("/api/cart", &json!({ "product_id": product })).await.expect(200);
        let token = card(client, CARD).await;
        self.mark("card token", &token);
        let body = json!({ "shipping_address": address, "payment_method": token, "note": note });
        client
            .post("/api/checkout/quote", &json!({ "shipping_address": address }))
            .await
            .expect(200);
        let key = self.mark("idempotency key", word("key"));
        for _ in 0..2 {
            let request =
                client.request(Method::POST, "/api/orders").header("idempotency-key", &key);
            let answer = client.send(request.json(&body)).await;
            answer.status_in(&[201, 202]);
            self.order = answer.field("id");
        }
        // the key again with something else
        let request = client.request(Method::POST, "/api/orders").header("idempotency-key", &key);
        let other = client.send(request.json(&json!({ "shipping_address": address }))).await;
        other.refused(422);
        let email = self.email.clone();
        self.letter(&email, "Order confirmed").await;
        // a card number where none belongs
        let number = self.mark("wrong card number", "4012888888881881");
        let anonymous = self.anonymous.clone();
        for card in [CARD, number.as_str()] {
            let body =
                json!({ "shipping_address": { "name": card }, "note": format!("card {card}") });
            self.fails(client, "/api/checkout/quote", &body, 422).await;
            self.fails(client, "/api/orders", &body, 422).await;
            self.fails(client, "/api/me/addresses", &json!({ "line1": card }), 422).await;
            let wrong = json!({ "number": format!("{card}1"), "exp_month": 13, "cvc": card });
            self.fails(client, "/api/payment-methods", &wrong, 422).await;
            self.fails(&anonymous, "/api/payment-methods", &wrong, 401).await;
        }
    }

    /// What staff do until nothing is open.
    pub(in super::super) async fn is_sent(&self) {
        let ship = json!({ "carrier": "DHL", "tracking_number": "00340434161094015902" });
        let path = format!("/api/admin/orders/{}/ship", self.order);
        self.admin.post(&path, &ship).await.expect(200);
    }
}
