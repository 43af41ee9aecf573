//! Dead letters are kept once, shown, replayed or dropped.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use souk_events::HandleError;
use souk_events::dead_letter::{DeadLetter, DeadLetterError, DeadLetters};
use souk_values::{Clock, Cursor, DeadLetterId, Page};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::consumer::{self, Writer, message};
use crate::home::{Home, on_both, until};
use crate::scripted::ScriptedBus;

const QUEUE: &str = "notifier.product.v1";

struct Desk {
    letters: DeadLetters,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn open(home: &Home, bus: &ScriptedBus) -> Desk {
    let letters = DeadLetters::new(home.db.clone(), Arc::new(bus.clone()), Clock::system());
    let stop = CancellationToken::new();
    let task = tokio::spawn(letters.clone().run(vec![QUEUE], stop.clone()));
    Desk { letters, stop, task }
}

impl Desk {
    async fn list(&self, status: &str) -> Vec<DeadLetter> {
        self.letters.list(status, &Page::new(100, "").unwrap()).await.unwrap().0
    }

    async fn close(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

async fn parked(home: &Home) -> i64 {
    home.number("SELECT COUNT(*) FROM dead_letter WHERE status = 'parked'").await
}

async fn a_dead_letter_is_kept_as_it_was_and_replayed_once(home: Home) {
    let bus = ScriptedBus::good();
    let desk = open(&home, &bus);
    let broken = Arc::new(AtomicBool::new(true));
    let switch = broken.clone();
    let consumer = consumer::start(
        &home,
        &bus,
        10,
        Writer::new(move |_| {
            if switch.load(Ordering::SeqCst) {
                return Err(HandleError::Poisoned("not\0 understood".to_owned()));
            }
            Ok(())
        }),
    );
    let event = message("product/prd_1");
    bus.deliver(event.clone(), 1);
    until("parked", async || parked(&home).await == 1).await;
    let letter = desk.list("").await.remove(0);
    assert_eq!(letter.envelope, event);
    assert_eq!((letter.queue.as_str(), letter.attempts), (QUEUE, 1));
    assert_eq!(letter.reason, "not\u{fffd} understood");
    assert_eq!(letter.headers, event.headers());
    assert_eq!((letter.status.as_str(), &letter.decided_by), ("parked", &None));

    // still broken: the replayed one is decided, and there is a new one
    let replayed = desk.letters.replay(letter.id, "usr_1").await.unwrap();
    assert_eq!(
        (replayed.status.as_str(), replayed.decided_by.as_deref()),
        ("replayed", Some("usr_1"))
    );
    assert!(replayed.decided_at.is_some());
    until("parked again", async || parked(&home).await == 1).await;
    let second = desk.list("parked").await.remove(0);
    assert!(second.id != letter.id && second.event_id == letter.event_id);

    broken.store(false, Ordering::SeqCst);
    desk.letters.replay(second.id, "usr_2").await.unwrap();
    until("done", async || home.effects().await == 1).await;
    let again = desk.letters.replay(second.id, "usr_2").await;
    assert!(matches!(again, Err(DeadLetterError::Decided(status)) if status == "replayed"));
    // the work is done: the message once more has no effect
    let acked = bus.log().acked;
    bus.deliver(event, 1);
    until("acknowledged", async || bus.log().acked > acked).await;
    assert_eq!(home.effects().await, 1);
    assert_eq!(desk.list("replayed").await.len(), 2);
    consumer.stop().await;
    desk.close().await;
}

async fn a_dropped_letter_stays_on_record(home: Home) {
    let bus = ScriptedBus::good();
    let desk = open(&home, &bus);
    let poison = Writer::new(|_| Err(HandleError::Poisoned("no".to_owned())));
    let consumer = consumer::start(&home, &bus, 10, poison);
    bus.deliver(message("x"), 1);
    until("parked", async || parked(&home).await == 1).await;
    consumer.stop().await;
    let id = desk.list("").await[0].id;
    let dropped = desk.letters.drop(id, "usr_1").await.unwrap();
    assert_eq!(
        (dropped.status.as_str(), dropped.decided_by.as_deref()),
        ("dropped", Some("usr_1"))
    );
    for refused in [desk.letters.drop(id, "b").await, desk.letters.replay(id, "b").await] {
        assert!(matches!(refused, Err(DeadLetterError::Decided(status)) if status == "dropped"));
    }
    assert_eq!(desk.letters.get(id).await.unwrap().decided_by.as_deref(), Some("usr_1"));
    assert!(bus.log().waiting.is_empty());
    let unknown = desk.letters.get(DeadLetterId::new()).await;
    assert!(matches!(unknown, Err(DeadLetterError::NotFound)));
    desk.close().await;
}

async fn the_list_pages_newest_first(home: Home) {
    let bus = ScriptedBus::good();
    let desk = open(&home, &bus);
    let poison = Writer::new(|_| Err(HandleError::Poisoned("no".to_owned())));
    let consumer = consumer::start(&home, &bus, 10, poison);
    for n in 0..7 {
        bus.deliver(message(&format!("s{n}")), 1);
        until("parked", async || parked(&home).await == n + 1).await;
    }
    consumer.stop().await;
    let (mut subjects, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = Page::new(3, &cursor).unwrap();
        let (letters, next) = desk.letters.list("", &page).await.unwrap();
        subjects.extend(letters.into_iter().map(|letter| letter.subject));
        let Some(next) = next else { break };
        next.as_str().clone_into(&mut cursor);
    }
    assert_eq!(subjects, ["s6", "s5", "s4", "s3", "s2", "s1", "s0"]);
    let wrong = Page { limit: 1, cursor: Some(Cursor::encode(&1)) };
    let refused = desk.letters.list("", &wrong).await;
    assert!(matches!(refused, Err(DeadLetterError::Cursor(_))));
    desk.close().await;
}

on_both!(
    a_dead_letter_is_kept_as_it_was_and_replayed_once,
    a_dropped_letter_stays_on_record,
    the_list_pages_newest_first,
);
