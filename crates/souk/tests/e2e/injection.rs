//! Text of strangers stays text: markup wherever it is shown (`reliability.md` S24), SQL wherever it is
//! looked for (S42).
use serde_json::json;
use souk_testkit::client::escaped;
use souk_testkit::{Backend, journeys};

use crate::letters::settled;
use crate::{finish, plan, unique};

journeys!(s24_stored_markup_is_shown_as_text, s42_sql_in_a_search_is_text);

const MARKUP: [&str; 4] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "{{7*7}} ${7*7}",
    "javascript:alert(1)",
];

async fn s24_stored_markup_is_shown_as_text(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    let mut pages = Vec::new();
    for (nth, markup) in MARKUP.into_iter().enumerate() {
        let name = format!("{markup} {}", unique("T"));
        let body = json!({
            "sku": unique("MARK"), "name": name, "price": "1.00", "brand": markup,
            "description": markup, "attributes": { "colour": markup },
        });
        let made = admin.creates_product(&body).await;
        assert_eq!(made.expect(201)["name"], *name, "a name is kept as it is");
        let id = made.field("id");
        // as data, never as a page
        let read = admin.reads(&id).await;
        assert!(read.header("content-type").starts_with("application/json"));
        assert_eq!(read.header("x-content-type-options"), "nosniff");
        let rows = settled(&admin, &format!("product_id={id}"), 1).await;
        let letter = rows[0]["letter_id"].as_str().expect("a letter");
        let page = admin.get(&format!("/dev/mailbox/{letter}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        // whoever finds no markup must have looked at the name
        let shown = ["alert(1)", "alert(1)", "7*7", "alert(1)"][nth];
        assert!(page.text().contains(shown), "{}", page.text());
        pages.push(page);
    }
    for path in ["/", "/api/docs", "/routes", "/dev/mailbox"] {
        pages.push(admin.get(path).await);
    }
    for page in pages {
        let text = page.text();
        for live in ["<script>alert", "<img src=x", "href=\"javascript:", "href='javascript:"] {
            assert!(!text.contains(live), "{}: {live} in {text}", page.request);
        }
        assert!(!text.contains("49 $"), "{}: a template was run", page.request);
        assert!(!page.header("content-security-policy").is_empty(), "{}", page.request);
    }
    finish(shop).await;
}

async fn s42_sql_in_a_search_is_text(backend: Backend) {
    let shop = plan(backend).open().await;
    let admin = shop.admin().await;
    for name in ["Shirt, 100% cotton", "Shirt_with_pockets", "O'Neil's shirt", "Plain shirt"] {
        let body = json!({ "sku": unique("SQL"), "name": name, "price": "1.00" });
        admin.creates_product(&body).await.expect(201);
    }
    let before = admin.lists_all("/api/products", "").await;
    let attacks = [
        "zz' OR 1=1 --",
        "zz' OR '1'='1",
        "zz'; DROP TABLE product; --",
        "zz\" OR \"\"=\"",
        "zz') UNION SELECT password_hash FROM account --",
        "zz\\' OR 1=1 --",
        "zz/**/OR/**/1=1",
        "1; SELECT pg_sleep(10)",
    ];
    let lists = ["/api/products", "/api/users", "/api/admin/orders", "/api/admin/notifications"];
    let parameters =
        ["q", "sort", "cursor", "brand", "category", "tag", "status", "recipient", "product_id"];
    for attack in attacks {
        for list in lists {
            for parameter in parameters {
                let answer = admin.get(&format!("{list}?{parameter}={}", escaped(attack))).await;
                answer.status_in(&[200, 404, 422]);
                if answer.status == 200 {
                    let items = answer.json()["items"].as_array().expect("items").len();
                    assert_eq!(items, 0, "{}: {}", answer.request, answer.text());
                }
            }
        }
        admin.reads(attack).await.refused(404);
    }
    // what stands for anything in LIKE stands for itself
    for (wild, name) in [("%", "100% cotton"), ("_", "Shirt_with"), ("o'neil", "O'Neil")] {
        let found = admin.lists_all("/api/products", &format!("q={}", escaped(wild))).await;
        let names: Vec<&str> =
            found.iter().filter_map(|product| product["name"].as_str()).collect();
        assert!(names.iter().all(|name| name.to_lowercase().contains(wild)), "{wild}: {names:?}");
        assert!(names.iter().any(|found| found.contains(name)), "{wild}: {names:?}");
    }
    assert_eq!(admin.lists_all("/api/products", "").await, before, "nothing changed");
    finish(shop).await;
}
