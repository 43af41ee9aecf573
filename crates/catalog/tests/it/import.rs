//! Product files in.

use std::collections::BTreeMap;

use souk_proto::catalog::v1::{CreateProductRequest, ImportOptions};
use souk_rpc::{Failure, Kind};

use crate::files::{counts, mapping};
use crate::shop::{Shop, answer, broken_fields, named, refusal};

crate::on_both! {
    codes_of_tills_are_no_goods_but_a_shop_may_sell_them_under_such_a_name
    a_mapped_file_makes_products
    columns_named_like_fields_need_no_mapping
    rows_that_make_no_product_are_reported_with_their_lines
    the_last_word_on_a_sku_counts_and_an_empty_cell_says_nothing
    a_repeated_import_changes_nothing_and_tells_nothing
    a_dry_run_reports_and_writes_nothing
    prices_are_in_the_currency_that_was_said
    a_file_that_cannot_be_understood_is_refused_at_once
    the_same_key_with_the_same_file_is_the_same_import
    old_bytes_and_byte_order_marks_are_read
    descriptions_keep_only_what_formats_text
}

const MAP: [(&str, &str); 4] = [
    ("sku", "StockCode"),
    ("name", "Description"),
    ("price", "UnitPrice"),
    ("attributes.Land", "Country"),
];

async fn a_mapped_file_makes_products(shop: &Shop) {
    let file = "InvoiceNo,StockCode,Description,UnitPrice,Country\n\
                1,85123A,WHITE HANGING HEART,2.55,United Kingdom\n\
                2,22423,\"REGENCY, CAKESTAND\",12.75,France\n";
    let job = shop.import_as(mapping(&MAP), file.as_bytes()).await;
    assert_eq!((job.status.as_str(), job.done, job.total), ("succeeded", 2, 2));
    assert_eq!(counts(&job), BTreeMap::from([("created", 2)]));
    let made = shop.get("22423").await.unwrap();
    assert_eq!(
        (made.name.as_str(), made.slug.as_str()),
        ("REGENCY, CAKESTAND", "regency-cakestand")
    );
    assert_eq!((made.price.unwrap().minor, made.attributes["Land"].as_str()), (1275, "France"));
    let results = shop.results(&job).await;
    let seen: Vec<_> =
        results.iter().map(|r| (r.position, r.key.as_str(), r.outcome.as_str())).collect();
    assert_eq!(seen, [(2, "85123A", "created"), (3, "22423", "created")]);
    let (_, told) = shop.events().await.pop().unwrap();
    assert_eq!((told.actor_id.as_str(), told.batch_id), ("operator", job.id));
    assert!(!told.quiet);
}

async fn columns_named_like_fields_need_no_mapping(shop: &Shop) {
    let file = "SKU,Name,price,mark,quantity,Category,tags,kind,active\n\
                A,First,1.5,Orion,7,Home & Garden > Candles,\"x, y\",physical,no\n\
                B1,Second,2,,,,,digital,\n";
    let job = shop.import(file).await;
    assert_eq!(counts(&job), BTreeMap::from([("created", 2)]));
    let first = shop.restore("A").await.unwrap();
    assert_eq!((first.brand.as_str(), first.stock), ("Orion", Some(7)));
    assert_eq!(first.category, "home-garden/candles");
    assert_eq!(first.tags, ["x", "y"]);
    assert_eq!(shop.get("B1").await.unwrap().stock, None);
}

async fn rows_that_make_no_product_are_reported_with_their_lines(shop: &Shop) {
    let file = "sku,name,price,stock\n\
                GOOD,Good,1.00,1\n\
                ,No code,1.00,1\n\
                POST,Postage,18.00,1\n\
                FREE,For nothing,0.00,1\n\
                BAD,Both wrong,-1,many\n\
                HALF,,,\n\
                \"MULTI\",\"two\nlines\",1.00,1\n\
                LAST,Last,2.00,1\n";
    let job = shop.import(file).await;
    assert_eq!(job.status, "succeeded");
    let results = shop.results(&job).await;
    let seen: Vec<_> =
        results.iter().map(|r| (r.position, r.key.as_str(), r.outcome.as_str())).collect();
    assert_eq!(
        seen,
        [
            (2, "GOOD", "created"),
            (3, "", "rejected"),
            (4, "POST", "skipped"),
            (5, "FREE", "skipped"),
            (6, "BAD", "rejected"),
            (7, "HALF", "failed"),
            (8, "MULTI", "rejected"),
            (10, "LAST", "created"),
        ]
    );
    let expected = [("created", 2), ("failed", 1), ("rejected", 3), ("skipped", 2)];
    assert_eq!(counts(&job), BTreeMap::from(expected));
    assert_eq!(results[4].detail, "price must not be negative; stock must be a whole number");
    assert_eq!(results[5].detail, "name is required; price is required");
    assert_eq!(shop.events().await.len(), 2);
}

