//! The program as operators have it: settings, one owner of the data, commands with and without a server.
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use souk_testkit::shop::{ADMIN_EMAIL, ADMIN_PASSWORD};
use souk_testkit::{Backend, Process, ProcessPlan, Storehouse, journeys};
use souk_values::Clock;

journeys!(
    impossible_settings_are_refused_with_a_sentence,
    commands_work_beside_a_server_and_without_one,
    a_lost_second_factor_is_reset_by_the_operator,
    metrics_tell_what_was_answered,
);

async fn plan(backend: Backend) -> ProcessPlan {
    let store = Arc::new(Storehouse::new(backend).await);
    Process::plan(env!("CARGO_BIN_EXE_souk"), &store)
}

async fn impossible_settings_are_refused_with_a_sentence(backend: Backend) {
    let plan = plan(backend).await;
    for (key, value, word) in [
        ("gateway.colour", "red", "colour"),
        ("colour", "red", "colour"),
        ("notifier.digest.treshold", "5", "treshold"),
        ("gateway.listen", "nowhere", "listen"),
        ("gateway.max_body", "12", "max_body"),
        ("gateway.rate_limit.per_second", "0", "per_second"),
        ("shop.currency", "EURO", "shop.currency"),
        ("bus.url", "http://x", "bus.url"),
        ("cache.url", "http://x", "cache.url"),
        ("notifier.digest.window", "soon", "window"),
        ("mail.sender", "pigeon", "sender"),
        ("secrets.service_token", "changeme", "secrets.service_token"),
        ("log.format", "xml", "log.format"),
    ] {
        let mut process = plan.clone().set(key, value).start();
        let status = process.wait_end(Duration::from_secs(30)).await;
        let log = process.log();
        let said = log.lines().last().unwrap_or_default();
        assert!(!status.success(), "{key}={value} was accepted");
        assert!(said.starts_with("souk: ") && said.contains(word), "{key}={value}: {log}");
        assert!(!log.contains("panicked"), "{log}");
    }
    if backend == Backend::Servers {
        let mut process = plan.clone().set("secrets.service_token", "").start();
        assert!(!process.wait_end(Duration::from_secs(30)).await.success());
        assert!(process.log().contains("secrets.service_token must be set"), "{}", process.log());
    }
    let shown = plan.run(&["config", "show"], "").await.well();
    for (key, value) in plan.store().settings() {
        let secret = key.starts_with("secrets.");
        assert!(!secret || !shown.contains(value.as_str()), "{key} is shown");
    }
    assert!(!plan.run(&["serve", "--colour"], "").await.status.success());
    assert!(!plan.run(&["dance"], "").await.status.success());
}

async fn a_lost_second_factor_is_reset_by_the_operator(backend: Backend) {
    let plan = plan(backend).await.set("accounts.admin_second_factor", "required");
    let process = plan.open().await;
    let anonymous = process.shop().anonymous();
    let login = json!({ "email": ADMIN_EMAIL, "password": ADMIN_PASSWORD });
    let entered = anonymous.post("/api/auth/login", &login).await;
    assert_eq!(entered.expect(200)["second_factor_enrolment_required"], true);
    let admin = anonymous.with_token(&entered.field("access_token"));
    assert_eq!(admin.get("/api/users").await.refused(403), "second_factor_enrolment_required");

    let password = json!({ "current_password": ADMIN_PASSWORD });
    let begun = admin.post("/api/me/second-factor", &password).await;
    begun.expect(200);
    let secret = totp_rs::Secret::try_from_base32(begun.field("secret")).expect("base 32");
    let phone = totp_rs::Builder::new().with_secret(secret).build().expect("an app");
    let now = Clock::system().now().timestamp().unsigned_abs();
    let code = json!({ "code": phone.generate(now).to_string() });
    let confirmed = admin.post("/api/me/second-factor/confirm", &code).await;
    confirmed.expect(200);
    let admin = anonymous.with_token(&confirmed.field("access_token"));
    admin.get("/api/users").await.expect(200);
    let without = anonymous.post("/api/auth/login", &login).await;
    assert_eq!(without.refused(401), "second_factor_required");

    let reset = ["admin", "reset-second-factor", "--user", ADMIN_EMAIL];
    let done = plan.run(&reset, "").await.well();
    assert!(done.contains("admin has no second factor any more"), "{done}");
    let entered = anonymous.post("/api/auth/login", &login).await;
    assert_eq!(entered.expect(200)["second_factor_enrolment_required"], true);
    let again = plan.run(&reset, "").await;
    assert!(!again.status.success() && again.stderr.contains("has no second factor"), "{again:?}");
    let nobody = plan.run(&["admin", "reset-second-factor", "--user", "nobody"], "").await;
    assert!(!nobody.status.success() && nobody.stderr.contains("no active user"), "{nobody:?}");
}

