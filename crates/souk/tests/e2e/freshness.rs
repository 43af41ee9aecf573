//! Whoever wrote reads it at once, however hot the product is.
use serde_json::json;
use souk_testkit::{Backend, journeys};

use crate::{finish, plan, teapot};

journeys!(a_change_is_read_at_once_while_others_read);

async fn a_change_is_read_at_once_while_others_read(backend: Backend) {
    let shop = plan(backend).anywhere().open().await;
    let (admin, anonymous) = (shop.admin().await, shop.anonymous());
    let made = admin.creates_product(&teapot()).await.expect(201);
    let keys = ["id", "sku", "slug"].map(|name| made[name].as_str().expect("a key").to_owned());
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = keys
        .iter()
        .map(|key| {
            let (reader, key, stop) = (anonymous.clone(), key.clone(), stop.clone());
            tokio::spawn(async move {
                let mut last = 0;
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let answer = reader.reads(&key).await;
                    let version = answer.expect(200)["version"].as_u64().expect("a version");
                    assert!(version >= last, "{key}: version {version} after {last}");
                    last = version;
                }
            })
        })
        .collect();
    for round in 1..=60_u64 {
        let price = format!("{round}.25");
        let changed = admin.changes(&keys[0], &json!({ "price": price })).await;
        changed.expect(200);
        let key = &keys[usize::try_from(round % 3).expect("small")];
        let read = anonymous.reads(key).await;
        assert_eq!(read.expect(200)["price"], *price, "{key} after its change");
        assert_eq!(read.etag(), changed.etag());
        // lists too
        let list = anonymous.get("/api/products?sort=-updated_at&limit=1").await.expect(200);
        if shop.is_own() {
            assert_eq!(list["items"][0]["price"], *price, "the list after a change");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    for reader in readers {
        reader.await.expect("a reader saw the past");
    }
    admin.deletes(&keys[0]).await.expect(200);
    for key in &keys {
        anonymous.reads(key).await.refused(404);
    }
    admin.restores(&keys[0]).await.expect(200);
    for key in &keys {
        anonymous.reads(key).await.expect(200);
    }
    finish(shop).await;
}