async fn the_last_word_on_a_sku_counts_and_an_empty_cell_says_nothing(shop: &Shop) {
    let file = "sku,name,price,stock\nA,First,1,3\nB1,Other,5,\nA,,2,\n A ,Last,,\n";
    let job = shop.import(file).await;
    assert_eq!(counts(&job), BTreeMap::from([("created", 2)]));
    let made = shop.get("A").await.unwrap();
    assert_eq!((made.name.as_str(), made.stock, made.version), ("Last", Some(3), 1));
    assert_eq!(made.price.unwrap().minor, 200);
    assert_eq!(shop.events().await.len(), 2);
}

async fn a_repeated_import_changes_nothing_and_tells_nothing(shop: &Shop) {
    let file = "sku,name,price,tags,category\nA,First,1.10,\"a, b\",x/y\nB1,Second,2.20,,\n";
    assert_eq!(counts(&shop.import(file).await), BTreeMap::from([("created", 2)]));
    let before = shop.get("A").await.unwrap();
    let job = shop.import(file).await;
    assert_eq!(counts(&job), BTreeMap::from([("unchanged", 2)]));
    assert_eq!((job.done, job.total), (2, 2));
    assert_eq!(shop.get("A").await.unwrap(), before);
    assert_eq!(shop.events().await.len(), 2);
    let changed = shop.import("sku,price\nA,1.10\nB1,2.30\n").await;
    assert_eq!(counts(&changed), BTreeMap::from([("unchanged", 1), ("updated", 1)]));
    assert_eq!(shop.events().await.len(), 3);
}

async fn a_dry_run_reports_and_writes_nothing(shop: &Shop) {
    shop.product("A", "1").await;
    let file = "sku,name,price,category\nA,Product A,1,\nB1,New,2,new/place\nC,,2,\n";
    let options = ImportOptions { dry_run: true, ..Default::default() };
    let job = shop.import_as(options, file.as_bytes()).await;
    assert_eq!(job.status, "succeeded");
    let expected = [("created", 1), ("failed", 1), ("unchanged", 1)];
    assert_eq!(counts(&job), BTreeMap::from(expected));
    assert!(shop.get("B1").await.is_err());
    assert!(shop.category("new/place").await.is_err(), "its parent was not made");
    assert_eq!(shop.events().await.len(), 1);
}

async fn prices_are_in_the_currency_that_was_said(shop: &Shop) {
    let options = ImportOptions { currency: "JPY".into(), ..Default::default() };
    let file = "sku,name,price,currency\nA,Yen,150,\nB1,Euro,1.50,EUR\nC,Broken,1.50,\nD1,No,1,X\n";
    let job = shop.import_as(options, file.as_bytes()).await;
    assert_eq!(counts(&job), BTreeMap::from([("created", 2), ("rejected", 2)]));
    let price = |product: souk_proto::catalog::v1::Product| {
        let price = product.price.unwrap();
        (price.minor, price.currency)
    };
    assert_eq!(price(shop.get("A").await.unwrap()), (150, "JPY".to_owned()));
    assert_eq!(price(shop.get("B1").await.unwrap()), (150, "EUR".to_owned()));
    shop.import("sku,name,price\nE,Default,1.50\n").await;
    assert_eq!(price(shop.get("E").await.unwrap()), (150, "GBP".to_owned()));
}

