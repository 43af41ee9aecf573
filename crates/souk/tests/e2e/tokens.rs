//! Tokens of every broken kind are refused alike (`reliability.md` S17).
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use souk_testkit::{Backend, Shop, client, journeys};

use crate::{finish, plan, state, teapot};

journeys!(no_broken_token_opens_anything, a_session_ends_when_it_is_told_to);

/// A token that was issued, taken apart, and the shop's own key.
struct Forge {
    header: Value,
    claims: Value,
    key: Ed25519KeyPair,
}

impl Forge {
    fn new(shop: &Shop, token: &str) -> Self {
        let seed = match shop.store().setting("secrets.signing_key") {
            Some(seed) => seed.to_owned(),
            None => std::fs::read_to_string(shop.store().data_dir().join("secrets/signing_key"))
                .expect("the key"),
        };
        let seed = BASE64.decode(seed.trim()).expect("base64url");
        let part = |nth: usize| -> Value {
            let part = token.split('.').nth(nth).expect("three parts");
            serde_json::from_slice(&BASE64.decode(part).expect("base64url")).expect("JSON")
        };
        let key = Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes");
        Self { header: part(0), claims: part(1), key }
    }

    fn joined(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64.encode(value.to_string());
        format!("{}.{}", part(header), part(claims))
    }

    /// With the shop's own key.
    fn signed(&self, header: &Value, claims: &Value) -> String {
        let text = Self::joined(header, claims);
        let signature = self.key.sign(text.as_bytes());
        format!("{text}.{}", BASE64.encode(signature.as_ref()))
    }

    fn with_claim(&self, name: &str, value: &Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value.clone();
        self.signed(&self.header, &claims)
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().expect("an object").remove(name);
        self.signed(&self.header, &claims)
    }

    fn with_header(&self, name: &str, value: &Value) -> String {
        let mut header = self.header.clone();
        header[name] = value.clone();
        self.signed(&header, &self.claims)
    }
}

fn broken(forge: &Forge, jwks: &Value) -> Vec<(String, String)> {
    let now = forge.claims["iat"].as_i64().expect("iat");
    let mut tokens: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, token: String| tokens.push((what.to_owned(), token));
    let good = forge.signed(&forge.header, &forge.claims);
    let mut none = forge.header.clone();
    none["alg"] = json!("none");
    add("alg none, no signature", Forge::joined(&none, &forge.claims) + ".");
    add("alg none, signed", forge.signed(&none, &forge.claims));
    add("no signature", good.rsplit_once('.').expect("dots").0.to_owned() + ".");
    let mut symmetric = forge.header.clone();
    symmetric["alg"] = json!("HS256");
    let public = jwks["keys"][0]["x"].as_str().expect("x");
    for key in [public.as_bytes(), forge.key.public_key().as_ref(), jwks.to_string().as_bytes()] {
        let text = Forge::joined(&symmetric, &forge.claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
        add("HS256 with the public key", format!("{text}.{}", BASE64.encode(tag.as_ref())));
    }
    let other = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("32 bytes");
    let text = Forge::joined(&forge.header, &forge.claims);
    add("another key", format!("{text}.{}", BASE64.encode(other.sign(text.as_bytes()).as_ref())));
    let own =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(other.public_key().as_ref()) });
    for (name, value) in [
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", json!("EdDSA ")),
        ("alg", json!(1)),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("kid", json!("unknown")),
        ("kid", json!("../../secrets/signing_key")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", Value::Null),
        ("jku", json!("http://127.0.0.1:1/keys")),
        ("x5u", json!("http://127.0.0.1:1/cert")),
        ("jwk", own),
        ("crit", json!(["exp"])),
    ] {
        add(&format!("header {name} {value}"), forge.with_header(name, &value));
    }
    for (name, value) in [
        ("iss", json!("other")),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("exp", json!(now - 60)),
        ("exp", json!("9999999999")),
        ("exp", json!(now + 864_000)),
        ("nbf", json!(now + 600)),
        ("nbf", json!("1")),
        ("sub", json!("usr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1x")),
        ("sub", json!("admin")),
        ("perms", json!("products.write")),
        ("sid", json!("")),
    ] {
        add(&format!("{name} {value}"), forge.with_claim(name, &value));
    }
    for name in ["iss", "aud", "exp", "nbf", "sub", "sid", "iat"] {
        add(&format!("without {name}"), forge.without_claim(name));
    }
    let mut changed = forge.claims.clone();
    changed["role"] = json!("owner");
    let (signed, signature) = good.rsplit_once('.').expect("dots");
    add("changed claims", format!("{}.{signature}", Forge::joined(&forge.header, &changed)));
    add("changed signature", format!("{signed}.{}", "A".repeat(signature.len())));
    add("longer", format!("{good}.x"));
    add("nine KiB", forge.with_claim("jti", &json!("x".repeat(9 * 1024))));
    for rubbish in ["x", "..", "a.b.c", "e30.e30.e30", "null"] {
        add("rubbish", rubbish.to_owned());
    }
    tokens
}

