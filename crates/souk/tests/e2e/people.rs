//! Customers and their accounts: registering, devices, passwords and addresses, all by letters that
//! really arrive.
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use souk_testkit::shop::PASSWORD;
use souk_testkit::{Answer, Backend, Client, Shop, eventually, journeys};

use crate::letters::{code_in, letter, token_in, with_mail};
use crate::{finish, plan, unique};

journeys!(
    somebody_registers_by_the_code_of_a_letter,
    an_open_shop_needs_no_code,
    a_fourth_device_ends_the_one_used_longest_ago,
    a_reset_password_ends_every_session_and_key_at_every_gateway_within_a_second,
    a_changed_password_leaves_the_session_that_changed_it,
    an_address_changes_by_a_code_to_the_new_one_and_others_are_out,
);

/// A name that nobody has, and its address.
fn somebody() -> (String, String) {
    let name = unique("u").replace('-', "");
    let email = format!("{name}@people.test");
    (name, email)
}

/// Waits until the token opens nothing any more.
pub(crate) async fn dies(who: &Client, within: Duration) {
    eventually("the token is refused", within, || async {
        let answer = who.get("/api/me").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
}

/// Logs in with more than a name and a password.
pub(crate) async fn enters(shop: &Shop, login: &str, more: Value) -> Answer {
    let mut body = json!({ "username": login, "password": PASSWORD });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    shop.anonymous().post("/api/auth/login", &body).await
}

async fn somebody_registers_by_the_code_of_a_letter(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let register = "/api/auth/register";
    let all = anonymous.post(register, &json!({ "username": 5, "colour": "red" })).await;
    all.refused(422);
    let mut broken = all.broken_fields();
    broken.sort();
    assert_eq!(broken, ["colour", "email", "password", "username"]);
    for (field, value) in [
        ("password", json!("short")),
        ("password", json!("password1234")),
        ("email", json!("no address")),
        ("role", json!("admin")),
        ("active", json!(true)),
    ] {
        let (name, email) = somebody();
        let mut body = json!({ "username": name, "email": email, "password": PASSWORD });
        body[field] = value;
        let answer = anonymous.post(register, &body).await;
        answer.refused(422);
        assert_eq!(answer.broken_fields(), [field], "{}", answer.text());
    }

    let (name, email) = somebody();
    let body = json!({
        "username": name, "email": email, "password": PASSWORD, "fullname": "Ada Probe",
    });
    let asked = anonymous.post(register, &body).await;
    let pending = asked.expect(202);
    assert_eq!(pending.as_object().map(serde_json::Map::len), Some(2), "{pending}");
    assert!(!asked.text().contains(&email) && asked.header("cache-control") == "no-store");
    let id = asked.field("registration_id");
    // no account before the code
    assert_eq!(enters(&shop, &name, json!({})).await.refused(401), "invalid_credentials");
    let found = admin.lists_all("/api/users", &format!("q={name}")).await;
    assert_eq!(found, Vec::<Value>::new());

    let confirm = "/api/auth/register/confirm";
    let with = |code: &str| json!({ "registration_id": id, "code": code });
    let wrong = anonymous.post(confirm, &with("00000000")).await;
    assert_eq!(wrong.refused(422), "wrong_code");
    assert_eq!(wrong.json()["tries_left"], 4);
    let resend = json!({ "registration_id": id });
    let soon = anonymous.post("/api/auth/register/resend", &resend).await;
    assert_eq!(soon.refused(429), "resend_limit");
    assert!(!soon.header("retry-after").is_empty());
    let code = code_in(&letter(&shop, &email, "Your code to register").await);
    let confirmed = anonymous.post(confirm, &with(&code)).await;
    let user = confirmed.expect(201);
    assert_eq!(
        (user["username"].as_str(), user["role"].as_str(), user["full_name"].as_str()),
        (Some(&*name), Some("customer"), Some("Ada Probe"))
    );
    assert_eq!(confirmed.header("location"), "/api/me");
    assert_eq!(anonymous.post(confirm, &with(&code)).await.refused(404), "registration_not_found");
    assert_eq!(
        anonymous.post("/api/auth/register/resend", &resend).await.refused(404),
        "registration_not_found"
    );
    enters(&shop, &name, json!({})).await.expect(200);
    letter(&shop, &email, "Welcome").await;

    // who has the address is told; who asks is not
    let (other, _) = somebody();
    let again = json!({ "username": other, "email": email.to_uppercase(), "password": PASSWORD });
    let said = anonymous.post(register, &again).await.expect(202);
    let names = |answer: &Value| -> Vec<String> {
        answer.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(names(&said), names(&pending));
    letter(&shop, &email, "You have an account already").await;
    let taken = json!({
        "username": name.to_uppercase(), "email": somebody().1, "password": PASSWORD,
    });
    assert_eq!(anonymous.post(register, &taken).await.refused(409), "username_taken");
    finish(shop).await;
}

async fn an_open_shop_needs_no_code(backend: Backend) {
    let shop = plan(backend).set("accounts.registration", "open").open().await;
    let anonymous = shop.anonymous();
    let (name, email) = somebody();
    let body = json!({ "username": name, "email": email, "password": PASSWORD });
    let made = anonymous.post("/api/auth/register", &body).await;
    assert_eq!(made.expect(201)["role"], "customer");
    enters(&shop, &name, json!({})).await.expect(200);
    let again = json!({ "username": somebody().0, "email": email, "password": PASSWORD });
    assert_eq!(anonymous.post("/api/auth/register", &again).await.refused(409), "email_taken");
    finish(shop).await;
}

async fn a_fourth_device_ends_the_one_used_longest_ago(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (user, first) = shop.person("customer").await;
    let (name, email) = (user["username"].as_str().expect("name"), user["email"].as_str());
    let anonymous = shop.anonymous();
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    let login = json!({ "username": name, "password": PASSWORD });
    let request = anonymous.request(Method::POST, "/api/auth/login").header("user-agent", firefox);
    let second = anonymous.send(request.json(&login)).await;
    let second = anonymous.with_token(&second.field("access_token"));
    let third = enters(&shop, name, json!({ "device": "Ada's phone", "remember": true })).await;
    assert_eq!(third.expect(200)["remember"], true);
    let third = anonymous.with_token(&third.field("access_token"));

    let listed = |who: &Client| {
        let who = who.clone();
        async move {
            let list = who.get("/api/auth/sessions").await.expect(200);
            list["items"].as_array().expect("items").clone()
        }
    };
    let devices = |list: &[Value]| -> Vec<String> {
        let mut names: Vec<_> =
            list.iter().map(|s| s["device"].as_str().expect("device").to_owned()).collect();
        names.sort();
        names
    };
    let sessions = listed(&third).await;
    assert_eq!(devices(&sessions), ["Ada's phone", "Firefox on Linux", "unknown device"]);
    let own = sessions.iter().find(|s| s["current"] == true).expect("one is ours");
    assert_eq!((own["device"].as_str(), &own["remember"]), (Some("Ada's phone"), &json!(true)));
    assert_eq!(own["network"], "127.0.0.0/24");

    let fourth = enters(&shop, name, json!({ "device": "tablet" })).await;
    let fourth = anonymous.with_token(&fourth.field("access_token"));
    dies(&first, Duration::from_secs(1)).await;
    let told = letter(&shop, email.expect("email"), "A device was signed out").await;
    assert!(told.contains("unknown device"), "{told}");
    second.get("/api/me").await.expect(200);
    let sessions = listed(&fourth).await;
    assert_eq!(devices(&sessions), ["Ada's phone", "Firefox on Linux", "tablet"]);

    // named, ended one by one, ended all
    let id_of = |device: &str| {
        let found = sessions.iter().find(|s| s["device"] == device).expect("a session");
        format!("/api/auth/sessions/{}", found["id"].as_str().expect("id"))
    };
    let (laptop, phone) = (id_of("Firefox on Linux"), id_of("Ada's phone"));
    let named = fourth.put(&laptop, &json!({ "device": "laptop" })).await.expect(200);
    assert_eq!(named["device"], "laptop");
    fourth.put(&laptop, &json!({})).await.refused(422);
    let (_, stranger) = shop.person("customer").await;
    assert_eq!(stranger.delete(&laptop).await.refused(404), "session_not_found");
    assert_eq!(
        stranger.put(&laptop, &json!({ "device": "mine" })).await.refused(404),
        "session_not_found"
    );
    fourth.delete(&laptop).await.expect(200);
    dies(&second, Duration::from_secs(1)).await;
    assert_eq!(fourth.delete(&laptop).await.refused(404), "session_not_found");
    let others = fourth.delete("/api/auth/sessions?keep_current=true").await.expect(200);
    assert_eq!(others["ended"], 1);
    dies(&third, Duration::from_secs(1)).await;
    assert_eq!(
        fourth.put(&phone, &json!({ "device": "x" })).await.refused(404),
        "session_not_found"
    );
    fourth.get("/api/me").await.expect(200);
    fourth.delete("/api/auth/sessions").await.expect(200);
    dies(&fourth, Duration::from_secs(1)).await;
    finish(shop).await;
}

async fn a_reset_password_ends_every_session_and_key_at_every_gateway_within_a_second(
    backend: Backend,
) {
    let mut plan = with_mail(plan(backend), backend);
    if backend == Backend::Servers {
        plan = plan.set("grpc.listen", "127.0.0.1:0");
    }
    let mut shop = plan.open().await;
    let (user, near) = shop.person("customer").await;
    let mut doors = vec![near.clone()];
    if backend == Backend::Servers {
        doors.push(near.at(&shop.second_gateway().await));
    }
    let made = near.post("/api/me/api-keys", &json!({ "name": "scanner", "scopes": [] })).await;
    made.expect(201);
    let program = near.with_token(&made.field("key"));
    for door in &doors {
        door.get("/api/me").await.expect(200);
        program.at(door.base()).get("/api/products").await.expect(200);
    }
    let anonymous = shop.anonymous();
    let (name, email) = (user["username"].clone(), user["email"].as_str().expect("email"));
    let forgot = "/api/auth/password/forgot";
    let nobody = anonymous.post(forgot, &json!({ "email": "nobody@people.test" })).await;
    let known = anonymous.post(forgot, &json!({ "email": email, "username": name })).await;
    assert_eq!((nobody.status, known.status), (202, 202));
    assert_eq!(nobody.body, known.body);
    anonymous.post(forgot, &json!({})).await.refused(422);

    let token = token_in(&letter(&shop, email, "Choose a new password").await);
    let reset = "/api/auth/password/reset";
    let weak = anonymous.post(reset, &json!({ "token": token, "password": "password1234" })).await;
    weak.refused(422);
    assert_eq!(weak.broken_fields(), ["password"]);
    let other = json!({ "token": "A".repeat(43), "password": "another long pass phrase" });
    assert_eq!(anonymous.post(reset, &other).await.refused(404), "reset_not_found");
    let body = json!({ "token": token, "password": "another long pass phrase" });
    assert_eq!(anonymous.post(reset, &body).await.status, 204);
    for door in &doors {
        dies(door, Duration::from_secs(1)).await;
        let program = program.at(door.base());
        eventually("the key is refused", Duration::from_secs(1), || async {
            let answer = program.get("/api/products").await;
            if answer.status == 401 { Ok(()) } else { Err(answer.text()) }
        })
        .await;
    }
    assert_eq!(anonymous.post(reset, &body).await.refused(404), "reset_not_found");
    assert_eq!(
        enters(&shop, name.as_str().expect("name"), json!({})).await.refused(401),
        "invalid_credentials"
    );
    let after = shop.log_in(email, "another long pass phrase").await;
    for door in &doors {
        after.at(door.base()).get("/api/me").await.expect(200);
    }
    let told = letter(&shop, email, "Your password was changed").await;
    assert!(told.contains("1 revoked"), "{told}");
    finish(shop).await;
}

async fn a_changed_password_leaves_the_session_that_changed_it(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (user, mine) = shop.person("customer").await;
    let email = user["email"].as_str().expect("email");
    let other = shop.log_in(email, PASSWORD).await;
    let path = "/api/auth/password/change";
    let nothing = mine.post(path, &json!({})).await;
    nothing.refused(422);
    assert_eq!(nothing.broken_fields(), ["current_password", "new_password"]);
    let new = "another long pass phrase";
    let wrong = json!({ "current_password": "not the pass phrase", "new_password": new });
    let refused = mine.post(path, &wrong).await;
    assert_eq!(refused.refused(422), "wrong_password");
    assert_eq!(refused.broken_fields(), ["current_password"]);
    shop.anonymous().post(path, &wrong).await.refused(401);
    let right = json!({ "current_password": PASSWORD, "new_password": new });
    mine.post(path, &right).await.expect(200);
    dies(&other, Duration::from_secs(1)).await;
    mine.get("/api/me").await.expect(200);
    letter(&shop, email, "Your password was changed").await;
    shop.log_in(email, new).await;
    finish(shop).await;
}

async fn an_address_changes_by_a_code_to_the_new_one_and_others_are_out(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (user, who) = shop.person("customer").await;
    let before = user["email"].as_str().expect("email");
    let (_, after) = somebody();
    // never without its owner's consent
    let direct = who.put("/api/me", &json!({ "email": after })).await;
    direct.refused(422);
    assert_eq!(direct.broken_fields(), ["email"]);
    let confirm = "/api/me/email/confirm";
    let none = who.post(confirm, &json!({ "code": "00000000" })).await;
    assert_eq!(none.refused(404), "email_change_not_found");

    let wrong = json!({ "email": after, "current_password": "not the pass phrase" });
    assert_eq!(who.post("/api/me/email", &wrong).await.refused(422), "wrong_password");
    let bad = json!({ "email": "no address", "current_password": PASSWORD });
    let bad = who.post("/api/me/email", &bad).await;
    bad.refused(422);
    assert_eq!(bad.broken_fields(), ["email"]);
    let right = json!({ "email": after, "current_password": PASSWORD });
    let pending = who.post("/api/me/email", &right).await.expect(202);
    assert!(pending["expires_at"].is_string(), "{pending}");
    let notice = letter(&shop, before, "A new address was asked for").await;
    let code = code_in(&letter(&shop, &after, "Your code for the new address").await);
    assert!(!notice.contains(&code));
    assert_eq!(who.get("/api/me").await.expect(200)["email"], before, "until it is proven");
    let guess = who.post(confirm, &json!({ "code": "00000000" })).await;
    assert_eq!(
        (guess.refused(422), guess.json()["tries_left"].as_u64()),
        ("wrong_code".into(), Some(4))
    );
    let (_, stranger) = shop.person("customer").await;
    let other = shop.log_in(before, PASSWORD).await;
    stranger.post(confirm, &json!({ "code": code })).await.refused(404);
    let changed = who.post(confirm, &json!({ "code": code })).await.expect(200);
    assert_eq!(changed["email"], after);
    dies(&other, Duration::from_secs(1)).await;
    who.get("/api/me").await.expect(200);
    letter(&shop, before, "Your address was changed").await;
    shop.log_in(&after, PASSWORD).await;
    let old = json!({ "email": before, "password": PASSWORD });
    shop.anonymous().post("/api/auth/login", &old).await.refused(401);
    finish(shop).await;
}