async fn a_file_that_cannot_be_understood_is_refused_at_once(shop: &Shop) {
    let says = |refused: Result<String, Failure>| {
        let failure = refused.unwrap_err();
        failure.violations.into_iter().next().unwrap().message
    };
    let plain = ImportOptions::default;
    assert_eq!(says(shop.upload(plain(), b"").await), "is empty");
    let unknown = says(shop.upload(plain(), b"a,b\n1,2\n").await);
    assert!(unknown.contains("sku=COLUMN"), "{unknown}");
    let column = says(shop.upload(mapping(&[("sku", "Code")]), b"a,b\n1,2\n").await);
    assert!(column.contains("no column \"Code\"") && column.contains("a, b"), "{column}");
    let currency = ImportOptions { currency: "EURO".into(), ..plain() };
    assert_eq!(broken_fields(shop.upload(currency.clone(), b"sku\n1\n").await), ["currency"]);
    assert_eq!(broken_fields(shop.upload(currency, b"").await), ["file", "currency"]);
    let kept = shop.house.database("catalog").unwrap();
    let jobs = souk_jobs::Jobs::new(kept, shop.clock.clone());
    let page = souk_values::Page::new(100, "").unwrap();
    assert!(jobs.list(&page).await.unwrap().0.is_empty());
}

async fn old_bytes_and_byte_order_marks_are_read(shop: &Shop) {
    let mut file = b"\xef\xbb\xbfsku,name,price\r\nA,Caf\xe9,1\r\n".to_vec();
    file.extend("B1,Ünï 手机,2\r\n".as_bytes());
    let job = shop.import_as(ImportOptions::default(), &file).await;
    assert_eq!(counts(&job), BTreeMap::from([("created", 2)]));
    assert_eq!(shop.get("A").await.unwrap().name, "Café");
    assert_eq!(shop.get("B1").await.unwrap().name, "Ünï 手机");
}

async fn descriptions_keep_only_what_formats_text(shop: &Shop) {
    let file = "sku,name,price,description\n\
                A,A,1,\"<p onclick='x()'>Hi<script>alert(1)</script></p>\"\nB1,B,1,5 > 4\n";
    shop.import(file).await;
    assert_eq!(shop.get("A").await.unwrap().description, "<p>Hi</p>");
    assert_eq!(shop.get("B1").await.unwrap().description, "5 > 4");
    let again = shop.import(file).await;
    assert_eq!(counts(&again), BTreeMap::from([("unchanged", 2)]));
}

async fn codes_of_tills_are_no_goods_but_a_shop_may_sell_them_under_such_a_name(shop: &Shop) {
    let skipped = shop.import("sku,name,price\nM,Manual,1\npost,Postage,1\nX,Free,0\n").await;
    assert_eq!(counts(&skipped), BTreeMap::from([("skipped", 3)]));
    shop.product("M", "1").await;
    shop.product("free", "0").await;
    let file = shop.export(true).await;
    assert_eq!(counts(&shop.import(&file).await), BTreeMap::from([("unchanged", 2)]));
}

async fn the_same_key_with_the_same_file_is_the_same_import(shop: &Shop) {
    let file = b"sku,name,price\nA,First,1\n";
    let keyed = || ImportOptions { idempotency_key: "k".into(), ..Default::default() };
    let calls = (0..5).map(|_| shop.upload(keyed(), file));
    let mut ids = Vec::new();
    for answer in futures::future::join_all(calls).await {
        match answer {
            Ok(id) => ids.push(id),
            Err(failure) => {
                let expected = (Kind::Conflict, "idempotency_key_in_flight".to_owned());
                assert_eq!((failure.kind, failure.reason), expected);
            }
        }
    }
    ids.push(shop.upload(keyed(), file).await.unwrap());
    let first = ids[0].clone();
    assert!(ids.iter().all(|id| *id == first), "{ids:?}");
    shop.ended(&first).await;
    let other = shop.upload(keyed(), b"sku,name,price\nA,First,2\n").await;
    assert_eq!(refusal(other), (Kind::Invalid, "idempotency_key_reused".to_owned()));
    let request = CreateProductRequest {
        fields: Some(named("C", "1")),
        idempotency_key: "k".into(),
        ..Default::default()
    };
    let product = answer(shop.products().create_product(request)).await;
    assert_eq!(refusal(product).1, "idempotency_key_reused");
    let imports = shop.house.database("catalog").unwrap();
    let jobs = souk_jobs::Jobs::new(imports, shop.clock.clone());
    let page = souk_values::Page::new(100, "").unwrap();
    assert_eq!(jobs.list(&page).await.unwrap().0.len(), 1);
    let left = std::fs::read_dir(shop.dir().join("files/catalog/imports")).unwrap();
    assert_eq!(left.count(), 0, "files were left behind");
}
