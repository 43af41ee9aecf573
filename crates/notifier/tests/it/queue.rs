//! From the bus to the letter, as the frame runs it.
use std::sync::atomic::Ordering;
use std::time::Duration;

use souk_events::{Consumer, HandleError, Handler, registry};
use souk_notifier::events::product::{self, ProductHandler};
use souk_notifier::store::notification;
use souk_proto::events::v1::ProductChanged;
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, admin, benches, envelope};
use crate::neighbor::Neighborhood;

async fn wait_for_rows(bench: &Bench, rows: u64) {
    let enough = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        loop {
            tick.tick().await;
            let counts = notification::count(bench.db().write(), &Default::default()).await;
            if counts.expect("counts").values().sum::<u64>() >= rows {
                return;
            }
        }
    };
    let patience = Duration::from_secs(180);
    tokio::time::timeout(patience, enough).await.expect("the rows are written in time");
}

#[tokio::test]
async fn events_of_the_queue_become_one_letter_an_administrator_also_when_they_come_twice() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let admins = [admin("Ann"), admin("Bob")];
        neighbors.knows(&admins);
        neighbors.accounts.away.store(true, Ordering::SeqCst);
        let bus = souk_events::bus::open("", bench.store.dir.path()).await.expect("a bus");
        bus.declare(registry::QUEUES).await.expect("queues");
        let event = bench.change("Mug");
        let events = [event.clone(), bench.change("Cup"), event];
        for published in bus.publish(&events).await {
            published.expect("published");
        }
        let handler = ProductHandler::new(bench.app.clone(), neighbors.client());
        let consumer = Consumer::new("notifier.product.v1", 256, handler);
        let stop = CancellationToken::new();
        let running = tokio::spawn(consumer.run(bench.db().clone(), bus, stop.clone()));
        let asked = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            while neighbors.accounts.asked.load(Ordering::SeqCst) == 0 {
                tick.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(180), asked).await.expect("accounts is asked");
        assert_eq!(bench.ledger().await.len(), 0, "nothing is written while accounts is away");
        neighbors.accounts.away.store(false, Ordering::SeqCst);
        wait_for_rows(&bench, 4).await;
        stop.cancel();
        running.await.expect("ends");
        bench.deliver().await;
        assert_eq!(bench.ses.accepted().len(), 4, "{}", bench.store.name);
        for who in &admins {
            assert_eq!(bench.standing(who).await, ["sent"; 2]);
        }
    }
}

#[tokio::test]
async fn a_neighbor_that_is_away_is_no_fault_of_the_event() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        neighbors.accounts.away.store(true, Ordering::SeqCst);
        let handler = ProductHandler::new(bench.app.clone(), neighbors.client());
        let refused = handler.prepare(&[bench.change("Mug")]).await.err().expect("not ready");
        assert!(matches!(refused, HandleError::Later(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn what_is_no_product_change_is_poison() {
    let at = crate::bench::start();
    let good = ProductChanged {
        product_id: souk_values::ProductId::new().to_string(),
        kind: "changed".into(),
        ..Default::default()
    };
    let of = |message: &ProductChanged| {
        envelope("souk.catalog.product.changed.v1", "product/1".into(), message, at)
    };
    assert!(product::from_proto(&of(&good)).is_ok());
    let no_id = ProductChanged { product_id: "42".into(), ..good.clone() };
    let odd = ProductChanged { kind: "teleported".into(), ..good };
    let mut torn = of(&odd);
    torn.payload = bytes::Bytes::from_static(b"\xff\xff\xff");
    for event in [of(&no_id), of(&odd), torn] {
        let refused = product::from_proto(&event).expect_err("poison");
        assert!(matches!(refused, HandleError::Poisoned(_)), "{refused:?}");
    }
}

/// The promise of bulk inserts: an import of many is a matter of rows, not of letters.
#[tokio::test]
async fn an_import_of_thousands_is_one_digest_each() {
    for bench in benches().await {
        let admins = [admin("Ann"), admin("Bob"), admin("Cleo")];
        let events: Vec<_> =
            (0..5_120).map(|n| bench.event(&format!("p{n}"), "created", "job_1")).collect();
        for batch in events.chunks(256) {
            bench.hear(batch, &admins).await;
        }
        bench.pass(60);
        assert_eq!(bench.deliver().await, 3, "{}", bench.store.name);
        let counts = notification::count(bench.db().write(), &Default::default()).await;
        assert_eq!(counts.expect("counts")["sent"], 3 * 5_120);
    }
}
