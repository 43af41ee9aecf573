//! Long work: started by a file, followed, listed, tried without effect, cancelled.
use http::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use souk_testkit::{Answer, Backend, Client, eventually, journeys};

use crate::{SOON, finish, plan, unique};

journeys!(
    a_dry_run_says_everything_and_changes_nothing,
    results_name_every_row_that_made_no_product,
    a_cancelled_import_stops_and_is_told_so,
    an_import_that_cannot_be_read_is_refused_or_fails_with_a_sentence,
);

/// Sends a file; `fields` are those of the form before it.
pub(crate) async fn sends_file(admin: &Client, fields: &[(&str, &str)], file: Vec<u8>) -> Answer {
    let mut form = Form::new();
    for (name, value) in fields {
        form = form.text((*name).to_owned(), (*value).to_owned());
    }
    let form = form.part("file", Part::bytes(file).file_name("goods.csv"));
    admin.send(admin.request(Method::POST, "/api/admin/products/import").multipart(form)).await
}

/// The job, once it has ended.
pub(crate) async fn ended(admin: &Client, path: &str) -> Value {
    eventually("the job ends", SOON * 6, || async {
        let job = admin.get(path).await.expect(200);
        let over = ["succeeded", "failed", "cancelled"]
            .contains(&job["status"].as_str().unwrap_or_default());
        if over { Ok(job) } else { Err(job.to_string()) }
    })
    .await
}

/// Imports a file to the end, which must be a good one.
pub(crate) async fn imports(admin: &Client, fields: &[(&str, &str)], file: Vec<u8>) -> Value {
    let started = sends_file(admin, fields, file).await.expect(202);
    let job = ended(admin, started["job"].as_str().expect("a path")).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    job
}

/// A figure of a job; 0 when it has none of the name.
pub(crate) fn count(job: &Value, outcome: &str) -> usize {
    job["counts"][outcome].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default()
}

fn goods(rows: usize) -> Vec<u8> {
    let mut file = "sku,name,price,stock\n".to_owned();
    (0..rows).for_each(|n| file += &format!("JOB-{n:06},Thing {n},{}.50,{}\n", n % 90 + 1, n % 9));
    file.into_bytes()
}

async fn a_dry_run_says_everything_and_changes_nothing(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let mut file = goods(700);
    file.extend_from_slice(b"BAD-1,No price,abc,1\nFREE-1,Free,0,1\n");
    let job = imports(&admin, &[("dry_run", "true")], file.clone()).await;
    let counts = ["created", "rejected", "skipped"].map(|outcome| count(&job, outcome));
    assert_eq!(counts, [700, 1, 1], "{job}");
    let products = admin.lists_all("/api/products", "include_hidden=true").await;
    let events = admin.lists_all("/api/admin/events", "service=catalog").await;
    assert_eq!((products.len(), events.len()), (0, 0));
    let job = imports(&admin, &[("dry_run", "false")], file.clone()).await;
    assert_eq!([count(&job, "created"), count(&job, "rejected")], [700, 1]);
    let job = imports(&admin, &[("dry_run", "true")], file).await;
    assert_eq!([count(&job, "unchanged"), count(&job, "created")], [700, 0]);
    assert_eq!(admin.lists_all("/api/admin/events", "service=catalog").await.len(), 700);
    finish(shop).await;
}

async fn results_name_every_row_that_made_no_product(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let file = "sku,name,price,stock,kind,colour\n\
                A,Alpha,1.00,1,,red\n\
                ,No code,1.00,1,,\n\
                BB,Beta,-1,1,,\n\
                C,Gamma,2.00,lots,,\n\
                DD,Delta,0,1,,\n\
                POST,Postage,3.00,1,,\n\
                E,Epsilon,1.999,1,liquid,\n\
                A,Alpha again,1.50,,,\n\
                F,\"Two\nlines\",1.00,1,,\n\
                G,Eta,4.00,1,digital,\n\
                H,,5.00,1,,\n";
    let job = imports(&admin, &[], file.as_bytes().to_vec()).await;
    let figures = ["created", "skipped", "rejected", "failed"].map(|outcome| count(&job, outcome));
    let path = format!("/api/admin/jobs/{}/results", job["id"].as_str().expect("id"));
    let mut rows: Vec<(u64, String, String, String)> = Vec::new();
    for row in admin.lists_all(&path, "").await {
        let text = |name: &str| row[name].as_str().expect("a text").to_owned();
        rows.push((
            row["position"].as_u64().expect("a line"),
            text("key"),
            text("outcome"),
            text("detail"),
        ));
    }
    rows.sort();
    let expected = [
        (3, "", "rejected", "sku"),
        (4, "BB", "rejected", "price"),
        (5, "C", "rejected", "stock"),
        (6, "DD", "skipped", "zero"),
        (7, "POST", "skipped", "no goods"),
        (8, "E", "rejected", "price"),
        (9, "A", "created", "prd_"),
        (10, "F", "rejected", "name"),
        (12, "G", "created", "prd_"),
        (13, "H", "failed", "name"),
    ];
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    assert_eq!(figures, [2, 2, 5, 1], "{job} {rows:#?}");
    for (row, (line, key, outcome, word)) in rows.iter().zip(expected) {
        assert_eq!((row.0, row.1.as_str(), row.2.as_str()), (line, key, outcome), "{row:?}");
        assert!(row.3.contains(word), "{row:?} does not say {word:?}");
    }
    // everything broken in a row is said at once
    assert!(rows[5].3.contains("kind"), "{:?}", rows[5]);
    let alpha = admin.reads("A").await.expect(200);
    assert_eq!(
        (alpha["name"].as_str(), alpha["price"].as_str()),
        (Some("Alpha again"), Some("1.50"))
    );
    assert_eq!(alpha["stock"], 1, "an empty cell leaves what an earlier line said");
    assert_eq!(job["done"], job["total"]);
    let all = admin.get("/api/admin/jobs").await.expect(200);
    assert!(all["items"].as_array().expect("items").iter().any(|other| other["id"] == job["id"]));
    finish(shop).await;
}

