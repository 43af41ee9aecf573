//! What is asked for: things of the owner where others must not find them, things of the shop, and
//! ids of nothing where only the permission counts.
use serde_json::{Value, json};
use souk_testkit::shop::PASSWORD;
use souk_testkit::{Client, Shop};

use super::actors::Actors;
use crate::buying::{address, card, kettle};

/// Names nothing.
pub(super) const NOTHING: &str = "nothing-of-this-name";

/// Made once, and more on demand.
pub(super) struct Objects {
    pub(super) product: String,
    /// The owner's, paid.
    pub(super) order: String,
}

impl Objects {
    pub(super) async fn of(shop: &Shop, actors: &Actors) -> Self {
        let admin = shop.admin().await;
        let product = kettle(&admin, 100).await;
        let owner = &actors.owner;
        owner.post("/api/cart", &json!({ "product_id": product })).await.expect(200);
        let token = card(owner, "4242424242424242").await;
        let order = owner.post("/api/orders", &json!({ "payment_method": token })).await;
        order.status_in(&[201, 202]);
        Self { product, order: order.field("id") }
    }
}

/// A new address of the owner.
pub(super) async fn address_of(owner: &Client) -> String {
    owner.post("/api/me/addresses", &address()).await.field("id")
}

/// A new key of the owner.
pub(super) async fn key_of(owner: &Client) -> String {
    let body = json!({ "name": "of the owner", "scopes": [] });
    owner.post("/api/me/api-keys", &body).await.field("id")
}

/// Another device of the owner.
pub(super) async fn session_of(actors: &Actors) -> String {
    let body = json!({ "email": actors.owner_email, "password": PASSWORD });
    let entered = actors.anonymous.post("/api/auth/login", &body).await;
    entered.field("session_id")
}

/// A new card of the owner.
pub(super) async fn card_of(owner: &Client) -> String {
    card(owner, "5555555555554444").await
}

/// A body that nobody but the service itself refuses, where [`body_of`] has none.
pub(super) fn whole_body_of(operation: &str, objects: &Objects) -> Option<Value> {
    let password = "not this one";
    Some(match operation {
        "POST /api/auth/password/change" => {
            json!({ "current_password": password, "new_password": "quite another one" })
        }
        "PUT /api/me/avatar" => json!({ "avatar": "fox" }),
        "POST /api/me/email" => {
            json!({ "email": "another@people.test", "current_password": password })
        }
        "POST /api/me/email/confirm" => json!({ "code": "AAAAAAAA" }),
        "PUT /api/me/newsletter" => json!({ "subscribed": false }),
        "POST /api/payment-methods" => {
            let number = "5555555555554444";
            json!({ "number": number, "exp_month": 12, "exp_year": 2039, "cvc": "123" })
        }
        _ => return body_of(operation, objects),
    })
}

/// A body that is in order as far as it must be for the question who asks to come up; `None`: an
/// empty object, which most operations refuse, but only after that question.
pub(super) fn body_of(operation: &str, objects: &Objects) -> Option<Value> {
    let guess = json!({ "code": "000000" });
    let password = json!({ "current_password": "not this one" });
    Some(match operation {
        "POST /api/cart" => json!({ "product_id": objects.product }),
        "PUT /api/cart/{product_id}" => json!({ "quantity": 1 }),
        "PUT /api/auth/sessions/{id}" | "PATCH /api/auth/sessions/{id}" => {
            json!({ "device": "somebody's phone" })
        }
        "POST /api/orders/{id}/payment/complete" => json!({ "approve": true }),
        "POST /api/me/api-keys" => json!({ "name": "another", "scopes": [] }),
        "POST /api/me/second-factor" | "POST /api/me/erasure" => password,
        "POST /api/me/second-factor/confirm" | "POST /api/me/second-factor/verify" => guess,
        "DELETE /api/me/second-factor" => {
            json!({ "current_password": "not this one", "code": "000000" })
        }
        _ => return None,
    })
}
