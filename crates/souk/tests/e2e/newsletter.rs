//! The newsletter: asked for by anybody, confirmed by the owner of the address, sent by staff, ended
//! by one click.
use http::Method;
use serde_json::{Value, json};
use souk_testkit::{Answer, Backend, Client, Shop, eventually, journeys};

use crate::jobs::{count, ended};
use crate::letters::{delivered, letter, letters_to, token_in, with_mail};
use crate::{SOON, finish, plan, teapot, unique};

journeys!(
    s50_a_guest_confirms_gets_one_and_ends_it_by_one_click,
    s50_nobody_learns_whether_an_address_is_known,
    a_customer_asks_and_ends_it_in_the_account,
    staff_write_send_cancel_and_follow,
    links_are_followed_by_people_and_not_by_programs,
);

const ASK: &str = "/api/newsletter";
const NEWSLETTERS: &str = "/api/admin/newsletters";
const SUBSCRIBERS: &str = "/api/admin/newsletter/subscribers";

fn somebody() -> String {
    format!("{}@people.test", unique("n").replace('-', ""))
}

/// Asks and confirms by the letter.
async fn subscribes(shop: &Shop, email: &str) {
    let anonymous = shop.anonymous();
    anonymous.post(ASK, &json!({ "email": email })).await.expect(202);
    let token = token_in(&letter(shop, email, "Do you want our newsletter?").await);
    anonymous.post("/api/newsletter/confirm", &json!({ "token": token })).await.expect(204);
}

/// Writes one and sends it to the end; answers the job.
async fn sends(admin: &Client, subject: &str, with_products: bool) -> Value {
    let body =
        json!({ "subject": subject, "text": "Hello\n\nBye", "with_products": with_products });
    let made = admin.post(NEWSLETTERS, &body).await;
    made.expect(201);
    let path = format!("{}/send", made.header("location"));
    let ordered = admin.post(&path, &json!({ "delay_s": 0 })).await;
    ordered.expect(202);
    ended(admin, &ordered.field("status_url")).await
}

/// The newest letter to this address, as it was handed over, folded lines joined.
async fn newsletter_to(shop: &Shop, email: &str, subject: &str) -> String {
    let wanted = format!("] {subject}\r\n");
    eventually(&format!("{subject:?} to {email}"), SOON * 2, || async {
        let letters = letters_to(shop, email).into_iter().map(|raw| raw.replace("\r\n ", " "));
        let found = letters.clone().find(|raw| raw.contains(&wanted));
        found.ok_or_else(|| format!("{:#?}", letters.collect::<Vec<_>>()))
    })
    .await
}

/// Path and query in the header of a newsletter.
fn unsubscribe_of(raw: &str) -> String {
    let line = raw.lines().find_map(|line| line.strip_prefix("List-Unsubscribe: <"));
    let url = line.and_then(|line| line.strip_suffix('>')).unwrap_or_else(|| panic!("{raw}"));
    url[url.find("/newsletter/").expect("our page")..].to_owned()
}

/// As a mail program does it.
async fn one_click(who: &Client, path: &str) -> Answer {
    let form = "application/x-www-form-urlencoded";
    let request = who.request(Method::POST, path).header("content-type", form);
    who.send(request.body("List-Unsubscribe=One-Click")).await
}