async fn a_cancelled_import_stops_and_is_told_so(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let started = sends_file(&admin, &[], goods(60_000)).await;
    let path = started.expect(202)["job"].as_str().expect("a path").to_owned();
    assert_eq!(started.header("location"), path);
    let running = eventually("the job makes progress", SOON, || async {
        let job = admin.get(&path).await.expect(200);
        let moves = job["status"] == "running" && job["done"].as_u64().is_some_and(|done| done > 0);
        if moves { Ok(job) } else { Err(job.to_string()) }
    })
    .await;
    assert!(!running["message"].as_str().unwrap_or_default().is_empty());
    admin.delete(&path).await.expect(200);
    let job = ended(&admin, &path).await;
    assert_eq!(job["status"], "cancelled", "{job}");
    let made = count(&job, "created");
    assert!(made < 60_000);
    // nothing goes on behind its back: what another import makes afterwards is all there is more
    let first = admin.lists_all("/api/admin/events", "service=catalog").await.len();
    let sku = unique("AFTER");
    imports(&admin, &[], format!("sku,name,price\n{sku},After,1\n").into_bytes()).await;
    let second = admin.lists_all("/api/admin/events", "service=catalog").await.len();
    assert_eq!(second, first + 1);
    // an ended job can be removed from the history
    admin.delete(&path).await.expect(200);
    assert_eq!(admin.get(&path).await.refused(404), "job_not_found");
    assert_eq!(admin.get("/api/admin/jobs/job_unknown").await.refused(404), "job_not_found");
    finish(shop).await;
}

async fn an_import_that_cannot_be_read_is_refused_or_fails_with_a_sentence(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let path = "/api/admin/products/import";
    admin.post(path, &json!({ "file": "x" })).await.refused(415);
    let none = admin.request(Method::POST, path).multipart(Form::new().text("currency", "EUR"));
    let none = admin.send(none).await;
    none.refused(422);
    assert_eq!(none.broken_fields(), ["file"]);
    let fields = [
        (("map", "sku"), "map"),
        (("map", "colour=Colour"), "map"),
        (("currency", "EURO"), "currency"),
        (("dry_run", "maybe"), "dry_run"),
        (("speed", "9"), "speed"),
    ];
    for (field, named) in fields {
        let answer = sends_file(&admin, &[field], goods(1)).await;
        if answer.status == 202 {
            // what only the file can show is said by the job
            let job = ended(&admin, &answer.field("job")).await;
            assert_eq!(
                (job["status"].as_str(), named),
                (Some("failed"), "map"),
                "{field:?}: {job}"
            );
            continue;
        }
        answer.refused(422);
        assert_eq!(answer.broken_fields(), [named], "{field:?}");
    }
    let broken =
        admin.request(Method::POST, path).header("content-type", "multipart/form-data; boundary=x");
    admin.send(broken.body("--x\r\nnonsense")).await.refused(400);
    for (file, word) in [(&b""[..], "empty"), (b"a;b;c\n1;2;3\n", "sku"), (b"\x00\x01\x02", "sku")]
    {
        let answer = sends_file(&admin, &[], file.to_vec()).await;
        let said = if answer.status == 202 {
            let job = ended(&admin, &answer.field("job")).await;
            assert_eq!(job["status"], "failed", "{job}");
            job["message"].as_str().unwrap_or_default().to_owned()
        } else {
            answer.refused(422);
            answer.text()
        };
        assert!(said.contains(word), "{said:?} does not say {word:?}");
    }
    assert!(admin.lists_all("/api/products", "").await.is_empty());
    finish(shop).await;
}
