//! Who may not come in, and what is done to many accounts at once.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Answer, Backend, eventually, journeys};

use crate::jobs::ended;
use crate::letters::{letter, with_mail};
use crate::people::{dies, enters};
use crate::{SOON, finish, plan};

journeys!(
    a_blocked_account_is_out_until_it_is_lifted,
    a_blocked_network_gets_no_answers,
    an_action_over_many_accounts_is_cancelled_or_done,
);

async fn a_blocked_account_is_out_until_it_is_lifted(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let admin = shop.admin().await;
    let (user, who) = shop.person("customer").await;
    let (name, email) = (user["username"].as_str().expect("name"), user["email"].as_str());
    let blocks = "/api/admin/blocks";
    who.post(blocks, &json!({})).await.refused(403);
    who.get(blocks).await.refused(403);
    let body = json!({ "user_id": user["id"], "reason": "fraud", "days": 7 });
    let made = admin.post(blocks, &body).await;
    let block = made.expect(201);
    assert_eq!((&block["user_id"], &block["network"]), (&user["id"], &Value::Null));
    assert!(block["until"].is_string() && block["lifted_at"].is_null(), "{block}");
    dies(&who, SOON).await;
    let refused = enters(&shop, name, json!({})).await;
    assert_eq!(refused.refused(403), "account_blocked");
    // only who knows the password learns of it
    let wrong = json!({ "username": name, "password": "not the pass phrase" });
    let wrong = shop.anonymous().post("/api/auth/login", &wrong).await;
    assert_eq!(wrong.refused(401), "invalid_credentials");
    letter(&shop, email.expect("email"), "Your account is blocked").await;
    let twice = admin.post(blocks, &body).await;
    assert_eq!(twice.refused(409), "blocked_already");
    assert_eq!(twice.json()["block_id"], block["id"]);
    let own = admin.get("/api/me").await.field("id");
    let own = json!({ "user_id": own, "reason": "x" });
    assert_eq!(admin.post(blocks, &own).await.refused(403), "own_account");
    let stranger = json!({ "user_id": "usr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1", "reason": "x" });
    assert_eq!(admin.post(blocks, &stranger).await.refused(404), "user_not_found");
    let listed = admin.lists_all(blocks, "").await;
    assert!(listed.iter().any(|b| b["id"] == block["id"]));

    let path = made.header("location").to_owned();
    let lifted = admin.delete(&path).await.expect(200);
    assert!(lifted["lifted_at"].is_string(), "{lifted}");
    enters(&shop, name, json!({})).await.expect(200);
    assert_eq!(admin.delete(&path).await.refused(404), "block_not_found");
    assert_eq!(admin.lists_all(blocks, "").await, Vec::<Value>::new());
    let ended = admin.lists_all(blocks, "ended=true").await;
    assert_eq!(ended[0]["id"], block["id"]);
    letter(&shop, email.expect("email"), "Your account is open again").await;
    finish(shop).await;
}

async fn a_blocked_network_gets_no_answers(backend: Backend) {
    let shop = plan(backend).set("gateway.trusted_proxies", "[\"127.0.0.1\"]").open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let blocks = "/api/admin/blocks";
    for (body, field) in [
        (json!({ "network": "127.0.0.0/8", "reason": "x" }), "network"),
        (json!({ "address": "127.0.0.1", "reason": "x" }), "address"),
        (json!({ "network": "203.0.0.0/7", "reason": "x" }), "network"),
        (json!({ "network": "somewhere", "reason": "x" }), "network"),
        (json!({ "network": "203.0.113.0/24", "reason": "" }), "reason"),
        (json!({ "network": "203.0.113.0/24", "reason": "x".repeat(201) }), "reason"),
        (json!({ "network": "203.0.113.0/24", "reason": "x", "days": 0 }), "days"),
    ] {
        let answer = admin.post(blocks, &body).await;
        answer.refused(422);
        assert_eq!(answer.broken_fields(), [field], "{body}");
    }
    let from = |address: &'static str| {
        let anonymous = anonymous.clone();
        async move {
            let request = anonymous.request(Method::GET, "/api/products");
            anonymous.send(request.header("x-forwarded-for", address)).await
        }
    };
    let becomes = |address: &'static str, status: u16| {
        let from = &from;
        async move {
            eventually(&format!("{address} gets {status}"), SOON, || async {
                let answer: Answer = from(address).await;
                if answer.status == status { Ok(answer) } else { Err(answer.text()) }
            })
            .await
        }
    };
    from("203.0.113.9").await.expect(200);
    let body = json!({ "network": "203.0.113.0/24", "reason": "scanner" });
    let network = admin.post(blocks, &body).await;
    assert_eq!(network.expect(201)["until"], Value::Null);
    let one = admin.post(blocks, &json!({ "address": "198.51.100.7", "reason": "x" })).await;
    assert_eq!(one.expect(201)["network"], "198.51.100.7/32");
    assert_eq!(becomes("203.0.113.9", 403).await.refused(403), "address_blocked");
    becomes("198.51.100.7", 403).await.refused(403);
    from("198.51.100.8").await.expect(200);
    // what somebody says in front of the proxy's word counts for nothing
    from("198.51.100.8, 203.0.113.9").await.refused(403);
    admin.delete(network.header("location")).await.expect(200);
    becomes("203.0.113.9", 200).await;
    finish(shop).await;
}

