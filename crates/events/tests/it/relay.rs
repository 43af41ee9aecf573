//! What is committed is published: all of it, in order, by one relay.
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use rand::RngExt;
use souk_events::{Bus, Envelope, Outbox, Relay, bus, outbox, registry};
use souk_values::{Clock, Page};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::home::{Home, on_both, until};
use crate::outbox::{box_of, event, send_all, tell};
use crate::scripted::{Reply, ScriptedBus};

struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn start(home: &Home, outbox: &Outbox, bus: Arc<dyn Bus>) -> Running {
    let stop = CancellationToken::new();
    let relay = Relay::new(home.db.clone(), bus, outbox.clone());
    Running { task: tokio::spawn(relay.run(stop.clone())), stop }
}

impl Running {
    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

async fn waiting(home: &Home) -> i64 {
    home.number("SELECT COUNT(*) FROM outbox").await
}

/// Fails unless each key's versions arrived as 1, 2, 3 …, repeats of the newest aside.
fn in_order(arrived: &[Envelope]) {
    let mut newest: HashMap<&str, u64> = HashMap::new();
    for event in arrived {
        let last = newest.entry(&event.partition_key).or_default();
        let version = event.version;
        assert!(
            version == *last || version == *last + 1,
            "{}: {version} after {last}",
            event.subject
        );
        *last = version;
    }
}

/// 20 keys of 30 versions, in transactions of mixed sizes.
async fn tell_600(home: &Home, outbox: &Outbox) {
    for version in 1..=30 {
        let events: Vec<_> = (0..20).map(|key| event(&format!("p{key}"), version)).collect();
        for some in events.chunks(7) {
            tell(home, outbox, some.to_vec()).await;
        }
    }
}

async fn every_event_is_sent_once_while_the_bus_flaps(home: Home) {
    let outbox = box_of(Clock::system());
    let mut tries = 0;
    let bus = ScriptedBus::new(move |_| {
        tries += 1;
        match tries % 15 {
            0 => Reply::Away,
            5 => Reply::Refused,
            10 => Reply::Unroutable,
            _ => Reply::Confirm,
        }
    });
    let relay = start(&home, &outbox, Arc::new(bus.clone()));
    tell_600(&home, &outbox).await;
    until("all is sent", async || waiting(&home).await == 0).await;
    relay.stop().await;
    let log = bus.log();
    let ids: HashSet<_> = log.arrived.iter().map(|event| event.id).collect();
    assert_eq!((log.arrived.len(), ids.len()), (600, 600));
    assert!(log.tries > 600, "the bus never failed");
    in_order(&log.arrived);
}

async fn a_lost_confirmation_repeats_the_event_and_keeps_the_order(home: Home) {
    let outbox = box_of(Clock::system());
    let bus = ScriptedBus::new(|_| match rand::rng().random_range(0..12) {
        0 => Reply::ConfirmUnheard,
        1 => Reply::Refused,
        _ => Reply::Confirm,
    });
    tell_600(&home, &outbox).await;
    send_all(&home, &outbox, &bus).await;
    let log = bus.log();
    let ids: HashSet<_> = log.arrived.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 600);
    assert!(log.arrived.len() > 600, "no confirmation was lost");
    in_order(&log.arrived);
}

async fn a_refused_event_holds_back_its_key_and_no_other(home: Home) {
    let outbox = box_of(Clock::system());
    let bus = ScriptedBus::new(|event| match (event.partition_key.as_str(), event.version) {
        ("stuck", 2) => Reply::Refused,
        _ => Reply::Confirm,
    });
    let relay = start(&home, &outbox, Arc::new(bus.clone()));
    for version in 1..=4 {
        tell(&home, &outbox, vec![event("stuck", version), event("free", version)]).await;
    }
    let refused = "SELECT CAST(COALESCE(MAX(attempts), 0) AS bigint) FROM outbox";
    until("three refusals", async || home.number(refused).await >= 3).await;
    let versions = |key: &str| {
        let log = bus.log();
        let of_key = log.arrived.iter().filter(|event| event.partition_key == key);
        of_key.map(|event| event.version).collect::<Vec<_>>()
    };
    until("the others are sent", async || versions("free") == [1, 2, 3, 4]).await;
    assert_eq!(versions("stuck"), [1]);
    assert_eq!(waiting(&home).await, 3);
    bus.now(|_| Reply::Confirm);
    until("all is sent", async || waiting(&home).await == 0).await;
    relay.stop().await;
    assert_eq!(versions("stuck"), [1, 2, 3, 4]);
}

