//! Processes that die at work: what they had done counts once, and only the guilty is parked.
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use souk_events::Envelope;
use uuid::Uuid;

use crate::consumer::{Writer, message, start, start_on};
use crate::home::{Home, on_both, until};
use crate::scripted::ScriptedBus;

const VICTIM: &str = "EVENTS_IT_VICTIM";

/// What the process is told that is started to die.
pub(crate) fn orders() -> Option<String> {
    Some(std::env::var_os(VICTIM)?.into_string().unwrap())
}

/// Runs a test again in a process of its own, with these orders; answers whether it lived.
pub(crate) async fn survives(test: &str, orders: &str, crash_at: &str) -> bool {
    let mut victim = tokio::process::Command::new(std::env::current_exe().unwrap());
    victim.arg(test).arg("--exact").kill_on_drop(true);
    victim.env(VICTIM, orders).env("SOUK_CRASH_AT", crash_at);
    let ended = tokio::time::timeout(Duration::from_secs(180), victim.output()).await;
    let ended = ended.unwrap().unwrap();
    // an abort has no exit code; a test that failed has one, and its words are wanted
    assert!(ended.status.code().is_none_or(|code| code == 0 || !crash_at.is_empty()), "{ended:?}");
    ended.status.success()
}

/// Database, event id, delivery.
fn delivery() -> Option<(String, Uuid, u32)> {
    let orders = orders()?;
    let (url, rest) = orders.split_once(' ').unwrap();
    let (id, attempt) = rest.split_once(' ').unwrap();
    Some((url.to_owned(), id.parse().unwrap(), attempt.parse().unwrap()))
}

/// One delivery to a process of its own; answers whether it lived.
async fn delivered(home: &Home, test: &str, id: Uuid, attempt: u32, crash_at: &str) -> bool {
    let store = if home.db.is_postgres() { "on_postgres" } else { "on_sqlite" };
    let orders = format!("{} {id} {attempt}", home.url);
    survives(&format!("deaths::{store}::{test}"), &orders, crash_at).await
}

async fn a_message_that_kills_the_process_is_parked_after_three_crashes(home: Home) {
    if let Some((url, id, attempt)) = delivery() {
        let bus = ScriptedBus::good();
        bus.deliver(Envelope { id, ..message("killer") }, attempt);
        let victim = home.moved_to(&url).await;
        let consumer = start(&victim, &bus, 10, Writer::new(|_| std::process::abort()));
        until("parked", async || bus.log().parked.len() == 1).await;
        consumer.stop().await;
        assert_eq!(bus.log().parked[0].reason, "crashed the process 3 times");
        return;
    }
    let id = Uuid::now_v7();
    let test = "a_message_that_kills_the_process_is_parked_after_three_crashes";
    for (attempt, lives) in [(1, false), (2, false), (3, false), (4, true)] {
        assert_eq!(delivered(&home, test, id, attempt, "").await, lives, "delivery {attempt}");
    }
    assert_eq!(home.effects().await, 0);
    assert_eq!(home.number("SELECT COUNT(*) FROM inbox").await, 0, "a replay begins anew");
}

async fn a_kill_between_commit_and_acknowledgement_has_one_effect(home: Home) {
    if let Some((url, id, attempt)) = delivery() {
        let bus = ScriptedBus::good();
        bus.deliver(Envelope { id, ..message("once") }, attempt);
        let victim = home.moved_to(&url).await;
        let consumer = start(&victim, &bus, 10, Writer::new(|_| Ok(())));
        until("acknowledged", async || bus.log().acked == 1).await;
        consumer.stop().await;
        return;
    }
    let id = Uuid::now_v7();
    let test = "a_kill_between_commit_and_acknowledgement_has_one_effect";
    assert!(!delivered(&home, test, id, 1, "consumer.committed:1").await);
    assert_eq!(home.effects().await, 1);
    assert!(delivered(&home, test, id, 2, "").await);
    assert_eq!(home.effects().await, 1);
}

/// Two handlers that meet, if both are let in; each waits a while for the other.
#[derive(Clone, Default)]
struct Meeting(Arc<(Mutex<u32>, Condvar)>);

impl Meeting {
    const PATIENCE: Duration = Duration::from_secs(1);

    fn come(&self) {
        let (here, came) = &*self.0;
        let mut here = here.lock().unwrap();
        *here += 1;
        came.notify_all();
        let alone = |here: &mut u32| *here < 2;
        drop(came.wait_timeout_while(here, Self::PATIENCE, alone).unwrap());
    }

    /// As long as the process lives, but for a bound.
    fn stay(&self) {
        self.come();
        let (here, came) = &*self.0;
        let here = here.lock().unwrap();
        let nobody_leaves = |here: &mut u32| *here >= 2;
        drop(came.wait_timeout_while(here, Self::PATIENCE, nobody_leaves).unwrap());
    }
}

/// A handler that kills the process, but not before the other one is at work, and one that is at
/// work as long as it can.
pub(crate) fn killer_and_bystander() -> (Writer, Writer) {
    let meeting = Meeting::default();
    let beside = meeting.clone();
    let killer = Writer::new(|_| Ok(())).preparing(move |event| {
        if event.subject != "behind it" {
            tokio::task::block_in_place(|| meeting.come());
            std::process::abort();
        }
        Ok(())
    });
    let bystander = Writer::new(|_| Ok(())).preparing(move |_| {
        tokio::task::block_in_place(|| beside.stay());
        Ok(())
    });
    (killer, bystander)
}

async fn a_message_is_not_parked_for_what_another_one_did(home: Home) {
    const OTHER: &str = "analytics.product.v1";
    if let Some((url, id, attempt)) = delivery() {
        let (guilty, innocent) = (ScriptedBus::good(), ScriptedBus::good());
        let known = |subject: &str, number: u128| Envelope {
            id: Uuid::from_u128(id.as_u128() + number),
            ..message(subject)
        };
        guilty.deliver(known("killer", 0), attempt);
        guilty.deliver(known("behind it", 1), attempt);
        innocent.deliver(known("beside it", 2), attempt);
        let victim = home.moved_to(&url).await;
        let (killing, slow) = killer_and_bystander();
        let consumers = [
            start(&victim, &guilty, 10, killing),
            start_on(OTHER, &victim, Arc::new(innocent.clone()), 10, slow),
        ];
        until("all answered", async || {
            let (guilty, innocent) = (guilty.log(), innocent.log());
            guilty.acked + guilty.parked.len() == 2 && innocent.acked + innocent.parked.len() == 1
        })
        .await;
        for consumer in consumers {
            consumer.stop().await;
        }
        let answers = |bus: &ScriptedBus| {
            let log = bus.log();
            (log.acked, log.parked.len())
        };
        assert_eq!((answers(&guilty), answers(&innocent)), ((1, 1), (1, 0)));
        return;
    }
    let id = Uuid::now_v7();
    let test = "a_message_is_not_parked_for_what_another_one_did";
    for (attempt, lives) in [(1, false), (2, false), (3, false), (4, true)] {
        assert_eq!(delivered(&home, test, id, attempt, "").await, lives, "delivery {attempt}");
    }
    assert_eq!(home.effects().await, 2, "both neighbors were handled, once");
}

on_both!(
    a_message_that_kills_the_process_is_parked_after_three_crashes,
    a_kill_between_commit_and_acknowledgement_has_one_effect,
    a_message_is_not_parked_for_what_another_one_did,
);
