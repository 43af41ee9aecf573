//! Effects happen once, and one bad message harms no other.
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use souk_events::{Bus, Consumer, Envelope, HandleError, Handler, consumer, registry};
use souk_storage::Tx;
use souk_values::Clock;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::home::{Home, on_both, until};
use crate::scripted::ScriptedBus;

const QUEUE: &str = "notifier.product.v1";

pub(crate) fn message(subject: &str) -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        event_type: registry::PRODUCT_CHANGED.to_owned(),
        source: "/catalog".to_owned(),
        subject: subject.to_owned(),
        partition_key: subject.to_owned(),
        epoch: 1,
        version: 1,
        time: Clock::system().now(),
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        payload: vec![8, 1].into(),
    }
}

type Behavior = dyn Fn(&Envelope) -> Result<(), HandleError> + Send + Sync;

/// Writes one row an event, then does what its test wants.
pub(crate) struct Writer {
    prepare: Box<Behavior>,
    handle: Box<Behavior>,
    committed: Arc<AtomicUsize>,
}

impl Writer {
    pub(crate) fn new(
        handle: impl Fn(&Envelope) -> Result<(), HandleError> + Send + Sync + 'static,
    ) -> Self {
        let prepare = Box::new(|_: &Envelope| Ok(()));
        Self { prepare, handle: Box::new(handle), committed: Arc::default() }
    }

    pub(crate) fn preparing(
        self,
        prepare: impl Fn(&Envelope) -> Result<(), HandleError> + Send + Sync + 'static,
    ) -> Self {
        Self { prepare: Box::new(prepare), ..self }
    }
}

#[async_trait::async_trait]
impl Handler for Writer {
    type Ready = usize;

    async fn prepare(&self, events: &[Envelope]) -> Result<usize, HandleError> {
        events.iter().try_for_each(|event| (self.prepare)(event))?;
        Ok(events.len())
    }

    async fn handle(&self, tx: &Tx, events: &[Envelope], ready: usize) -> Result<(), HandleError> {
        assert!(ready >= events.len());
        for event in events {
            let sql = "INSERT INTO effect (subject) VALUES ($1)";
            let values = [event.subject.clone().into()];
            let backend = tx.get_database_backend();
            tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
            (self.handle)(event)?;
        }
        Ok(())
    }