async fn a_bus_that_is_away_costs_no_attempts(home: Home) {
    let outbox = box_of(Clock::system());
    let bus = ScriptedBus::new(|_| Reply::Away);
    let relay = start(&home, &outbox, Arc::new(bus.clone()));
    tell(&home, &outbox, (0..10).map(|n| event(&format!("p{n}"), 1)).collect()).await;
    until("three tries", async || bus.log().tries >= 30).await;
    assert_eq!(home.number("SELECT COUNT(*) FROM outbox WHERE attempts = 0").await, 10);
    bus.now(|_| Reply::Confirm);
    until("all is sent", async || waiting(&home).await == 0).await;
    relay.stop().await;
    assert_eq!(bus.log().arrived.len(), 10);
}

async fn an_event_without_a_queue_is_kept_with_its_reason(home: Home) {
    let outbox = box_of(Clock::system());
    let bus = ScriptedBus::new(|_| Reply::Unroutable);
    let relay = start(&home, &outbox, Arc::new(bus.clone()));
    tell(&home, &outbox, vec![event("p", 1)]).await;
    let refused = "SELECT CAST(COALESCE(MAX(attempts), 0) AS bigint) FROM outbox";
    until("two refusals", async || home.number(refused).await >= 2).await;
    let (rows, _) = outbox::list(&home.db, &Page::new(0, "").unwrap(), None).await.unwrap();
    let reason = rows[0].last_error.as_deref();
    assert_eq!(reason, Some("no queue is bound for catalog.product.changed.v1"));
    bus.now(|_| Reply::Confirm);
    until("all is sent", async || waiting(&home).await == 0).await;
    relay.stop().await;
}

async fn a_stop_sends_what_is_left(home: Home) {
    let outbox = box_of(Clock::system());
    tell(&home, &outbox, (0..2500).map(|n| event(&format!("p{n}"), 1)).collect()).await;
    let bus = ScriptedBus::good();
    let relay = start(&home, &outbox, Arc::new(bus.clone()));
    relay.stop().await;
    assert_eq!((waiting(&home).await, bus.log().arrived.len()), (0, 2500));
}

async fn an_event_leaves_at_once_when_the_relay_is_woken(home: Home) {
    let outbox = box_of(Clock::system());
    let bus = ScriptedBus::good();
    let relay = start(&home, &outbox, Arc::new(bus.clone()));
    tell(&home, &outbox, vec![event("p", 1)]).await;
    until("the first is sent", async || bus.log().arrived.len() == 1).await;
    let begin = Instant::now();
    for version in 2..=20 {
        tell(&home, &outbox, vec![event("p", version)]).await;
        until("the next is sent", async || bus.log().arrived.len() as u64 == version).await;
    }
    // by polling alone it would take a second for each
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    relay.stop().await;
}

async fn an_import_drains_through_the_local_bus(home: Home) {
    let outbox = box_of(Clock::system());
    let bus = bus::open("", home.dir()).await.unwrap();
    bus.declare(registry::QUEUES).await.unwrap();
    for thousand in 0..5 {
        let events = (0..1000).map(|n| event(&format!("p{thousand}.{n}"), 1)).collect();
        tell(&home, &outbox, events).await;
    }
    let begin = Instant::now();
    let relay = start(&home, &outbox, bus.clone());
    until("all is sent", async || waiting(&home).await == 0).await;
    println!("{:.0} events/s", 5000.0 / begin.elapsed().as_secs_f64());
    relay.stop().await;
    assert_eq!(bus.depth("notifier.product.v1").await.unwrap().0, 5000);
}

