//! Somebody who goes through every journey, and through requests that fail, and leaves marks.
use http::Method;
use reqwest::RequestBuilder;
use serde_json::json;
use souk_testkit::shop::ADMIN_PASSWORD;
use souk_testkit::{Answer, Client, ProcessPlan, eventually};

use super::marks::Mark;
use super::{FORGED, places};
use crate::SOON;
use crate::buying::{card, kettle};
use crate::letters::{code_in, token_in};
use crate::staff::digits;

/// A card number that the test provider takes. It may be nowhere at all.
const CARD: &str = "4242424242424242";
/// Letters only: names are of letters, and nothing in them is folded.
fn word(what: &str) -> String {
    let digits = crate::unique("x").replace("x-", "");
    let letters = digits.chars().filter_map(|digit| char::from_digit(digit.to_digit(16)? + 10, 36));
    format!("{what}{}", letters.collect::<String>())
}

/// Somebody who leaves marks.
pub(super) struct Canary<'a> {
    plan: &'a ProcessPlan,
    pub(super) admin: Client,
    pub(super) anonymous: Client,
    pub(super) marks: Vec<Mark>,
    username: String,
    email: String,
    name: String,
    password: String,
}

impl<'a> Canary<'a> {
    pub(super) async fn new(plan: &'a ProcessPlan) -> Self {
        let shop = plan.shop();
        let (admin, anonymous) = (shop.admin().await, shop.anonymous());
        let mut canary = Self {
            plan,
            admin,
            anonymous,
            marks: vec![Mark::new("card number", CARD)],
            username: word("u"),
            email: String::new(),
            name: String::new(),
            password: String::new(),
        };
        canary.email = canary.mark("email", format!("{}@people.test", word("canary")));
        canary.name = canary.mark("name", word("canary"));
        canary.password = canary.mark("password", format!("the first {}", word("phrase")));
        canary.mark("admin's password", ADMIN_PASSWORD);
        let token = canary.admin.token().to_owned();
        canary.mark_token(&token);
        canary
    }

    /// From now on this is looked for.
    fn mark(&mut self, what: &'static str, text: impl Into<String>) -> String {
        let text = text.into();
        self.marks.push(Mark::new(what, text.clone()));
        text
    }

    /// The part that makes a token good.
    fn mark_token(&mut self, token: &str) {
        self.mark("access token", token.rsplit('.').next().unwrap_or_default());
    }

    fn mark_field(&mut self, what: &'static str, answer: &Answer, field: &str) -> String {
        self.mark(what, answer.field(field))
    }

    async fn logs_in(&mut self) -> Client {
        let body = json!({ "email": self.email, "password": self.password, "remember": true });
        let entered = self.anonymous.post("/api/auth/login", &body).await;
        entered.expect(200);
        self.mark_field("refresh token", &entered, "refresh_token");
        self.mark_field("device token", &entered, "device_token");
        let token = entered.field("access_token");
        self.mark_token(&token);
        self.anonymous.with_token(&token)
    }

    /// The words of the letter to this address with this headline, as soon as it lies in the folder.
    async fn letter(&self, to: &str, headline: &str) -> String {
        let store = self.plan.store();
        eventually(&format!("{headline:?} to {to}"), SOON * 2, || async {
            let letters: Vec<String> = places::letters(store)
                .iter()
                .filter(|letter| letter.to.contains(to))
                .map(|letter| letter.words.clone())
                .collect();
            let found = letters.iter().find(|words| words.trim_start().starts_with(headline));
            found.cloned().ok_or_else(|| format!("{letters:#?}"))
        })
        .await
    }

    pub(super) async fn registers(&mut self) {
        let body = json!({
            "username": self.username, "email": self.email, "password": self.password,
            "full_name": self.name,
        });
        let asked = self.anonymous.post("/api/auth/register", &body).await;
        asked.expect(202);
        let letter = self.letter(&self.email, "Your code to register").await;
        let code = self.mark("code", code_in(&letter));
        let id = asked.field("registration_id");
        let confirm = |code: &str| json!({ "registration_id": id, "code": code });
        let path = "/api/auth/register/confirm";
        self.anonymous.post(path, &confirm("00000000")).await.refused(422);
        self.anonymous.post(path, &confirm(&code)).await.expect(201);
        self.letter(&self.email, "Welcome").await;
        // somebody else wants the address
        let again =
            json!({ "username": word("u"), "email": self.email, "password": self.password });
        self.anonymous.post("/api/auth/register", &again).await.expect(202);
    }

