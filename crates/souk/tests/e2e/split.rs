//! Six processes and more than one gateway: the same shop over sockets.
use std::time::{Duration, Instant};

use serde_json::json;
use souk_testkit::{Backend, eventually};

use crate::{finish, notices, plan, teapot};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_for_each_service_tells_every_admin() {
    let shop = plan(Backend::Servers).with_ses().split().open().await;
    notices::tell_every_admin(&shop).await;
    finish(shop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_gateway_follows_a_change_within_a_second() {
    let mut shop = plan(Backend::Servers).set("grpc.listen", "127.0.0.1:0").open().await;
    let admin = shop.admin().await;
    let near = shop.anonymous();
    let far = near.at(&shop.second_gateway().await);
    let id = admin.creates_product(&teapot()).await.field("id");
    // both know it, under all its names
    far.reads(&id).await.expect(200);
    near.reads(&id).await.expect(200);
    for round in 1..=10 {
        let price = format!("{round}.50");
        admin.changes(&id, &json!({ "price": price })).await.expect(200);
        assert_eq!(near.reads(&id).await.expect(200)["price"], *price, "the gateway that wrote");
        let started = Instant::now();
        eventually("the other gateway follows", Duration::from_secs(1), || async {
            let read = far.reads(&id).await.expect(200);
            if read["price"] == *price { Ok(()) } else { Err(read.to_string()) }
        })
        .await;
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    admin.deletes(&id).await.expect(200);
    eventually("the other gateway forgets it", Duration::from_secs(1), || async {
        let answer = far.reads(&id).await;
        if answer.status == 404 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    finish(shop).await;
}