async fn one_key_alone_keeps_its_order_through_the_local_bus(home: Home) {
    let outbox = box_of(Clock::system());
    let bus = bus::open("", home.dir()).await.unwrap();
    bus.declare(registry::QUEUES).await.unwrap();
    tell(&home, &outbox, (1..=500).map(|version| event("hot", version)).collect()).await;
    let begin = Instant::now();
    let relay = start(&home, &outbox, bus.clone());
    until("all is sent", async || waiting(&home).await == 0).await;
    println!("{:.0} events/s of one key", 500.0 / begin.elapsed().as_secs_f64());
    relay.stop().await;
    let arrived = bus.consume("notifier.product.v1", 500).await.unwrap().take(500);
    let arrived = arrived.map(|delivery| delivery.envelope.unwrap());
    in_order(&arrived.collect::<Vec<_>>().await);
}

/// Runs this test's process again with a crash point, so that it dies in the middle of sending.
async fn a_killed_relay_loses_nothing(home: Home) {
    const VICTIM: &str = "EVENTS_IT_VICTIM";
    let outbox = box_of(Clock::system());
    if let Some(url) = std::env::var_os(VICTIM) {
        let url = url.into_string().unwrap();
        let victim = crate::home::open(&url).await;
        let bus = Arc::new(ScriptedBus::good());
        Relay::new(victim, bus, outbox).run(CancellationToken::new()).await;
        return;
    }
    let store = if home.db.is_postgres() { "on_postgres" } else { "on_sqlite" };
    tell(&home, &outbox, (0..600).map(|n| event(&format!("p{n}"), 1)).collect()).await;
    for (point, left) in [("relay.sending:1", 600), ("relay.published:2", 100)] {
        let mut victim = tokio::process::Command::new(std::env::current_exe().unwrap());
        victim.arg(format!("relay::{store}::a_killed_relay_loses_nothing")).arg("--exact");
        victim.env(VICTIM, &home.url).env("SOUK_CRASH_AT", point).kill_on_drop(true);
        let died = tokio::time::timeout(Duration::from_secs(180), victim.output()).await;
        assert_eq!(died.unwrap().unwrap().status.code(), None, "{point} did not kill");
        assert_eq!(waiting(&home).await, left, "{point}");
    }
    let bus = ScriptedBus::good();
    send_all(&home, &outbox, &bus).await;
    assert_eq!(bus.log().arrived.len(), 100, "the last hundred, again or for the first time");
    assert_eq!(home.number("SELECT COUNT(*) FROM outbox_sent").await, 600);
}