async fn s50_a_guest_confirms_gets_one_and_ends_it_by_one_click(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let (email, silent) = (somebody(), somebody());
    let text = anonymous.get(ASK).await.expect(200);
    let body = json!({ "email": email, "text_version": text["text_version"] });
    let asked = anonymous.post(ASK, &body).await;
    assert_eq!((asked.status, asked.text().as_str()), (202, ""));
    anonymous.post(ASK, &json!({ "email": silent })).await.expect(202);
    letter(&shop, &silent, "Do you want our newsletter?").await;
    let token = token_in(&letter(&shop, &email, "Do you want our newsletter?").await);
    let confirm = "/api/newsletter/confirm";
    let wrong = anonymous.post(confirm, &json!({ "token": "x" })).await;
    assert_eq!(wrong.refused(404), "newsletter_link_not_found");
    for _ in 0..2 {
        anonymous.post(confirm, &json!({ "token": token })).await.expect(204);
    }
    let record = &admin.lists_all(SUBSCRIBERS, &format!("q={email}")).await[0];
    for (field, expected) in [("status", "confirmed"), ("how", "form"), ("email", email.as_str())] {
        assert_eq!(record[field], expected, "{record}");
    }
    assert_eq!(record["text_version"], text["text_version"]);

    admin.creates_product(&teapot()).await.expect(201);
    let subject = unique("Tea");
    let job = sends(&admin, &subject, true).await;
    assert_eq!((&job["status"], count(&job, "sent")), (&json!("succeeded"), 1), "{job}");
    // who did not say yes gets nothing but the question
    assert_eq!(delivered(&shop, &silent), 1);
    let raw = newsletter_to(&shop, &email, &subject).await;
    assert!(raw.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{raw}");
    assert!(raw.contains("Teapot") && raw.contains("39.99 EUR"), "{raw}");
    // no other letter has a button
    let question = letters_to(&shop, &silent).remove(0);
    assert!(!question.contains("List-Unsubscribe"), "{question}");

    let path = unsubscribe_of(&raw);
    // looking changes nothing
    for method in [Method::GET, Method::HEAD] {
        let look = anonymous.send(anonymous.request(method, &path)).await;
        assert_eq!((look.status, look.header("cache-control")), (200, "no-store"));
    }
    let still = admin.get(&format!("{SUBSCRIBERS}/counts")).await.expect(200);
    assert_eq!(still["by_status"]["confirmed"], 1);
    for _ in 0..2 {
        assert_eq!(one_click(&anonymous, &path).await.status, 200);
    }
    let record = &admin.lists_all(SUBSCRIBERS, &format!("q={email}")).await[0];
    assert_eq!((&record["status"], &record["ended_by"]), (&json!("ended"), &json!("one_click")));
    let job = sends(&admin, &unique("More"), false).await;
    assert_eq!((&job["status"], &job["done"]), (&json!("succeeded"), &json!(0)), "{job}");
    assert_eq!(delivered(&shop, &email), 2);
    assert_eq!(one_click(&anonymous, "/newsletter/unsubscribe?token=x").await.status, 404);
    let body = json!({ "token": "x" });
    let wrong = anonymous.post("/api/newsletter/unsubscribe", &body).await;
    assert_eq!(wrong.refused(404), "newsletter_link_not_found");
    finish(shop).await;
}

async fn s50_nobody_learns_whether_an_address_is_known(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let anonymous = shop.anonymous();
    let (user, _) = shop.person("customer").await;
    let confirmed = somebody();
    subscribes(&shop, &confirmed).await;
    let mut answers = Vec::new();
    for email in [&confirmed, user["email"].as_str().expect("email"), &somebody()] {
        for _ in 0..2 {
            let answer = anonymous.post(ASK, &json!({ "email": email })).await;
            let mut names: Vec<String> =
                answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
            names.sort();
            answers.push((answer.status, answer.text(), names));
        }
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    assert_eq!(answers[0].0, 202);
    for (body, fields) in [
        (json!({}), vec!["email"]),
        (json!({ "email": "no address" }), vec!["email"]),
        (json!({ "email": somebody(), "text_version": "1999" }), vec!["text_version"]),
        (json!({ "email": somebody(), "name": "x" }), vec!["name"]),
    ] {
        let answer = anonymous.post(ASK, &body).await;
        answer.refused(422);
        assert_eq!(answer.broken_fields(), fields, "{body}");
    }
    assert_eq!(delivered(&shop, &confirmed), 1);
    finish(shop).await;
}

async fn a_customer_asks_and_ends_it_in_the_account(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (user, who) = shop.person("customer").await;
    let email = user["email"].as_str().expect("email");
    let mine = "/api/me/newsletter";
    assert_eq!(who.get(mine).await.expect(200)["status"], "none");
    let asked = who.put(mine, &json!({ "subscribed": true })).await.expect(200);
    assert_eq!((&asked["status"], &asked["email"]), (&json!("pending"), &user["email"]));
    let token = token_in(&letter(&shop, email, "Do you want our newsletter?").await);
    let body = json!({ "token": token });
    shop.anonymous().post("/api/newsletter/confirm", &body).await.expect(204);
    let confirmed = who.get(mine).await.expect(200);
    assert_eq!(confirmed["status"], "confirmed");
    assert!(confirmed["confirmed_at"].is_string(), "{confirmed}");
    assert_eq!(who.put(mine, &json!({ "subscribed": true })).await.expect(200), confirmed);
    for _ in 0..2 {
        let ended = who.put(mine, &json!({ "subscribed": false })).await.expect(200);
        assert_eq!(ended["status"], "none");
    }
    let broken = who.put(mine, &json!({})).await;
    broken.refused(422);
    assert_eq!(broken.broken_fields(), ["subscribed"]);
    shop.anonymous().get(mine).await.refused(401);
    finish(shop).await;
}

async fn staff_write_send_cancel_and_follow(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let admin = shop.admin().await;
    let emails = [somebody(), somebody(), somebody()];
    for email in &emails {
        subscribes(&shop, email).await;
    }
    let empty = admin.post(NEWSLETTERS, &json!({})).await;
    empty.refused(422);
    assert_eq!(empty.broken_fields(), ["subject", "text"]);
    let subject = unique("News");
    let draft = admin.post(NEWSLETTERS, &json!({ "subject": "Draft", "text": "Hello" })).await;
    draft.expect(201);
    let path = draft.header("location").to_owned();
    let change = admin.request(Method::PUT, &path).header("if-match", draft.etag());
    let changed = admin.send(change.json(&json!({ "subject": subject }))).await;
    assert_eq!((changed.expect(200)["version"].as_u64(), changed.etag()), (Some(2), "\"2\""));
    let stale = admin.request(Method::PUT, &path).header("if-match", "\"1\"");
    let stale = admin.send(stale.json(&json!({ "subject": "x" }))).await;
    assert_eq!(stale.refused(412), "stale_version");

    // cancelled in its delay it is a draft again
    let send = format!("{path}/send");
    let ordered = admin.post(&send, &json!({})).await;
    let job = ordered.expect(202)["status_url"].as_str().expect("a path").to_owned();
    assert_eq!(admin.get(&path).await.expect(200)["status"], "sending");
    assert_eq!(admin.post(&send, &json!({})).await.refused(409), "newsletter_not_draft");
    assert_eq!(admin.delete(&path).await.refused(409), "newsletter_not_draft");
    admin.delete(&job).await.expect(200);
    assert_eq!(admin.get(&path).await.expect(200)["status"], "draft");

    let ordered = admin.post(&send, &json!({ "delay_s": 0 })).await;
    let job = ended(&admin, &ordered.field("status_url")).await;
    assert_eq!((&job["status"], count(&job, "sent")), (&json!("succeeded"), 3), "{job}");
    assert_eq!((&job["done"], &job["total"]), (&json!(3), &json!(3)));
    let results = format!("/api/admin/jobs/{}/results", job["id"].as_str().expect("id"));
    let results = admin.lists_all(&results, "").await;
    assert!(results.iter().all(|row| row["outcome"] == "sent") && results.len() == 3);
    for email in &emails {
        let raw = newsletter_to(&shop, email, &subject).await;
        // each has a letter of their own
        assert!(emails.iter().filter(|other| raw.contains(*other)).count() == 1, "{raw}");
        let rows = admin.lists_all("/api/admin/notifications", &format!("recipient={email}")).await;
        let row = rows.iter().find(|row| row["kind"] == "newsletter").expect("a row");
        assert_eq!(row["status"], "sent", "{row}");
        let letter = format!("/api/admin/letters/{}", row["letter_id"].as_str().expect("id"));
        let letter = admin.get(&letter).await;
        assert!(letter.expect(200)["text"].as_str().is_some_and(|text| text.contains("Hello")));
        assert!(!letter.text().contains("token="), "the desk sees a reader's link");
    }
    let sent = admin.get(&path).await.expect(200);
    assert!(sent["status"] == "sent" && sent["sent_at"].is_string(), "{sent}");
    assert_eq!(admin.post(&send, &json!({})).await.refused(409), "newsletter_not_draft");
    let listed = admin.lists_all(NEWSLETTERS, "").await;
    assert_eq!(listed[0]["id"], sent["id"]);

    // staff end it for somebody who wrote
    let found = admin.lists_all(SUBSCRIBERS, &format!("q={}&status=confirmed", emails[0])).await;
    let one = format!("{SUBSCRIBERS}/{}", found[0]["id"].as_str().expect("id"));
    assert_eq!(admin.delete(&one).await.expect(200)["ended_by"], "staff");
    let counts = admin.get(&format!("{SUBSCRIBERS}/counts")).await.expect(200);
    assert_eq!(counts["by_status"], json!({ "confirmed": 2, "ended": 1 }));
    let customer = shop.customer().await;
    for path in [NEWSLETTERS, SUBSCRIBERS, path.as_str()] {
        customer.get(path).await.refused(403);
    }
    customer.post(&send, &json!({})).await.refused(403);
    finish(shop).await;
}

async fn links_are_followed_by_people_and_not_by_programs(backend: Backend) {
    let shop = with_mail(plan(backend), backend).open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let email = somebody();
    anonymous.post(ASK, &json!({ "email": email })).await.expect(202);
    let words = letter(&shop, &email, "Do you want our newsletter?").await;
    let page = format!("/newsletter/confirm?token={}", token_in(&words));
    let status = || async {
        let found = admin.lists_all(SUBSCRIBERS, &format!("q={email}")).await;
        found[0]["status"].as_str().expect("a status").to_owned()
    };
    // a program that checks mail follows every link
    let seen = anonymous.get(&page).await;
    assert_eq!(seen.status, 200);
    assert!(seen.header("content-type").starts_with("text/html"));
    let button = format!("<form method=\"post\" action=\"{page}\">");
    assert!(seen.text().contains(&button), "{}", seen.text());
    assert_eq!(status().await, "pending");
    // the page runs nothing, and sends its form nowhere else
    let policy = seen.header("content-security-policy");
    assert!(policy.contains("form-action 'self'") && !policy.contains("unsafe"), "{policy}");

    // somebody who is logged in presses the button: a plain form brings no token
    let (user, _) = shop.person("customer").await;
    let login = json!({
        "email": user["email"], "password": souk_testkit::shop::PASSWORD, "cookie": true,
    });
    let login = anonymous.request(Method::POST, "/api/auth/login").json(&login);
    let login = anonymous.send(login.header("sec-fetch-site", "same-origin")).await;
    login.expect(200);
    let cookies = login.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok());
    let mut cookie = cookies.filter_map(|line| line.split(';').next());
    let cookie = cookie.find(|pair| pair.starts_with("souk_session="));
    let cookie = cookie.expect("a cookie").to_owned();
    let press = |path: String| {
        let request = anonymous.request(Method::POST, &path).header("cookie", &cookie);
        let request = request.header("sec-fetch-site", "same-origin");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        anonymous.send(request)
    };
    let pressed = press(page.clone()).await;
    assert!(pressed.status == 200 && pressed.text().contains("Thank you"), "{}", pressed.text());
    assert_eq!(status().await, "confirmed");
    assert_eq!(press("/newsletter/confirm?token=x".to_owned()).await.status, 404);
    assert_eq!(press("/newsletter/confirm".to_owned()).await.status, 404);

    let subject = unique("Links");
    sends(&admin, &subject, false).await;
    let path = unsubscribe_of(&newsletter_to(&shop, &email, &subject).await);
    let seen = anonymous.get(&path).await;
    assert!(seen.text().contains("Send me no more of them"), "{}", seen.text());
    assert_eq!(status().await, "confirmed");
    assert_eq!(press(path.clone()).await.status, 200);
    let record = &admin.lists_all(SUBSCRIBERS, &format!("q={email}")).await[0];
    assert_eq!((&record["status"], &record["ended_by"]), (&json!("ended"), &json!("link")));
    // what a link says is only text
    let odd = anonymous.get("/newsletter/unsubscribe?token=%22%3E%3Cscript%3E").await;
    assert!(odd.status == 200 && !odd.text().contains("<script>"), "{}", odd.text());
    finish(shop).await;
}
