//! SES is slow, away, out of order or throttles: changes do not wait for it, and every letter
//! leaves once when it is back.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use souk_testkit::ses::FakeSes;

use crate::amounts::amount;
use crate::buyers::verified;
use crate::checker::judge;
use crate::client::{Client, Outcome};
use crate::evidence::show;
use crate::facts::{Letterbox, gather, letters_about};
use crate::house::{Ground, House};
use crate::kills::with_ses;
use crate::load::{Attempt, Cell, History};
use crate::process::until;

/// Of one kind of trouble.
const CHANGES: i64 = 20;
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_do_not_wait_for_a_slow_dead_or_throttling_ses_and_no_letter_is_lost() {
    let ses = FakeSes::start().await.unwrap();
    let house = House::whole(with_ses(Ground::folder(), &ses)).await;
    let client = house.client.clone();
    let mut history = History::default();
    history.products.push(client.create("Lamp").await);
    assert!(ses.wait_for(1, PATIENCE).await, "the letter of the new product");

    for _ in 0..amount(1, 10) {
        // it has taken the letters and holds its answers; more changes do not wait
        ses.delay(Duration::from_secs(5));
        let calls = ses.requests();
        change(&client, &mut history, "SES slow (5 s)").await;
        assert!(until(PATIENCE, async || ses.requests() > calls).await, "nobody called");
        change(&client, &mut history, "SES slow (5 s)").await;
        let sent = sent(&client, &history).await;
        assert!(sent < history.done() + 1, "{sent} are sent already: it was not slow");
        ses.obey();
        drained(&client, &history).await;

        ses.throttle_next(7);
        let calls = ses.requests();
        change(&client, &mut history, "SES throttles").await;
        assert!(until(PATIENCE, async || ses.requests() > calls).await, "nobody called");
        drained(&client, &history).await;

        ses.fail_next(15, 500);
        let calls = ses.requests();
        change(&client, &mut history, "SES answers 500").await;
        assert!(until(PATIENCE, async || ses.requests() > calls).await, "nobody called");
        drained(&client, &history).await;
    }
    let facts = gather(&client, &history, Letterbox::Ses(&ses)).await;
    let verdict = judge(&history, &facts);
    show("mail", "SES in trouble, SQLite", &verdict);
    verdict.must_keep_changes(|_| 0);
    println!("{}", verified(&house).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_wait_for_an_ses_that_is_away_and_leave_once() {
    let ses = FakeSes::start().await.unwrap();
    let address: SocketAddr = ses.url.strip_prefix("http://").unwrap().parse().unwrap();
    let house = House::whole(with_ses(Ground::folder(), &ses)).await;
    let client = house.client.clone();
    let mut history = History::default();
    history.products.push(client.create("Lamp").await);
    assert!(ses.wait_for(1, PATIENCE).await, "the letter of the new product");
    let before = ses.accepted();
    drop(ses);

    change(&client, &mut history, "SES away").await;
    // each was tried and waits for its next attempt
    let lamp = &history.products[0];
    let path = format!("/api/admin/notifications?status=queued&limit=100&product_id={lamp}");
    let tried = until(PATIENCE, async || {
        let queued = client.read(&path).await;
        let queued = queued["items"].as_array().unwrap();
        let tried = queued.iter().filter(|line| line["attempts"].as_u64() >= Some(1));
        tried.count() as u64 == history.done()
    });
    assert!(tried.await, "letters are not where they should be: {}", client.read(&path).await);
    let ses = FakeSes::start_at(address).await.unwrap();
    drained(&client, &history).await;
    let mut facts = gather(&client, &history, Letterbox::Ses(&ses)).await;
    for mail in before {
        *facts.arrived.entry(mail.tag("d").unwrap().to_owned()).or_default() += 1;
    }
    let verdict = judge(&history, &facts);
    show("mail", "SES away, SQLite", &verdict);
    verdict.must_keep_changes(|_| 0);
    println!("{}", verified(&house).await);
}

/// Some changes, one after the other; each must be answered.
async fn change(client: &Client, history: &mut History, trouble: &str) {
    let began = Instant::now();
    if history.cells.last().is_none_or(|cell| cell.name != trouble) {
        history.cells.push(Cell { name: trouble.to_owned(), kills: 1 });
    }
    let product = history.products[0].clone();
    let first = 1_000 + i64::try_from(history.attempts.len()).unwrap();
    for cents in first..first + CHANGES {
        let outcome = client.set_price(&product, cents).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{trouble}: {outcome:?}");
        let cell = history.cells.len() - 1;
        history.attempts.push(Attempt { cell, product: product.clone(), cents, outcome });
    }
    // generous: had they waited for SES, 20 of them would take 100 s
    assert!(began.elapsed() < Duration::from_secs(30), "{trouble}: changes were held up");
}

/// Waits until all letters of the changes, and that of the new product, are sent.
async fn drained(client: &Client, history: &History) {
    let all = until(PATIENCE, async || sent(client, history).await > history.done()).await;
    assert!(all, "only {} of {} letters left", sent(client, history).await, history.done() + 1);
}

/// Letters about the products: accounts may have written others.
async fn sent(client: &Client, history: &History) -> u64 {
    let counts = letters_about(client, &history.products).await;
    counts.get("sent").copied().unwrap_or_default()
}

impl History {
    fn done(&self) -> u64 {
        self.attempts.len() as u64
    }
}
