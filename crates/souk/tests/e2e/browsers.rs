//! Browsers: sessions in a cookie, requests that other sites make in their name, answers that no
//! cache keeps, paths and methods that play tricks.
use http::Method;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use souk_testkit::shop::PASSWORD;
use souk_testkit::{Answer, Backend, Client, Shop, journeys};

use crate::{finish, plan, teapot};

journeys!(
    a_browser_stays_logged_in_by_its_cookie,
    s21_s22_other_sites_change_nothing_in_a_browsers_name,
    a_cookie_is_bound_to_the_host_over_https,
    whether_somebody_is_logged_in_is_never_a_401,
    s30_no_cache_keeps_what_is_somebodys,
    s30_s33_paths_and_methods_play_no_tricks,
);

/// A browser with the shop's page open.
struct Browser {
    client: Client,
    cookie: String,
    csrf: String,
    login: Answer,
}

/// From the shop's own page.
fn own_page(request: RequestBuilder) -> RequestBuilder {
    request.header("sec-fetch-site", "same-origin")
}

/// `name=value` and the rest of the cookie that an answer sets.
fn set_cookie(answer: &Answer, name: &str) -> Option<(String, String)> {
    let lines = answer.headers.get_all("set-cookie").iter().filter_map(|v| v.to_str().ok());
    let found = lines
        .filter_map(|line| line.split_once("; "))
        .find(|(pair, _)| pair.split_once('=').is_some_and(|(sent, _)| sent == name));
    found.map(|(pair, rest)| (pair.to_owned(), rest.to_owned()))
}

impl Browser {
    async fn opens(shop: &Shop, user: &Value, more: Value) -> Self {
        let client = shop.anonymous();
        let mut body = json!({ "email": user["email"], "password": PASSWORD, "cookie": true });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let request = own_page(client.request(Method::POST, "/api/auth/login")).json(&body);
        let login = client.send(request).await;
        login.expect(200);
        let (cookie, _) = set_cookie(&login, "souk_session").expect("a cookie");
        let csrf = login.field("csrf_token");
        Self { client, cookie, csrf, login }
    }

    /// With the cookie and nothing else.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).header("cookie", &self.cookie)
    }

    async fn get(&self, path: &str) -> Answer {
        self.client.send(self.request(Method::GET, path)).await
    }

    /// As the shop's own page does it.
    async fn sends(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = own_page(self.request(method, path)).header("x-csrf-token", &self.csrf);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        self.client.send(request).await
    }
}

