//! What staff have and customers have not: second factors, keys for programs, roles.
use http::Method;
use ring::hmac;
use serde_json::json;
use souk_testkit::shop::{ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD};
use souk_testkit::{Backend, Client, eventually, journeys};

use crate::buying::kettle;
use crate::letters::{letter, with_mail};
use crate::people::dies;
use crate::{SOON, finish, plan};

journeys!(
    who_must_have_a_second_factor_enrols_one_before_anything_else,
    money_and_power_need_a_fresh_second_factor,
    a_programs_key_does_what_its_scopes_say_until_it_is_revoked,
    roles_are_made_changed_and_removed,
);

/// The six digits of an app at this moment (RFC 6238).
pub(crate) fn digits(secret: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut key, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for letter in secret.bytes().filter(|b| *b != b'=') {
        let value = ALPHABET.iter().position(|known| *known == letter).expect("base 32");
        bits = bits << 5 | u32::try_from(value).expect("small");
        held += 5;
        if held >= 8 {
            held -= 8;
            key.push(u8::try_from(bits >> held & 0xff).expect("a byte"));
        }
    }
    let step = souk_values::Clock::system().now().timestamp().div_euclid(30);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 0xf);
    let number = u32::from_be_bytes(tag[at..at + 4].try_into().expect("four bytes")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// Enrols a second factor; answers the recovery codes and the client with its new token.
async fn enrols(who: &Client, password: &str) -> (Vec<String>, Client) {
    let begin = json!({ "current_password": password });
    let begun = who.post("/api/me/second-factor", &begin).await;
    let secret = begun.expect(200)["secret"].as_str().expect("a secret").to_owned();
    assert!(begun.field("otpauth_uri").starts_with("otpauth://totp/"));
    assert_eq!(begun.header("cache-control"), "no-store");
    let confirm = json!({ "code": digits(&secret) });
    let confirmed = who.post("/api/me/second-factor/confirm", &confirm).await;
    let codes = confirmed.expect(200)["recovery_codes"].as_array().expect("codes").clone();
    let codes = codes.iter().map(|code| code.as_str().expect("a code").to_owned()).collect();
    (codes, who.with_token(&confirmed.field("access_token")))
}

async fn who_must_have_a_second_factor_enrols_one_before_anything_else(backend: Backend) {
    let shop = plan(backend).set("accounts.admin_second_factor", "required").open().await;
    let login = json!({ "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD });
    let anonymous = shop.anonymous();
    let entered = anonymous.post("/api/auth/login", &login).await;
    assert_eq!(entered.expect(200)["second_factor_enrolment_required"], true);
    let bare = anonymous.with_token(&entered.field("access_token"));
    for (method, path) in [
        (Method::GET, "/api/me"),
        (Method::GET, "/api/users"),
        (Method::GET, "/api/products"),
        (Method::GET, "/api/auth/sessions"),
        (Method::GET, "/api/admin/roles"),
        (Method::POST, "/api/me/api-keys"),
        (Method::DELETE, "/api/auth/sessions"),
    ] {
        let answer = bare.send(bare.request(method, path)).await;
        assert_eq!(answer.refused(403), "second_factor_enrolment_required", "{path}");
    }
    let who = bare.get("/api/auth/session").await.expect(200);
    assert_eq!(
        (&who["authenticated"], &who["second_factor_enrolment_required"]),
        (&json!(true), &json!(true))
    );
    let state = bare.get("/api/me/second-factor").await.expect(200);
    assert_eq!((&state["enrolled"], &state["required"]), (&json!(false), &json!(true)));
    let wrong = json!({ "current_password": "not the pass phrase" });
    assert_eq!(bare.post("/api/me/second-factor", &wrong).await.refused(422), "wrong_password");
    let early = bare.post("/api/me/second-factor/confirm", &json!({ "code": "123456" })).await;
    assert_eq!(early.refused(409), "second_factor_not_begun");

    let (codes, admin) = enrols(&bare, ADMIN_PASSWORD).await;
    assert_eq!(codes.len(), 10);
    admin.get("/api/users").await.expect(200);
    let state = admin.get("/api/me/second-factor").await.expect(200);
    assert_eq!((&state["enrolled"], &state["recovery_codes_left"]), (&json!(true), &json!(10)));
    assert!(state["fresh_until"].is_string(), "{state}");
    let again = json!({ "current_password": ADMIN_PASSWORD });
    assert_eq!(
        admin.post("/api/me/second-factor", &again).await.refused(409),
        "second_factor_enrolled"
    );

    // from now on the password alone opens nothing
    assert_eq!(
        anonymous.post("/api/auth/login", &login).await.refused(401),
        "second_factor_required"
    );
    let with = |name: &str, code: &str| {
        let mut body = login.clone();
        body[name] = json!(code);
        body
    };
    let guess = anonymous.post("/api/auth/login", &with("code", "AAAAAAAAAA")).await;
    assert_eq!(guess.refused(401), "wrong_second_factor");
    let code = &codes[0];
    let entered = anonymous.post("/api/auth/login", &with("second_factor_code", code)).await;
    assert_eq!(entered.expect(200)["second_factor_enrolment_required"], false);
    let used = anonymous.post("/api/auth/login", &with("code", code)).await;
    assert_eq!(used.refused(401), "wrong_second_factor", "each is good once");
    let remove = json!({ "current_password": ADMIN_PASSWORD, "code": codes[1] });
    let request = admin.request(Method::DELETE, "/api/me/second-factor").json(&remove);
    assert_eq!(admin.send(request).await.refused(403), "second_factor_required");
    finish(shop).await;
}

async fn money_and_power_need_a_fresh_second_factor(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (user, first) = shop.person("admin").await;
    let email = user["email"].as_str().expect("email");
    // nobody stands behind a program to give a code
    let scopes = ["users.read", "orders.read", "orders.write", "roles.write"];
    let before = json!({ "name": "from before", "scopes": scopes });
    let program = first.post("/api/me/api-keys", &before).await.field("key");
    let stale = shop.anonymous().with_token(&program);
    stale.get("/api/users").await.expect(200);
    // who came in without one is out
    let login = json!({ "email": email, "password": PASSWORD });
    let old = shop.anonymous().post("/api/auth/login", &login).await;
    let (codes, fresh) = enrols(&first, PASSWORD).await;
    letter(&shop, email, "Your second factor was changed").await;
    let refresh = json!({ "refresh_token": old.field("refresh_token") });
    shop.anonymous().post("/api/auth/refresh", &refresh).await.refused(401);
    dies(&shop.anonymous().with_token(&old.field("access_token")), SOON).await;

    let refund = json!({ "amount": "1.00", "reason": "x" });
    let role = json!({ "name": "packer", "permissions": ["stock.read"] });
    let key = json!({ "name": "x", "scopes": ["stock.read"] });
    let powers = [("/api/admin/orders/nothing/refunds", &refund), ("/api/admin/roles", &role)];
    stale.get("/api/users").await.expect(200);
    for (path, body) in powers {
        assert_eq!(stale.post(path, body).await.refused(403), "second_factor_needed", "{path}");
    }
    assert_eq!(stale.post("/api/me/api-keys", &key).await.refused(403), "not_by_api_key");
    let verify = "/api/me/second-factor/verify";
    let guess = fresh.post(verify, &json!({ "code": "AAAAAAAAAA" })).await;
    assert_eq!(guess.refused(422), "wrong_code");
    let verified = fresh.post(verify, &json!({ "code": codes[0] })).await;
    assert!(verified.expect(200)["fresh_until"].is_string(), "{}", verified.text());
    let again = fresh.with_token(&verified.field("access_token"));
    assert_eq!(again.post(powers[0].0, powers[0].1).await.refused(404), "order_not_found");
    again.post("/api/admin/roles", &role).await.expect(201);
    again.post("/api/me/api-keys", &key).await.expect(201);

    // new recovery codes end the old ones
    let made = fresh.post("/api/me/second-factor/recovery-codes", &json!({})).await.expect(200);
    assert_eq!(made["recovery_codes"].as_array().map(Vec::len), Some(10));
    let gone = fresh.post(verify, &json!({ "code": codes[1] })).await;
    assert_eq!(gone.refused(422), "wrong_code");
    // an admin takes the factor away from somebody who lost it: all their sessions end
    let path = format!("/api/users/{}/second-factor", user["id"].as_str().expect("id"));
    let (_, customer) = shop.person("customer").await;
    customer.delete(&path).await.refused(403);
    let admin = shop.admin().await;
    assert_eq!(admin.delete(&path).await.expect(200)["enrolled"], false);
    dies(&fresh, SOON).await;
    shop.log_in(email, PASSWORD).await;
    finish(shop).await;
}

async fn a_programs_key_does_what_its_scopes_say_until_it_is_revoked(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let product = kettle(&admin, 3).await;
    let (owner, person) = shop.person("admin").await;
    let keys = "/api/me/api-keys";
    let bad = json!({ "name": "", "scopes": ["everything"], "days": 366, "role": "admin" });
    let refused = person.post(keys, &bad).await;
    refused.refused(422);
    assert_eq!(refused.broken_fields(), ["days", "role"]);
    let bad = person.post(keys, &json!({ "name": "", "scopes": ["everything"] })).await;
    bad.refused(422);
    assert_eq!(bad.broken_fields(), ["name", "scopes"]);
    let (_, customer) = shop.person("customer").await;
    let beyond = customer.post(keys, &json!({ "name": "x", "scopes": ["stock.read"] })).await;
    assert_eq!(beyond.refused(403), "beyond_own_permissions");

    let body = json!({ "name": "scanner", "scopes": ["stock.read"], "days": 7 });
    let made = person.post(keys, &body).await;
    let view = made.expect(201);
    let key = made.field("key");
    assert!(key.starts_with(view["prefix"].as_str().expect("prefix")), "{view}");
    assert_eq!(made.header("cache-control"), "no-store");
    let list = person.get(keys).await;
    assert_eq!(list.expect(200)["items"][0]["id"], view["id"]);
    assert!(!list.text().contains(&key), "a key is shown once");

    let program = shop.anonymous().with_token(&key);
    let stock = format!("/api/admin/stock/{product}");
    for _ in 0..3 {
        assert_eq!(program.get(&stock).await.expect(200)["available"], 3);
    }
    program.get("/api/users").await.refused(403);
    program.changes(&product, &json!({ "price": "0.01" })).await.refused(403);
    program.post(keys, &body).await.refused(403);
    let mut forged = key.clone();
    let last = forged.pop().expect("letters");
    forged.push(if last == 'A' { 'B' } else { 'A' });
    for wrong in [forged.as_str(), "souk_", "souk_x", &key[..key.len() - 1]] {
        let answer = shop.anonymous().with_token(wrong).get(&stock).await;
        assert_eq!(answer.refused(401), "invalid_api_key", "{wrong}");
    }
    // neither another's path nor another's hands
    let path = format!("{keys}/{}", view["id"].as_str().expect("id"));
    assert_eq!(customer.delete(&path).await.refused(404), "api_key_not_found");
    assert_eq!(admin.delete(&path).await.refused(404), "api_key_not_found");
    let theirs = format!("/api/users/{}/api-keys", owner["id"].as_str().expect("id"));
    assert_eq!(admin.get(&theirs).await.expect(200)["items"][0]["id"], view["id"]);

    // the key may no more than its owner
    let owner = format!("/api/users/{}", owner["id"].as_str().expect("id"));
    admin.put(&owner, &json!({ "role": "customer" })).await.expect(200);
    eventually("the key lost its power", SOON, || async {
        let answer = program.get(&stock).await;
        if answer.status == 403 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    admin.put(&owner, &json!({ "role": "admin" })).await.expect(200);
    eventually("and has it again", SOON, || async {
        let answer = program.get(&stock).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    let revoked = admin.delete(&format!("{theirs}/{}", view["id"].as_str().expect("id"))).await;
    assert!(revoked.expect(200)["revoked_at"].is_string(), "{}", revoked.text());
    eventually("the key is refused", SOON, || async {
        let answer = program.get(&stock).await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(program.get(&stock).await.refused(401), "invalid_api_key");
    finish(shop).await;
}

async fn roles_are_made_changed_and_removed(backend: Backend) {
    let shop = plan(backend).open().await;
    let (admin, customer) = (shop.admin().await, shop.customer().await);
    let roles = "/api/admin/roles";
    let known = admin.get("/api/admin/permissions").await.expect(200);
    let known = known["items"].as_array().expect("items");
    assert!(known.iter().any(|p| p["name"] == "roles.write" && p["meaning"].is_string()));
    assert_eq!(admin.get(roles).await.expect(200), admin.get("/api/roles").await.expect(200));
    let body = json!({ "name": "packer", "permissions": ["stock.read"] });
    customer.post(roles, &body).await.refused(403);
    customer.get(roles).await.refused(403);
    let nothing = admin.post(roles, &json!({ "colour": "red" })).await;
    nothing.refused(422);
    assert_eq!(nothing.broken_fields(), ["name", "permissions", "colour"]);
    let made = admin.post(roles, &body).await;
    made.expect(201);
    let path = made.header("location").to_owned();
    assert_eq!(admin.get(&path).await.expect(200), made.json());
    assert_eq!(admin.post(roles, &body).await.refused(409), "role_taken");

    let (_, packer) = shop.person("packer").await;
    packer.get("/api/admin/stock/movements").await.expect(200);
    packer.get("/api/admin/orders").await.refused(403);
    assert_eq!(admin.delete(&path).await.refused(409), "role_in_use");
    let changed = admin.put(&path, &json!({ "permissions": ["orders.read"] })).await;
    assert_eq!(changed.expect(200)["permissions"], json!(["orders.read"]));
    // at once: the old token says what was
    eventually("the old permission is gone", SOON, || async {
        let answer = packer.get("/api/admin/stock/movements").await;
        if [401, 403].contains(&answer.status) { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    assert_eq!(
        admin.put(&format!("{roles}/admin"), &json!({ "permissions": [] })).await.refused(403),
        "role_fixed"
    );
    assert_eq!(admin.delete(&format!("{roles}/nothing")).await.refused(404), "role_not_found");
    assert_eq!(admin.get(&format!("{roles}/nothing")).await.refused(404), "role_not_found");
    let spare = json!({ "name": "spare", "permissions": [] });
    admin.post(roles, &spare).await.expect(201);
    admin.delete(&format!("{roles}/spare")).await.expect(200);
    assert_eq!(admin.get(&format!("{roles}/spare")).await.refused(404), "role_not_found");
    finish(shop).await;
}