    fn committed(&self) {
        self.committed.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

pub(crate) fn start(home: &Home, bus: &ScriptedBus, prefetch: u16, writer: Writer) -> Running {
    start_on(QUEUE, home, Arc::new(bus.clone()), prefetch, writer)
}

pub(crate) fn start_on(
    queue: &'static str,
    home: &Home,
    bus: Arc<dyn Bus>,
    prefetch: u16,
    writer: Writer,
) -> Running {
    let stop = CancellationToken::new();
    let consumer = Consumer::new(queue, prefetch, writer);
    let run = consumer.run(home.db.clone(), bus, stop.clone());
    Running { task: tokio::spawn(run), stop }
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn done(bus: &ScriptedBus) -> usize {
    let log = bus.log();
    log.acked + log.parked.len()
}

async fn an_event_delivered_thrice_has_one_effect(home: Home) {
    let bus = ScriptedBus::good();
    let events: Vec<_> = (0..50).map(|n| message(&format!("s{n}"))).collect();
    for round in 1..=3 {
        events.iter().for_each(|event| bus.deliver(event.clone(), round));
    }
    // the same id from somebody else is another event
    bus.deliver(Envelope { source: "/accounts".to_owned(), ..events[0].clone() }, 1);
    let writer = Writer::new(|_| Ok(()));
    let committed = writer.committed.clone();
    let consumer = start(&home, &bus, 20, writer);
    until("all acknowledged", async || bus.log().acked == 151).await;
    consumer.stop().await;
    assert_eq!(home.effects().await, 51);
    assert!((1..=51).contains(&committed.load(Ordering::SeqCst)));
}

async fn two_consumers_of_one_event_have_one_effect(home: Home) {
    let buses = [ScriptedBus::good(), ScriptedBus::good()];
    let events: Vec<_> = (0..300).map(|n| message(&format!("s{n}"))).collect();
    events.iter().for_each(|event| buses[0].deliver(event.clone(), 1));
    events.iter().rev().for_each(|event| buses[1].deliver(event.clone(), 1));
    let both = buses.clone().map(|bus| start(&home, &bus, 25, Writer::new(|_| Ok(()))));
    for (bus, consumer) in buses.iter().zip(both) {
        until("all acknowledged", async || bus.log().acked == 300).await;
        consumer.stop().await;
    }
    assert_eq!(home.effects().await, 300);
}

async fn a_bad_member_of_a_batch_is_parked_and_the_others_are_done(home: Home) {
    let bus = ScriptedBus::good();
    for n in 0..20 {
        bus.deliver(message(&format!("s{n}")), 1);
        if n % 5 == 0 {
            bus.deliver(message("bad"), 1);
            bus.deliver_rubbish();
        }
    }
    let writer = Writer::new(|event| match event.subject.as_str() {
        "bad" => Err(HandleError::Poisoned("unknown version".to_owned())),
        _ => Ok(()),
    });
    let consumer = start(&home, &bus, 50, writer);
    until("all answered", async || done(&bus) == 28).await;
    consumer.stop().await;
    assert_eq!(home.effects().await, 20);
    let log = bus.log();
    assert_eq!((log.acked, log.retried.len()), (20, 0));
    let reasons: HashSet<_> = log.parked.iter().map(|parked| parked.reason.as_str()).collect();
    assert_eq!(reasons, HashSet::from(["unknown version", "no id"]));
    assert!(log.parked.iter().all(|parked| parked.attempt == 1));
}

async fn a_panic_is_parked_after_eight_attempts_and_999_others_pass(home: Home) {
    let bus = ScriptedBus::good();
    for n in 0..1000 {
        bus.deliver(message(&if n == 500 { "panic".to_owned() } else { format!("s{n}") }), 1);
    }
    let writer = Writer::new(|event| {
        assert!(event.subject != "panic", "cannot bear this");
        Ok(())
    });
    let consumer = start(&home, &bus, 50, writer);
    until("all answered", async || done(&bus) == 1000).await;
    consumer.stop().await;
    assert_eq!(home.effects().await, 999);
    let inbox = home.number("SELECT COUNT(*) FROM inbox").await;
    let log = bus.log();
    let waits: Vec<_> = log.retried.iter().map(|(_, wait)| wait.as_secs()).collect();
    assert_eq!(waits, [1, 10, 60, 60, 60, 60, 60]);
    assert_eq!((log.acked, log.parked.len()), (999, 1));
    assert_eq!(log.parked[0].attempt, 8);
    assert_eq!(log.parked[0].reason, "panic: cannot bear this");
    assert_eq!(inbox, 999);
}

async fn later_burns_no_attempts(home: Home) {
    let bus = ScriptedBus::good();
    (0..10).for_each(|n| bus.deliver(message(&format!("s{n}")), 1));
    let calls = AtomicUsize::new(0);
    let writer = Writer::new(|_| Ok(())).preparing(move |_| {
        if calls.fetch_add(1, Ordering::SeqCst) < 3 {
            return Err(HandleError::Later(anyhow::anyhow!("accounts is away")));
        }
        Ok(())
    });
    let consumer = start(&home, &bus, 10, writer);
    until("all acknowledged", async || bus.log().acked == 10).await;
    consumer.stop().await;
    assert_eq!(home.effects().await, 10);
    assert_eq!(home.number("SELECT COUNT(*) FROM inbox WHERE attempts = 0").await, 10);
    let log = bus.log();
    assert!(log.released >= 3 && log.retried.is_empty() && log.parked.is_empty());
}

async fn a_clean_failure_is_no_crash(home: Home) {
    let bus = ScriptedBus::good();
    bus.deliver(message("fails"), 1);
    let writer = Writer::new(|_| Err(HandleError::Failed(anyhow::anyhow!("not today"))));
    let consumer = start(&home, &bus, 10, writer);
    until("parked", async || bus.log().parked.len() == 1).await;
    consumer.stop().await;
    assert_eq!(bus.log().parked[0].reason, "not today");
    assert_eq!(bus.log().parked[0].attempt, 8);
    assert_eq!(home.effects().await, 0);
}

async fn a_stop_finishes_what_is_in_hand_and_gives_the_rest_back(home: Home) {
    let bus = ScriptedBus::good();
    (0..30).for_each(|n| bus.deliver(message(&format!("s{n}")), 1));
    let inside = Arc::new(Semaphore::new(0));
    let (go, gate) = std::sync::mpsc::channel::<()>();
    let (entered, gate) = (inside.clone(), Mutex::new(gate));
    let writer = Writer::new(|_| Ok(())).preparing(move |_| {
        entered.add_permits(1);
        // fails once the gate is open, that is all it is for
        let _ = tokio::task::block_in_place(|| gate.lock().unwrap().recv());
        Ok(())
    });
    let consumer = start(&home, &bus, 10, writer);
    let began = tokio::time::timeout(Duration::from_secs(180), inside.acquire()).await;
    began.unwrap().unwrap().forget();
    consumer.stop.cancel();
    drop(go);
    consumer.task.await.unwrap();
    assert_eq!(home.effects().await, 10);
    let log = bus.log();
    assert_eq!((log.acked, log.waiting.len()), (10, 20));
    assert!(log.waiting.iter().all(|(_, attempt)| *attempt == 1));
}

async fn the_inbox_is_kept_for_thirty_days(home: Home) {
    let clock = Clock::fixed(Clock::system().now());
    let bus = ScriptedBus::good();
    (0..1200).for_each(|n| bus.deliver(message(&format!("s{n}")), 1));
    let stop = CancellationToken::new();
    let consumer = Consumer::new(QUEUE, 300, Writer::new(|_| Ok(()))).with_clock(clock.clone());
    let run = consumer.run(home.db.clone(), Arc::new(bus.clone()), stop.clone());
    let task = tokio::spawn(run);
    until("all acknowledged", async || bus.log().acked == 1200).await;
    stop.cancel();
    task.await.unwrap();
    clock.advance(chrono::Duration::days(30));
    assert_eq!(consumer::prune(&home.db, QUEUE, &clock).await.unwrap(), 0);
    clock.advance(chrono::Duration::seconds(1));
    assert_eq!(consumer::prune(&home.db, "other", &clock).await.unwrap(), 0);
    assert_eq!(consumer::prune(&home.db, QUEUE, &clock).await.unwrap(), 1000);
    assert_eq!(consumer::prune(&home.db, QUEUE, &clock).await.unwrap(), 200);
}

on_both!(
    an_event_delivered_thrice_has_one_effect,
    two_consumers_of_one_event_have_one_effect,
    a_bad_member_of_a_batch_is_parked_and_the_others_are_done,
    a_panic_is_parked_after_eight_attempts_and_999_others_pass,
    later_burns_no_attempts,
    a_clean_failure_is_no_crash,
    a_stop_finishes_what_is_in_hand_and_gives_the_rest_back,
    the_inbox_is_kept_for_thirty_days,
);