    /// A browser's session, and one of a program.
    pub(super) async fn stays(&mut self) -> Client {
        let client = self.logs_in().await;
        let body = json!({ "email": self.email, "password": self.password, "cookie": true });
        let request = own_page(self.anonymous.request(Method::POST, "/api/auth/login"));
        let entered = self.anonymous.send(request.json(&body)).await;
        entered.expect(200);
        let csrf = self.mark_field("csrf token", &entered, "csrf_token");
        let cookies = entered.headers.get_all("set-cookie").iter();
        let pairs: Vec<String> = cookies
            .filter_map(|line| Some(line.to_str().ok()?.split(';').next()?.to_owned()))
            .collect();
        assert!(!pairs.is_empty(), "no cookie was set");
        for pair in &pairs {
            let (_, value) = pair.split_once('=').expect("a pair");
            self.mark("cookie", value);
        }
        let me =
            self.anonymous.request(Method::PATCH, "/api/me").header("cookie", pairs.join("; "));
        let me = own_page(me).header("x-csrf-token", csrf).json(&json!({}));
        assert!(self.anonymous.send(me).await.status < 500);
        client
    }

    pub(super) async fn buys(&mut self, client: &Client) {
        let product = kettle(&self.admin, 10).await;
        let guest = self.anonymous.request(Method::POST, "/api/carts");
        let guest = self.anonymous.send(guest).await;
        self.mark_field("cart secret", &guest, "cart_secret");
        let street = self.mark("street", word("street"));
        let note = self.mark("note", word("note"));
        let address = json!({
            "name": self.name, "line1": street, "city": "Berlin", "postal_code": "10115",
            "country": "DE",
        });
        client.post("/api/me/addresses", &address).await.expect(201);
        client.post("/api/cart", &json!({ "product_id": product })).await.expect(200);
        let token = card(client, CARD).await;
        self.mark("card token", &token);
        let body = json!({ "shipping_address": address, "payment_method": token, "note": note });
        let key = self.mark("idempotency key", word("key"));
        for _ in 0..2 {
            let request =
                client.request(Method::POST, "/api/orders").header("idempotency-key", &key);
            client.send(request.json(&body)).await.status_in(&[201, 202]);
        }
        // a card number where none belongs
        let body = json!({ "shipping_address": { "name": CARD }, "note": format!("card {CARD}") });
        client.post("/api/checkout/quote", &body).await.refused(422);
        client.post("/api/orders", &body).await.refused(422);
        let wrong = json!({ "number": "4242424242424241", "exp_month": 13, "cvc": CARD });
        client.post("/api/payment-methods", &wrong).await.refused(422);
    }

    /// A second factor, its codes, and a key for a program.
    pub(super) async fn secures(&mut self, client: &Client) -> Client {
        let body = json!({ "current_password": self.password });
        let begun = client.post("/api/me/second-factor", &body).await;
        begun.expect(200);
        let secret = self.mark_field("second factor", &begun, "secret");
        let code = json!({ "code": digits(&secret) });
        let confirmed = client.post("/api/me/second-factor/confirm", &code).await;
        confirmed.expect(200);
        let codes = confirmed.json()["recovery_codes"].as_array().expect("codes").clone();
        for code in &codes {
            self.mark("recovery code", code.as_str().expect("a code"));
        }
        let token = confirmed.field("access_token");
        self.mark_token(&token);
        let client = client.with_token(&token);
        let verify = "/api/me/second-factor/verify";
        client.post(verify, &json!({ "code": codes[0] })).await.expect(200);
        client.post(verify, &json!({ "code": codes[0] })).await.refused(422);
        let key = json!({ "name": "scanner", "scopes": [] });
        let made = client.post("/api/me/api-keys", &key).await;
        made.expect(201);
        let key = self.mark_field("api key", &made, "key");
        self.anonymous.with_token(&key).get("/api/products").await.expect(200);
        client
    }

