//! How one gets an account, proves who one is, and changes that.
use http::Method;
use reqwest::RequestBuilder;
use serde_json::json;
use souk_testkit::{Client, eventually};

use super::{Canary, in_letter, word};
use crate::SOON;
use crate::letters::{code_in, token_in};
use crate::staff::digits;

const REGISTER: &str = "/api/auth/register";
const LOGIN: &str = "/api/auth/login";

impl Canary<'_> {
    pub(in super::super) async fn registers(&mut self) {
        let body = json!({
            "username": self.username, "email": self.email, "password": self.password,
            "full_name": self.name,
        });
        let asked = self.anonymous.post(REGISTER, &body).await;
        asked.expect(202);
        let (email, headline) = (self.email.clone(), "Your code to register");
        let letter = self.letter(&email, headline).await;
        let code = self.mark_at("code", code_in(&letter.words), &in_letter(&email, headline));
        let id = asked.field("registration_id");
        let confirm = |code: &str| json!({ "registration_id": id, "code": code });
        let path = "/api/auth/register/confirm";
        let anonymous = self.anonymous.clone();
        let wrong = self.mark("wrong code", word("guess"));
        self.fails(&anonymous, path, &confirm(&wrong), 422).await;
        let made = self.anonymous.post(path, &confirm(&code)).await;
        made.expect(201);
        self.user = made.field("id");
        self.letter(&email, "Welcome").await;
        // somebody else wants the address
        let again =
            json!({ "username": word("u"), "email": self.email, "password": self.password });
        self.anonymous.post(REGISTER, &again).await.expect(202);
        self.letter(&email, "You have an account already").await;
    }

    /// A browser's session, and one of a program.
    pub(in super::super) async fn stays(&mut self) -> Client {
        let client = self.logs_in().await;
        let body = json!({ "email": self.email, "password": self.password, "cookie": true });
        let request = own_page(self.anonymous.request(Method::POST, LOGIN));
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

    /// A second factor, its codes, and keys for programs.
    pub(in super::super) async fn secures(&mut self, client: &Client) -> Client {
        let wrong = self.mark("wrong password", format!("guessed {}", word("phrase")));
        let factor = "/api/me/second-factor";
        self.fails(client, factor, &json!({ "current_password": wrong }), 422).await;
        let begun = client.post(factor, &json!({ "current_password": self.password })).await;
        begun.expect(200);
        let secret = self.mark_field("second factor", &begun, "secret");
        let confirm = "/api/me/second-factor/confirm";
        let wrong = self.mark("wrong code", word("guess"));
        self.fails(client, confirm, &json!({ "code": wrong }), 422).await;
        let confirmed = client.post(confirm, &json!({ "code": digits(&secret) })).await;
        confirmed.expect(200);
        let codes = confirmed.json()["recovery_codes"].as_array().expect("codes").clone();
        for code in &codes {
            let code = self.mark("recovery code", code.as_str().expect("a code"));
            self.recovery.push(code);
        }
        let token = confirmed.field("access_token");
        self.mark_token(&token);
        let client = client.with_token(&token);
        let used = json!({ "code": self.recovery.pop() });
        let verify = "/api/me/second-factor/verify";
        client.post(verify, &used).await.expect(200);
        self.fails(&client, verify, &used, 422).await;
        // the password alone opens nothing any more
        let mut login = json!({ "email": self.email, "password": self.password });
        let anonymous = self.anonymous.clone();
        self.fails(&anonymous, LOGIN, &login, 401).await;
        login["second_factor_code"] = used["code"].clone();
        self.fails(&anonymous, LOGIN, &login, 401).await;
        self.has_keys(&client).await;
        client
    }

    async fn has_keys(&mut self, client: &Client) {
        let keys = "/api/me/api-keys";
        let scope = self.mark("wrong field", word("scope"));
        let odd = json!({ "name": "scanner", "scopes": [scope], "days": 7 });
        // a word that is no scope may be told back to whoever sent it
        client.post(keys, &odd).await.refused(422);
        let made = client.post(keys, &json!({ "name": "scanner", "scopes": [] })).await;
        made.expect(201);
        let key = self.mark_field("api key", &made, "key");
        let program = self.anonymous.with_token(&key);
        program.get("/api/products").await.expect(200);
        self.fails(&program, keys, &json!({ "name": scope, "scopes": [] }), 403).await;
        let mut forged = key.clone();
        let last = forged.pop().expect("letters");
        forged.push(if last == 'A' { 'B' } else { 'A' });
        // what the checksum refuses, and what is revoked
        for key in [&forged, &key] {
            if key != &forged {
                client.delete(&format!("{keys}/{}", made.field("id"))).await.expect(200);
            }
            let program = self.anonymous.with_token(key);
            let refused = eventually("the key is refused", SOON, || async {
                let answer = program.get("/api/me").await;
                if answer.status == 401 { Ok(answer) } else { Err(answer.text()) }
            })
            .await;
            self.keep(&refused);
        }
        let query = format!("/api/products?api_key={key}");
        self.anonymous.get(&query).await;
    }

    /// Another address, another password, a forgotten one.
    pub(in super::super) async fn changes(&mut self, client: &Client) {
        let (old, new) = (self.email.clone(), self.new_email());
        // who has the old one is told of the new one
        self.allow(&new, &format!("letter to {old}: A new address was asked for: body"));
        self.allow(&new, &format!("letter to {old}: Your address was changed: body"));
        let wrong = self.mark("wrong password", format!("guessed {}", word("phrase")));
        let path = "/api/me/email";
        self.fails(client, path, &json!({ "email": new, "current_password": wrong }), 422).await;
        let body = json!({ "email": new, "current_password": self.password });
        client.post(path, &body).await.expect(202);
        let headline = "Your code for the new address";
        let letter = self.letter(&new, headline).await;
        let code = self.mark_at("code", code_in(&letter.words), &in_letter(&new, headline));
        let confirm = "/api/me/email/confirm";
        let wrong = self.mark("wrong code", word("guess"));
        self.fails(client, confirm, &json!({ "code": wrong }), 422).await;
        client.post(confirm, &json!({ "code": code })).await.expect(200);
        self.email = new;
        self.letter(&old, "Your address was changed").await;
        let next = self.mark("password", format!("the second {}", word("phrase")));
        let path = "/api/auth/password/change";
        let wrong = json!({ "current_password": wrong, "new_password": next });
        self.fails(client, path, &wrong, 422).await;
        let body = json!({ "current_password": self.password, "new_password": next });
        client.post(path, &body).await.expect(200);
        self.forgets().await;
    }

    async fn forgets(&mut self) {
        let email = self.email.clone();
        let body = json!({ "email": email });
        self.anonymous.post("/api/auth/password/forgot", &body).await.status_in(&[202]);
        let headline = "Choose a new password";
        let letter = self.letter(&email, headline).await;
        let token = token_in(&letter.words);
        let token = self.mark_at("reset link", token, &in_letter(&email, headline));
        // as a browser follows it, and a mail program before
        for path in ["/account/reset", "/api/auth/password/reset"] {
            let answer = self.anonymous.get(&format!("{path}?token={token}")).await;
            assert!(answer.status < 500, "{}", answer.text());
        }
        let path = "/api/auth/password/reset";
        let anonymous = self.anonymous.clone();
        let weak = json!({ "token": token, "password": email });
        self.fails(&anonymous, path, &weak, 422).await;
        let last = self.mark("password", format!("the third {}", word("phrase")));
        let body = json!({ "token": token, "password": last });
        self.anonymous.post(path, &body).await.status_in(&[204]);
        self.password = last;
        // it is used up
        self.fails(&anonymous, path, &body, 404).await;
        self.letter(&email, "Your password was changed").await;
    }
}

/// As the shop's own page sends it.
fn own_page(request: RequestBuilder) -> RequestBuilder {
    request.header("sec-fetch-site", "same-origin")
}