async fn an_action_over_many_accounts_is_cancelled_or_done(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let admin = shop.admin().await;
    let path = "/api/admin/users/actions";
    let mut people = Vec::new();
    for _ in 0..3 {
        people.push(shop.person("customer").await);
    }
    let ids: Vec<Value> = people.iter().map(|(user, _)| user["id"].clone()).collect();
    people[0].1.post(path, &json!({ "action": "delete", "ids": ids })).await.refused(403);
    for (body, fields) in [
        (json!({}), &["action"][..]),
        (json!({ "action": "tickle", "ids": ids }), &["action"]),
        (json!({ "action": "delete", "ids": [] }), &["ids"]),
        (json!({ "action": "delete", "ids": ids, "delay_s": -1 }), &["delay_s"]),
        (json!({ "action": 5, "ids": "all", "colour": 1 }), &["action", "ids", "colour"]),
    ] {
        let answer = admin.post(path, &body).await;
        answer.refused(422);
        assert_eq!(answer.broken_fields(), fields, "{body}");
    }

    // in its delay it can be taken back, and nothing has happened
    let body = json!({ "action": "deactivate", "ids": ids, "delay_s": 3600 });
    let started = admin.post(path, &body).await;
    let accepted = started.expect(202);
    let job = accepted["status_url"].as_str().expect("a path").to_owned();
    assert_eq!(started.header("location"), job);
    let waiting = admin.get(&job).await.expect(200);
    assert_eq!((&waiting["status"], &waiting["run_at"]), (&json!("waiting"), &accepted["run_at"]));
    admin.delete(&job).await.expect(200);
    for (_, who) in &people {
        who.get("/api/me").await.expect(200);
    }

    let some = [ids[0].clone(), ids[1].clone(), json!("usr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")];
    let body = json!({ "action": "deactivate", "ids": some, "delay_s": 0 });
    let started = admin.post(path, &body).await;
    let done = ended(&admin, &started.field("status_url")).await;
    assert_eq!((&done["done"], &done["total"]), (&json!(3), &json!(3)), "{done}");
    let results = admin.lists_all(&format!("{}/results", started.field("status_url")), "").await;
    for id in &some {
        let of = results.iter().filter(|row| row["key"] == *id).count();
        assert_eq!(of, 1, "{id}: {results:#?}");
    }
    dies(&people[0].1, SOON).await;
    dies(&people[1].1, SOON).await;
    people[2].1.get("/api/me").await.expect(200);
    let name = people[0].0["username"].as_str().expect("name");
    enters(&shop, name, json!({})).await.refused(401);

    let body = json!({ "action": "activate", "ids": [ids[0]], "delay_s": 0 });
    let started = admin.post(path, &body).await.field("status_url");
    ended(&admin, &started).await;
    enters(&shop, name, json!({})).await.expect(200);
    let body = json!({ "action": "send_test_mail", "ids": [ids[0]] });
    let started = admin.post(path, &body).await.field("status_url");
    ended(&admin, &started).await;
    letter(&shop, people[0].0["email"].as_str().expect("email"), "A test letter").await;
    finish(shop).await;
}