    /// Another address, another password, a forgotten one.
    pub(super) async fn changes(&mut self, client: &Client) {
        let new = self.mark("email", format!("{}@people.test", word("canary")));
        let body = json!({ "email": new, "current_password": self.password });
        client.post("/api/me/email", &body).await.expect(202);
        // the first letter to that address
        let letter = self.letter(&new, "").await;
        let code = self.mark("code", code_in(&letter));
        client.post("/api/me/email/confirm", &json!({ "code": code })).await.expect(200);
        self.email = new;
        let next = self.mark("password", format!("the second {}", word("phrase")));
        let body = json!({ "current_password": self.password, "new_password": next });
        client.post("/api/auth/password/change", &body).await.expect(200);
        let body = json!({ "email": self.email });
        self.anonymous.post("/api/auth/password/forgot", &body).await.status_in(&[202]);
        let letter = eventually("a link to a new password", SOON * 2, || async {
            let letters = places::letters(self.plan.store());
            let found = letters.into_iter().find(|letter| letter.words.contains("?token="));
            found.map(|letter| letter.words).ok_or("no letter")
        })
        .await;
        let token = self.mark("reset link", token_in(&letter));
        let last = self.mark("password", format!("the third {}", word("phrase")));
        let body = json!({ "token": token, "password": last });
        self.anonymous.post("/api/auth/password/reset", &body).await.status_in(&[204]);
        self.password = last;
        // it is used up
        self.anonymous.post("/api/auth/password/reset", &body).await.refused(404);
    }

    /// Requests that fail in every way, full of what must not be told again.
    pub(super) async fn errs(&mut self) {
        let wrong = self.mark("wrong password", format!("guessed {}", word("phrase")));
        let token = self.mark("made-up token", word("token"));
        let body = json!({ "email": self.email, "password": wrong });
        let login = "/api/auth/login";
        self.anonymous.post(login, &body).await.refused(401);
        let stranger = self.mark("stranger's email", format!("{}@people.test", word("nobody")));
        for _ in 0..7 {
            let body = json!({ "email": stranger, "password": wrong });
            self.anonymous.post(login, &body).await.status_in(&[401, 429]);
        }
        let broken = format!("{{\"email\": \"{}\", \"password\": \"{wrong}\"", self.email);
        let mut odd = body.clone();
        odd["secret"] = json!(wrong);
        for (content, bytes) in [
            ("application/json", broken.clone()),
            ("application/json", odd.to_string()),
            ("application/json", format!("[{broken}}}]")),
            ("text/plain", broken.clone()),
            ("application/x-www-form-urlencoded", format!("password={wrong}")),
        ] {
            for path in [login, "/api/auth/register", "/api/me", "/api/nothing", "/api/orders"] {
                let request = self.anonymous.request(Method::POST, path);
                let request = request.header("content-type", content).body(bytes.clone());
                assert!(self.anonymous.send(request).await.status < 500, "{path}");
            }
        }
        let query = format!("token={token}&password={token}&email={}", self.email);
        for path in ["/api/products", "/api/nothing", "/reset", "/", "/api/auth/session"] {
            self.anonymous.get(&format!("{path}?{query}")).await;
        }
        let authorization = [format!("Bearer {token}"), format!("Basic {token}"), token.clone()];
        for value in authorization {
            let request = self.anonymous.request(Method::GET, "/api/me");
            let request = request.header("authorization", value);
            self.anonymous.send(request).await.refused(401);
        }
        for name in ["cookie", "souk-cart", "idempotency-key", "x-csrf-token", "referer"] {
            let value = format!("souk_session={token}; souk_device={token}");
            let request = self.anonymous.request(Method::POST, "/api/cart").header(name, value);
            let body = json!({ "product_id": "x" });
            assert!(self.anonymous.send(request.json(&body)).await.status < 500, "{name}");
        }
        self.forges().await;
        // what admins do with people
        let q = souk_testkit::client::escaped(&self.email);
        let found = self.admin.get(&format!("/api/users?q={q}")).await.expect(200);
        let id = found["items"][0]["id"].as_str().expect("the canary").to_owned();
        self.admin.get(&format!("/api/users/{id}")).await.expect(200);
        let block = json!({ "user_id": id, "reason": "a test", "days": 1 });
        self.admin.post("/api/admin/blocks", &block).await.expect(201);
        self.anonymous
            .post(login, &json!({ "email": self.email, "password": self.password }))
            .await;
    }

    /// Names that would write lines into a log (S62).
    async fn forges(&self) {
        let long = "x".repeat(100_000);
        for name in [format!("a\n{FORGED}"), format!("\u{1b}[31m\r\n{FORGED}"), long] {
            let body =
                json!({ "username": name, "email": name, "password": name, "full_name": name });
            self.anonymous.post("/api/auth/register", &body).await.refused(422);
            self.anonymous
                .post("/api/auth/login", &json!({ "username": name, "password": name }))
                .await;
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

/// As the shop's own page sends it.
fn own_page(request: RequestBuilder) -> RequestBuilder {
    request.header("sec-fetch-site", "same-origin")
}
