//! A process that is killed at each point of an order's way, and the next one that finishes it.
//!
//! The victim is this test program again: it places an order and dies where it is told to.
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use souk_proto::orders::v1 as pb;

use super::stage::{DECLINES, Person, Place, eventually, staff};

/// Tells the victim where it works, and as whom it buys.
const PLACE: &str = "SOUK_TEST_VICTIM";

/// The way of an order that is paid.
const FORWARD: [&str; 8] = [
    "orders.accepting",
    "orders.accepted",
    "orders.reserved",
    "orders.authorised",
    "orders.committed",
    "orders.capturing",
    "orders.captured",
    "orders.confirmed",
];
/// And back, of one whose payment is declined.
const BACK: [&str; 4] = ["orders.releasing", "orders.voided", "orders.released", "orders.ended"];
const REFUND: [&str; 3] = ["orders.refunding", "orders.refunded", "orders.restocked"];

/// Is the victim when told so; otherwise there is nothing to do.
#[test]
fn victim() {
    #[allow(clippy::disallowed_methods, reason = "how the victim is told")]
    let Ok(told) = std::env::var(PLACE) else { return };
    let parts: Vec<&str> = told.split('\n').collect();
    let [dir, stem, buyer, product, deed] = parts[..] else { panic!("{told}") };
    let place = Place { dir: dir.into(), stem: (!stem.is_empty()).then(|| stem.to_owned()) };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stage = place.open(&[]).await;
        let buyer = Person::with_id(buyer, &[]);
        if deed == "refund" {
            let id = product.to_owned();
            let all = pb::RefundOrderRequest { id, restock: true, ..Default::default() };
            let _ = stage.refund(&staff(), all).await;
        } else {
            stage.add(&buyer, product, 2).await;
            let card = if deed == "decline" { DECLINES } else { "" };
            let _ = stage.place(&buyer, card, "k").await;
        }
        // points may come after the answer
        eventually("death", || async { None::<()> }).await;
    });
}

async fn kill_at(place: &Place, buyer: &Person, product: &str, deed: &str, point: &str) {
    let stem = place.stem.clone().unwrap_or_default();
    let told = [place.dir.to_str().unwrap(), &stem, &buyer.id, product, deed].join("\n");
    let status = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "order::kill::victim", "--nocapture"])
        .env(PLACE, told)
        .env("SOUK_CRASH_AT", point)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .unwrap();
    assert_eq!(status.signal(), Some(9), "nobody died at {point}: {status}");
}

async fn every_point(place: Place) {
    let stage = place.open(&[]).await;
    let product = stage.product("10", 1_000).await;
    let mut place = stage.stop().await;
    for (deed, point) in
        FORWARD.map(|point| ("pay", point)).into_iter().chain(BACK.map(|p| ("decline", p)))
    {
        let buyer = Person::new(&[]);
        kill_at(&place, &buyer, &product, deed, point).await;
        let stage = place.open(&[]).await;
        let list = buyer.asks(stage.orders().list_orders(pb::ListOrdersRequest::default())).await;
        let items = list.unwrap().items;
        if point == "orders.accepting" {
            assert!(items.is_empty(), "nothing was accepted");
            assert_eq!(stage.cart(&buyer).await.items[0].quantity, 2);
        } else {
            let status = if deed == "pay" { "confirmed" } else { "payment_failed" };
            let order = stage.becomes(&items[0].id, status).await;
            let paid = order.payment.unwrap();
            let expected = if deed == "pay" { 2000 } else { 0 };
            assert_eq!(paid.captured_minor, expected, "{point}");
            let restored = stage.cart(&buyer).await.items.len();
            assert_eq!(restored, usize::from(deed == "decline"), "{point}");
        }
        stage.verify().await;
        place = stage.stop().await;
    }
    let sold = FORWARD.len() as i64 - 1;
    let stage = place.open(&[]).await;
    assert_eq!(stage.stock(&product).await, 1_000 - 2 * sold);
    let place = refunds(stage.stop().await, &product).await;
    place.clear().await;
}

async fn refunds(mut place: Place, product: &str) -> Place {
    for point in REFUND {
        let buyer = Person::new(&[]);
        let stage = place.open(&[]).await;
        let before = stage.stock(product).await;
        let order = stage.bought(&buyer, product, 2).await;
        place = stage.stop().await;
        kill_at(&place, &buyer, &order.id, "refund", point).await;
        let stage = place.open(&[]).await;
        let after = stage.becomes(&order.id, "refunded").await;
        assert_eq!(after.payment.unwrap().refunded_minor, 2000, "{point}");
        assert_eq!(stage.stock(product).await, before, "{point}");
        stage.verify().await;
        place = stage.stop().await;
    }
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_a_kill_at_every_point_on_sqlite() {
    every_point(Place::file()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_survives_a_kill_at_every_point_on_postgresql() {
    every_point(Place::server().await).await;
}