on_both!(
    every_event_is_sent_once_while_the_bus_flaps,
    a_lost_confirmation_repeats_the_event_and_keeps_the_order,
    a_refused_event_holds_back_its_key_and_no_other,
    a_bus_that_is_away_costs_no_attempts,
    an_event_without_a_queue_is_kept_with_its_reason,
    a_stop_sends_what_is_left,
    an_event_leaves_at_once_when_the_relay_is_woken,
    an_import_drains_through_the_local_bus,
    one_key_alone_keeps_its_order_through_the_local_bus,
    a_killed_relay_loses_nothing,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_committed_after_a_later_one_is_not_skipped() {
    let home = Home::postgres().await;
    let outbox = box_of(Clock::system());
    let bus = ScriptedBus::good();
    let relay = start(&home, &outbox, Arc::new(bus.clone()));
    let slow = home.db.begin().await.unwrap();
    let first = outbox.append(&slow, vec![event("slow", 1)]).await.unwrap();
    tell(&home, &outbox, vec![event("fast", 1)]).await;
    until("the fast one is sent", async || bus.log().arrived.len() == 1).await;
    assert_eq!(bus.log().arrived[0].partition_key, "fast");
    slow.commit().await.unwrap();
    outbox.wake();
    until("the slow one is sent", async || bus.log().arrived.len() == 2).await;
    assert_eq!(bus.log().arrived[1].id, first[0].id);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_relays_one_publishes_and_the_other_takes_over_when_its_session_dies() {
    let home = Home::postgres().await;
    let outbox = box_of(Clock::system());
    let senders = [0, 1].map(|_| Arc::new(AtomicUsize::new(0)));
    let all = Arc::new(std::sync::Mutex::new(Vec::new()));
    let relays = senders.clone().map(|sent| {
        let all = all.clone();
        let bus = ScriptedBus::new(move |event| {
            sent.fetch_add(1, Ordering::SeqCst);
            all.lock().unwrap().push(event.clone());
            Reply::Confirm
        });
        // its own outbox: the relay of another process is not woken
        start(&home, &box_of(Clock::system()), Arc::new(bus))
    });
    let counts = || senders.clone().map(|sent| sent.load(Ordering::SeqCst));
    tell_600(&home, &outbox).await;
    until("all is sent", async || waiting(&home).await == 0).await;
    assert!(counts().contains(&600) && counts().contains(&0), "{:?}", counts());

    for version in 31..=35 {
        let holder = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks \
                      WHERE locktype = 'advisory' AND granted \
                      AND database = (SELECT oid FROM pg_database \
                                      WHERE datname = current_database())";
        assert_eq!(home.number(holder).await, 1);
        let events = (0..20).map(|key| event(&format!("p{key}"), version)).collect();
        tell(&home, &outbox, events).await;
        until("all is sent", async || waiting(&home).await == 0).await;
    }
    for relay in relays {
        relay.stop().await;
    }
    let all = all.lock().unwrap();
    in_order(&all);
    let ids: HashSet<_> = all.iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), 700);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_does_not_lead_tells_the_one_that_does() {
    let home = Home::postgres().await;
    let outboxes = [box_of(Clock::system()), box_of(Clock::system())];
    let bus = ScriptedBus::good();
    let relays = outboxes.each_ref().map(|outbox| start(&home, outbox, Arc::new(bus.clone())));
    tell(&home, &outboxes[0], vec![event("p", 1)]).await;
    until("the first is sent", async || bus.log().arrived.len() == 1).await;
    let begin = Instant::now();
    for version in 2..=21 {
        // by turns in the process that leads and in the one that does not
        let outbox = &outboxes[version as usize % 2];
        tell(&home, outbox, vec![event("p", version)]).await;
        until("the next is sent", async || bus.log().arrived.len() as u64 == version).await;
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    for relay in relays {
        relay.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn none_of_many_slow_writers_is_skipped() {
    let home = Arc::new(Home::postgres().await);
    let bus = ScriptedBus::good();
    let outbox = box_of(Clock::system());
    let relays = [0, 1].map(|_| start(&home, &outbox, Arc::new(bus.clone())));
    let writers = (0..16).map(|key| {
        let (home, outbox) = (home.clone(), outbox.clone());
        tokio::spawn(async move {
            for version in 1..=40 {
                let tx = home.db.begin().await.unwrap();
                let told = event(&format!("p{key}"), version);
                outbox.append(&tx, vec![told]).await.unwrap();
                let held = rand::rng().random_range(0..20);
                tokio::time::sleep(Duration::from_millis(held)).await;
                tx.commit().await.unwrap();
                outbox.wake();
            }
        })
    });
    futures::future::try_join_all(writers).await.unwrap();
    until("all is sent", async || waiting(&home).await == 0).await;
    for relay in relays {
        relay.stop().await;
    }
    let log = bus.log();
    let ids: HashSet<_> = log.arrived.iter().map(|event| event.id).collect();
    assert_eq!((log.arrived.len(), ids.len()), (640, 640));
    in_order(&log.arrived);
}