async fn no_broken_token_opens_anything(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let id = admin.creates_product(&teapot()).await.field("id");
    let before = state(&admin, &id).await;
    let forge = Forge::new(&shop, admin.token());
    // the forge works: what it leaves as it is, is good
    let copy = forge.with_claim("jti", &json!("another"));
    anonymous.with_token(&copy).get("/api/me").await.expect(200);
    let jwks = anonymous.get("/.well-known/jwks.json").await.expect(200);
    for (what, token) in broken(&forge, &jwks) {
        let who = anonymous.with_token(&token);
        let answers = [
            who.get("/api/me").await,
            who.get("/api/products").await,
            who.changes(&id, &json!({ "price": "0.01" })).await,
        ];
        for answer in answers {
            assert_eq!(answer.status, 401, "{what}: {} {}", answer.request, answer.text());
            assert_eq!(answer.refused(401), "invalid_token", "{what}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{what}");
        }
    }
    // other ways to say who one is
    let login = json!({ "email": souk_testkit::shop::ADMIN_EMAIL, "password": souk_testkit::shop::ADMIN_PASSWORD });
    let session = anonymous.post("/api/auth/login", &login).await.expect(200);
    let refresh = session["refresh_token"].as_str().expect("a token");
    anonymous.with_token(refresh).get("/api/me").await.refused(401);
    for value in ["", "Bearer", "Bearer ", "Basic YWRtaW46YWRtaW4=", "bearer", admin.token()] {
        let request =
            anonymous.request(http::Method::GET, "/api/me").header("authorization", value);
        anonymous.send(request).await.refused(401);
    }
    let query = format!("/api/me?access_token={}", admin.token());
    anonymous.get(&query).await.refused(401);
    assert_eq!(state(&admin, &id).await, before);
    finish(shop).await;
}

async fn a_session_ends_when_it_is_told_to(backend: Backend) {
    let shop = plan(backend).open().await;
    let (user, who) = shop.person("customer").await;
    let anonymous = shop.anonymous();
    let login = json!({ "email": user["email"], "password": souk_testkit::shop::PASSWORD });
    let session = anonymous.post("/api/auth/login", &login).await.expect(200);
    let token = |session: &Value, name: &str| session[name].as_str().expect("a token").to_owned();
    let first = json!({ "refresh_token": token(&session, "refresh_token") });
    let next = anonymous.post("/api/auth/refresh", &first).await.expect(200);
    let fresh = anonymous.with_token(&token(&next, "access_token"));
    fresh.get("/api/me").await.expect(200);
    let second = json!({ "refresh_token": token(&next, "refresh_token") });
    let answer = fresh.post("/api/auth/logout", &second).await;
    assert!([200, 204].contains(&answer.status), "{}", answer.text());
    anonymous.post("/api/auth/refresh", &second).await.refused(401);
    souk_testkit::eventually("the session's token is refused", crate::SOON, || async {
        let answer = fresh.get("/api/me").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    // other sessions of the same person go on
    who.get("/api/me").await.expect(200);
    who.reads(client::escaped("nothing").as_str()).await.refused(404);
    finish(shop).await;
}
