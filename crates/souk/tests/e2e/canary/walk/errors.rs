//! Requests that fail in every way, full of what must not be told again.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::Client;

use super::super::FORGED;
use super::{Canary, word};

const LOGIN: &str = "/api/auth/login";

impl Canary<'_> {
    pub(in super::super) async fn errs(&mut self, client: &Client) {
        let wrong = self.mark("wrong password", format!("guessed {}", word("phrase")));
        let token = self.mark("made-up token", word("token"));
        let anonymous = self.anonymous.clone();
        let body = json!({ "email": self.email, "password": wrong });
        self.fails(&anonymous, LOGIN, &body, 401).await;
        let stranger = self.mark("stranger's email", format!("{}@people.test", word("nobody")));
        for _ in 0..7 {
            let body = json!({ "email": stranger, "password": wrong });
            let answer = self.anonymous.post(LOGIN, &body).await;
            answer.status_in(&[401, 429]);
            self.keep(&answer);
        }
        self.is_misread(client).await;
        let query = self.mark("made-up query", word("query"));
        for path in ["/api/products", "/api/nothing", "/account/reset", "/", "/api/auth/session"] {
            self.anonymous.get(&format!("{path}?token={query}&email={query}")).await;
        }
        let authorization = [format!("Bearer {token}"), format!("Basic {token}"), token.clone()];
        for value in authorization {
            let request = self.anonymous.request(Method::GET, "/api/me");
            let answer = self.anonymous.send(request.header("authorization", value)).await;
            answer.refused(401);
            self.keep(&answer);
        }
        for name in ["cookie", "souk-cart", "idempotency-key", "x-csrf-token", "referer"] {
            let value = format!("souk_session={token}; souk_device={token}");
            let request = self.anonymous.request(Method::POST, "/api/cart").header(name, value);
            let body = json!({ "product_id": "x" });
            let answer = self.anonymous.send(request.json(&body)).await;
            self.keep(&answer);
        }
        self.forges().await;
        self.is_blocked().await;
    }

    /// Every door that takes something secret or personal, and bodies that it cannot take.
    async fn is_misread(&mut self, client: &Client) {
        let (email, password) = (self.email.clone(), self.password.clone());
        let (name, street, phone) = (self.name.clone(), self.street.clone(), self.phone.clone());
        let token = self.mark("made-up token", word("token"));
        let address = json!({
            "name": name, "line1": street, "city": "Berlin", "postal_code": "10115",
            "country": "DE", "phone": phone,
        });
        let login = json!({ "email": email, "password": password, "device_token": token });
        let person = json!({
            "username": "u", "email": email, "password": password, "full_name": name,
        });
        let doors = [
            (Method::POST, "/api/auth/login", login),
            (Method::POST, "/api/auth/refresh", json!({ "refresh_token": token })),
            (Method::POST, "/api/auth/register", person.clone()),
            (
                Method::POST,
                "/api/auth/register/confirm",
                json!({ "registration_id": "x", "code": token }),
            ),
            (Method::POST, "/api/auth/register/resend", json!({ "registration_id": token })),
            (Method::POST, "/api/auth/password/forgot", json!({ "email": email })),
            (
                Method::POST,
                "/api/auth/password/reset",
                json!({ "token": token, "password": password }),
            ),
            (
                Method::POST,
                "/api/auth/password/change",
                json!({ "current_password": password, "new_password": password }),
            ),
            (Method::PATCH, "/api/me", json!({ "full_name": name })),
            (
                Method::POST,
                "/api/me/email",
                json!({ "email": email, "current_password": password }),
            ),
            (Method::POST, "/api/me/email/confirm", json!({ "code": token })),
            (Method::POST, "/api/me/second-factor", json!({ "current_password": password })),
            (Method::POST, "/api/me/second-factor/confirm", json!({ "code": token })),
            (Method::POST, "/api/me/second-factor/verify", json!({ "code": token })),
            (Method::POST, "/api/me/api-keys", json!({ "name": token, "scopes": [] })),
            (Method::POST, "/api/me/addresses", address.clone()),
            (Method::PUT, "/api/me/avatar", json!({ "avatar": token })),
            (Method::PUT, "/api/me/newsletter", json!({ "subscribed": token })),
            (Method::POST, "/api/me/erasure", json!({ "current_password": password })),
            (Method::POST, "/api/newsletter", json!({ "email": email })),
            (Method::POST, "/api/newsletter/confirm", json!({ "token": token })),
            (Method::POST, "/api/newsletter/unsubscribe", json!({ "token": token })),
            (
                Method::POST,
                "/api/payment-methods",
                json!({ "number": super::CARD, "exp_month": 1, "exp_year": 2039, "cvc": "123" }),
            ),
            (Method::POST, "/api/checkout/quote", json!({ "shipping_address": address })),
            (
                Method::POST,
                "/api/orders",
                json!({ "shipping_address": address, "payment_method": token, "note": token }),
            ),
            (Method::POST, "/api/users", person),
            (Method::POST, "/api/nothing", json!({ "password": password })),
        ];
        let odd = self.mark("wrong field", word("field"));
        for (method, path, good) in doors {
            for (media_type, body) in misreadable(&good, &odd) {
                for who in [client.clone(), self.anonymous.clone()] {
                    let request = who.request(method.clone(), path);
                    let request = request.header("content-type", media_type).body(body.clone());
                    let answer = who.send(request).await;
                    assert!(
                        (400..500).contains(&answer.status),
                        "{path} {body}: {}",
                        answer.text()
                    );
                    self.keep(&answer);
                }
            }
        }
    }

    /// What admins do with people.
    async fn is_blocked(&mut self) {
        self.calls_the_admin().await;
        let q = souk_testkit::client::escaped(&self.email);
        let found = self.admin.get(&format!("/api/users?q={q}")).await.expect(200);
        assert_eq!(found["items"][0]["id"], self.user.as_str());
        self.admin.get(&format!("/api/users/{}", self.user)).await.expect(200);
        let block = json!({ "user_id": self.user, "reason": "a test", "days": 1 });
        let block = self.admin.post("/api/admin/blocks", &block).await;
        block.expect(201);
        let login = json!({ "email": self.email, "password": self.password });
        let anonymous = self.anonymous.clone();
        self.fails(&anonymous, LOGIN, &login, 403).await;
        self.admin.delete(block.header("location")).await.expect(200);
        let email = self.email.clone();
        self.letter(&email, "Your account is open again").await;
    }

    /// Names that would write lines into a log (S62).
    async fn forges(&self) {
        let long = "x".repeat(100_000);
        for name in [format!("a\n{FORGED}"), format!("\u{1b}[31m\r\n{FORGED}"), long] {
            let body =
                json!({ "username": name, "email": name, "password": name, "full_name": name });
            self.anonymous.post("/api/auth/register", &body).await.refused(422);
            self.anonymous.post(LOGIN, &json!({ "username": name, "password": name })).await;
            let goods = json!({ "sku": name, "name": name, "price": name, "brand": name });
            self.admin.post("/api/products", &goods).await.refused(422);
            let path = format!(
                "/api/products/{}",
                souk_testkit::client::escaped(&name[..name.len().min(2_000)])
            );
            self.admin.get(&path).await;
        }
    }
}

/// A good body with each kind of fault: no JSON, fields that nobody knows, values of another type,
/// another media type.
fn misreadable(good: &Value, odd: &str) -> Vec<(&'static str, String)> {
    let text = good.to_string();
    let mut more = good.clone();
    more["secret"] = json!(odd);
    let json = "application/json";
    let mut bodies = vec![
        (json, text[..text.len() - 1].to_owned()),
        (json, format!("[{text}")),
        (json, format!("{text}{text}")),
        (json, more.to_string()),
        ("text/plain", text),
        ("application/x-www-form-urlencoded", format!("password={odd}")),
    ];
    for field in good.as_object().expect("an object").keys() {
        let mut other = good.clone();
        other[field] = json!([{ odd: odd }]);
        bodies.push((json, other.to_string()));
    }
    bodies
}