async fn a_browser_stays_logged_in_by_its_cookie(backend: Backend) {
    let shop = plan(backend).open().await;
    let (user, _) = shop.person("customer").await;
    let browser = Browser::opens(&shop, &user, json!({})).await;
    let (_, attributes) = set_cookie(&browser.login, "souk_session").expect("a cookie");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax");
    // for as long as accounts knows the device by it
    let (_, attributes) = set_cookie(&browser.login, "souk_device").expect("a cookie");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Max-Age=15552000");
    let body = browser.login.json();
    assert_eq!(body["user"]["id"], user["id"]);
    let secret = browser.cookie.split_once('=').expect("a pair").1.to_owned();
    for name in ["access_token", "refresh_token", "token_type", "device_token"] {
        assert!(body.get(name).is_none(), "{name} is in {body}");
    }
    assert!(!browser.login.text().contains(&secret));
    assert_eq!(browser.login.header("cache-control"), "no-store");

    let me = browser.get("/api/me").await;
    assert_eq!(me.expect(200)["id"], user["id"]);
    assert_eq!(me.header("cache-control"), "private, no-store");
    let who = browser.get("/api/auth/session").await;
    let who = who.expect(200);
    assert_eq!((&who["authenticated"], &who["user"]["id"]), (&json!(true), &user["id"]));
    assert_eq!(who["csrf_token"], *browser.csrf);
    assert!(who["expires_at"].is_string(), "{who}");
    let changed = browser.sends(Method::PUT, "/api/me", Some(&json!({ "full_name": "Ada" }))).await;
    assert_eq!(changed.expect(200)["full_name"], "Ada");
    let list = browser.get("/api/auth/sessions").await.expect(200);
    let own = list["items"].as_array().expect("items").iter().find(|s| s["current"] == true);
    assert_eq!(own.expect("ours")["id"], body["session_id"]);

    // whoever logs in again has another session, and the one before is over
    let mut again = browser.request(Method::POST, "/api/auth/login");
    again = own_page(again).json(
        &json!({ "email": user["email"], "password": PASSWORD, "cookie": true, "remember": true }),
    );
    let again = browser.client.send(again).await;
    again.expect(200);
    let (cookie, attributes) = set_cookie(&again, "souk_session").expect("a cookie");
    assert_ne!(cookie, browser.cookie);
    assert!(attributes.contains("; Max-Age="), "{attributes}");
    souk_testkit::eventually("the session before is over", crate::SOON, || async {
        let answer = browser.get("/api/me").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    let gone = browser.get("/api/me").await;
    assert_eq!(gone.refused(401), "unauthenticated");
    let (pair, attributes) = set_cookie(&gone, "souk_session").expect("it is taken away");
    assert!(pair == "souk_session=" && attributes.contains("Max-Age=0"), "{pair} {attributes}");
    // an old cookie keeps nobody out of what is everybody's
    browser.get("/api/products").await.expect(200);

    let browser = Browser { cookie, csrf: again.field("csrf_token"), ..browser };
    assert_eq!(
        browser.client.send(browser.request(Method::POST, "/api/auth/logout")).await.refused(403),
        "csrf"
    );
    let out = browser.sends(Method::POST, "/api/auth/logout", None).await;
    assert_eq!((out.status, out.header("clear-site-data")), (204, "\"cookies\""));
    assert!(set_cookie(&out, "souk_session").expect("a cookie").1.contains("Max-Age=0"));
    browser.get("/api/me").await.refused(401);
    assert_eq!(
        browser.get("/api/auth/session").await.expect(200),
        json!({ "authenticated": false })
    );
    finish(shop).await;
}

async fn s21_s22_other_sites_change_nothing_in_a_browsers_name(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let product = admin.creates_product(&teapot()).await.field("id");
    let (user, _) = shop.person("customer").await;
    let (other, _) = shop.person("customer").await;
    let anonymous = shop.anonymous();

    // the login: whoever plants a session of their own
    let login = json!({ "email": user["email"], "password": PASSWORD, "cookie": true });
    let origin = shop.base().to_owned();
    let attempts: [(&[(&str, &str)], u16); 7] = [
        (&[], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("origin", "https://evil.test")], 403),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "cross-site"), ("origin", &origin)], 403),
        (&[("origin", &origin)], 200),
    ];
    for (headers, status) in attempts {
        let mut request = anonymous.request(Method::POST, "/api/auth/login").json(&login);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = anonymous.send(request).await;
        if status == 403 {
            assert_eq!(answer.refused(403), "csrf", "{headers:?}");
            assert!(set_cookie(&answer, "souk_session").is_none());
        } else {
            answer.expect(status);
        }
    }

    let browser = Browser::opens(&shop, &user, json!({})).await;
    let another = Browser::opens(&shop, &other, json!({})).await;
    let (csrf, foreign) = (browser.csrf.clone(), another.csrf.clone());
    let page = ("sec-fetch-site", "same-origin");
    let token = ("x-csrf-token", csrf.as_str());
    let attempts: [(&[(&str, &str)], u16); 10] = [
        (&[], 403),
        (&[page], 403),
        (&[token], 403),
        (&[token, ("sec-fetch-site", "cross-site")], 403),
        (&[token, ("sec-fetch-site", "same-site")], 403),
        (&[token, ("origin", "https://evil.test")], 403),
        (&[page, ("x-csrf-token", &foreign)], 403),
        (&[page, ("x-csrf-token", "")], 403),
        (&[page, token], 200),
        (&[("referer", &format!("{origin}/cart")), token], 200),
    ];
    let body = json!({ "product_id": product });
    let mut added = 0;
    for (headers, status) in attempts {
        let mut request = browser.request(Method::POST, "/api/cart").json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = browser.client.send(request).await;
        if status == 403 {
            assert_eq!(answer.refused(403), "csrf", "{headers:?}");
        } else {
            answer.expect(status);
            added += 1;
        }
        let cart = browser.get("/api/cart").await.expect(200);
        let quantity = cart["items"][0]["quantity"].as_u64().unwrap_or_default();
        assert_eq!(quantity, added, "{headers:?}");
    }
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        let request = browser.request(method.clone(), "/api/me").json(&json!({}));
        assert_eq!(browser.client.send(request).await.refused(403), "csrf", "{method}");
    }
    // a token in the header is no cookie: no page of others can send it
    let bearer = shop.log_in(user["email"].as_str().expect("email"), PASSWORD).await;
    let both = bearer.request(Method::POST, "/api/cart").header("cookie", &browser.cookie);
    bearer.send(both.json(&body)).await.expect(200);
    finish(shop).await;
}