async fn commands_work_beside_a_server_and_without_one(backend: Backend) {
    let plan = plan(backend).await;
    let goods = plan.store().dir().join("goods.csv");
    std::fs::write(&goods, "Code,Title,Cost\nCLI-1,First,1.50\nCLI-2,Second,2.50\nCLI-3,Third,0\n")
        .expect("a file");
    let goods = goods.display().to_string();
    let import = ["import", goods.as_str(), "--map", "sku=Code,name=Title,price=Cost"];
    let create = |name: &'static str| {
        let email = format!("{name}@cli.test");
        let words = ["admin", "create", "--email"].map(str::to_owned).to_vec();
        [words, vec![email, "--username".to_owned(), name.to_owned()]].concat()
    };

    // without a server
    plan.run(&["migrate"], "").await.well();
    plan.run(&["migrate"], "").await.well();
    let tried = plan.run(&[&import[..], &["--dry-run"]].concat(), "").await.well();
    assert!(tried.contains("2 created") && tried.contains("1 skipped"), "{tried}");
    let done = plan.run(&import, "").await.well();
    assert!(done.contains("2 created") && done.contains("line 4: skipped CLI-3"), "{done}");
    let words = create("alice");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let made = plan.run(&words, "a long enough pass phrase\n").await.well();
    assert!(made.contains("alice is an admin"), "{made}");
    let again = plan.run(&words, "a long enough pass phrase\n").await;
    assert!(!again.status.success() && again.stderr.starts_with("souk: "), "{again:?}");
    assert!(!plan.run(&words, "").await.status.success(), "an empty password");
    let exported = plan.run(&["export"], "").await.well();
    assert!(exported.contains("CLI-1") && exported.lines().count() == 3, "{exported}");
    assert!(!plan.run(&["health"], "").await.status.success(), "nobody serves");

    // beside a server
    let process = plan.open().await;
    let shop = process.shop();
    assert!(plan.run(&["health"], "").await.well().contains("ok"));
    let read = shop.anonymous().reads("CLI-2").await.expect(200);
    assert_eq!(read["price"], "2.50");
    shop.log_in("alice@cli.test", "a long enough pass phrase")
        .await
        .get("/api/users")
        .await
        .expect(200);
    let done = plan.run(&import, "").await.well();
    assert!(done.contains("2 unchanged") && done.contains("0 created"), "{done}");
    let words = create("bob");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    plan.run(&words, "a long enough pass phrase\n").await.well();
    let bob = shop.log_in("bob@cli.test", "a long enough pass phrase").await;
    bob.changes("CLI-1", &json!({ "price": "9.50" })).await.expect(200);
    let file = plan.store().dir().join("out.csv");
    plan.run(&["export", &file.display().to_string()], "").await.well();
    assert!(std::fs::read_to_string(&file).expect("the export").contains("9.50"));
    let events = plan.run(&["events", "list", "--service", "catalog"], "").await.well();
    assert_eq!(events.lines().count(), 3, "{events}");
    assert!(events.contains("souk.catalog.product.changed.v1"), "{events}");
    let id = events
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().nth(2))
        .expect("an id")
        .to_owned();
    let shown = plan.run(&["events", "show", &id], "").await.well();
    assert!(shown.contains("9.50") || shown.contains("950"), "{shown}");
    plan.run(&["events", "list", "--dead"], "").await.well();
    if backend == Backend::Default {
        one_owner(&plan).await;
    }
    stops(process).await;
}

/// SQLite files have one owning process: a second one is refused, and the first goes on.
async fn one_owner(plan: &ProcessPlan) {
    for words in
        [vec!["serve", "--listen", "127.0.0.1:0", "--empty"], vec!["serve", "--only", "notifier"]]
    {
        let second = plan.run(&words, "").await;
        assert!(!second.status.success(), "{second:?}");
        assert!(second.stderr.contains("is in use by another souk process"), "{second:?}");
    }
    assert!(!plan.run(&["migrate"], "").await.status.success(), "migrations beside a server");
    assert!(plan.run(&["health"], "").await.status.success());
}

async fn stops(mut process: Process) {
    let (status, _) = process.terminate(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}\n{}", process.log());
}

async fn metrics_tell_what_was_answered(backend: Backend) {
    let plan = plan(backend).await;
    let process = plan.open().await;
    let shop = process.shop();
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let id = admin.creates_product(&crate::teapot()).await.field("id");
    for _ in 0..5 {
        anonymous.reads(&id).await.expect(200);
    }
    anonymous.reads("nothing").await.refused(404);
    let operator = anonymous.at(&format!("http://{}", process.operator()));
    souk_testkit::eventually("the metrics tell it", crate::SOON, || async {
        let text = operator.get("/metrics").await.text();
        let sum = |name: &str, labels: &[&str]| -> f64 {
            let of = |line: &&str| {
                line.starts_with(name) && labels.iter().all(|label| line.contains(label))
            };
            let value = |line: &str| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok());
            text.lines().filter(of).filter_map(value).sum()
        };
        let route = "route=\"/api/products/{key}\"";
        let reads = sum("http_requests_total", &[route, "method=\"GET\"", "status=\"200\""]);
        let misses = sum("http_requests_total", &[route, "status=\"404\""]);
        let views = sum("views_published_total", &[]);
        let events = sum("events_published_total", &["souk.catalog.product.created.v1"]);
        let seen = [reads, misses, views, events];
        if seen == [5.0, 1.0, 5.0, 1.0] { Ok(()) } else { Err(format!("{seen:?}\n{text}")) }
    })
    .await;
    assert_eq!(operator.get("/healthz").await.status, 200);
    stops(process).await;
}