async fn a_cookie_is_bound_to_the_host_over_https(backend: Backend) {
    let shop = plan(backend).set("gateway.public_url", "https://shop.test").open().await;
    let (user, _) = shop.person("customer").await;
    let anonymous = shop.anonymous();
    let login = json!({ "email": user["email"], "password": PASSWORD, "cookie": true });
    // by the name that this connection has, and not by the shop's own
    let near = anonymous.request(Method::POST, "/api/auth/login").header("origin", shop.base());
    assert_eq!(anonymous.send(near.json(&login)).await.refused(403), "csrf");
    let request = anonymous.request(Method::POST, "/api/auth/login");
    let entered = anonymous.send(request.header("origin", "https://shop.test").json(&login)).await;
    entered.expect(200);
    let (cookie, attributes) = set_cookie(&entered, "__Host-souk_session").expect("a cookie");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Lax; Secure");
    let me = anonymous.request(Method::GET, "/api/me").header("cookie", &cookie);
    anonymous.send(me).await.expect(200);
    // the plain name, which a neighbor could set, counts for nothing
    let plain = cookie.replace("__Host-", "");
    let me = anonymous.request(Method::GET, "/api/me").header("cookie", &plain);
    anonymous.send(me).await.refused(401);
    finish(shop).await;
}

async fn whether_somebody_is_logged_in_is_never_a_401(backend: Backend) {
    let shop = plan(backend).open().await;
    let (user, who) = shop.person("customer").await;
    let anonymous = shop.anonymous();
    let nobody = json!({ "authenticated": false });
    let asked = anonymous.get("/api/auth/session").await;
    assert_eq!(asked.expect(200), nobody);
    assert_eq!(asked.header("cache-control"), "no-store");
    for junk in ["junk", "e30.e30.e30", "souk_junk"] {
        let asked = anonymous.with_token(junk).get("/api/auth/session").await;
        assert_eq!(asked.expect(200), nobody, "{junk}");
        anonymous.with_token(junk).get("/api/products").await.refused(401);
    }
    for cookie in ["souk_session=junk", "souk_session=a; souk_session=b", "souk_session="] {
        let request = anonymous.request(Method::GET, "/api/auth/session").header("cookie", cookie);
        assert_eq!(anonymous.send(request).await.expect(200), nobody, "{cookie}");
    }
    let asked = who.get("/api/auth/session").await.expect(200);
    assert_eq!((&asked["authenticated"], &asked["user"]["id"]), (&json!(true), &user["id"]));
    assert!(asked["expires_at"].is_string() && asked.get("csrf_token").is_none(), "{asked}");
    assert!(!asked.to_string().contains("password"));
    finish(shop).await;
}

async fn s30_no_cache_keeps_what_is_somebodys(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let product = admin.creates_product(&teapot()).await.field("id");
    for path in [
        "/api/me",
        "/api/me/addresses",
        "/api/me/preferences",
        "/api/me/second-factor",
        "/api/me/api-keys",
        "/api/auth/session",
        "/api/auth/sessions",
        "/api/cart",
        "/api/orders",
        "/api/orders/history",
        "/api/users",
        "/api/roles",
        "/api/admin/roles",
        "/api/admin/permissions",
        "/api/admin/blocks",
        "/api/admin/jobs",
        "/api/admin/orders",
        "/api/admin/products/export",
        "/api/admin/nothing",
    ] {
        let answer = admin.get(path).await;
        let said = answer.header("cache-control");
        assert!(said.contains("no-store"), "{path}: {} {said:?}", answer.status);
    }
    // what everybody may read is asked for anew, but may be kept
    let read = admin.reads(&product).await;
    assert_eq!((read.status, read.header("cache-control")), (200, "no-cache"));
    // but not what a browser shows to somebody
    let (user, _) = shop.person("customer").await;
    let browser = Browser::opens(&shop, &user, json!({})).await;
    let read = browser.get(&format!("/api/products/{product}")).await;
    assert_eq!((read.status, read.header("cache-control")), (200, "private, no-store"));
    finish(shop).await;
}

async fn s30_s33_paths_and_methods_play_no_tricks(backend: Backend) {
    let shop = plan(backend).open().await;
    let (_, who) = shop.person("customer").await;
    for path in [
        "/api/me/x.css",
        "/api/me%2Fx.css",
        "/api/me;x.css",
        "/api/me.css",
        "/api/auth/session/x.js",
        "/api/auth/sessions/x/y.css",
        "/API/ME",
        "//api/me",
        "/api//me",
    ] {
        let answer = who.get(path).await;
        assert_eq!(answer.refused(404), "not_found", "{path}");
        assert!(answer.header("cache-control").contains("no-store"), "{path}");
    }
    for path in ["/metrics", "/debug", "/debug/pprof", "/actuator", "/api", "/.git/config"] {
        who.get(path).await.refused(404);
    }
    let trace = Method::TRACE;
    for path in ["/", "/api/me", "/api/products", "/api/products/x", "/healthz"] {
        let answer = who.send(who.request(trace.clone(), path)).await;
        assert_eq!(answer.refused(405), "method_not_allowed", "{path}");
        assert!(!answer.text().contains(who.token()), "{path}");
    }
    finish(shop).await;
}
