//! Told to stop under load, the shop is not ready at once, finishes what it has taken, ends in
//! time, and has lost nothing when it opens again.
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::amounts::amount;
use crate::buyers::verified;
use crate::checker::judge;
use crate::client::{Client, Outcome};
use crate::evidence::show;
use crate::facts::{Letterbox, gather};
use crate::house::{Ground, House, WHOLE};
use crate::load::{Load, Look};
use crate::process::until;

/// What an orchestrator gives a process before it kills it.
const IN_TIME: Duration = Duration::from_secs(20);
/// Looks at each product that are in flight when the stop begins.
const LATE_LOOKS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_under_load_breaks_and_loses_nothing_on_sqlite() {
    stopping_under_load_breaks_and_loses_nothing(Ground::folder(), "SQLite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_under_load_breaks_and_loses_nothing_on_servers() {
    let ground = Ground::servers().await;
    stopping_under_load_breaks_and_loses_nothing(ground, "PostgreSQL and RabbitMQ").await;
}

async fn stopping_under_load_breaks_and_loses_nothing(ground: Ground, store: &str) {
    // time for load balancers to notice
    let mut house = House::whole(ground.with("SOUK_STOP__DELAY_S", "1")).await;
    let client = house.client.clone();
    for round in 0..amount(1, 20) {
        let load = Load::start(&client).await;
        load.begin("SIGTERM");
        load.progress(load.done() + 20).await;
        let slow_product = client.create(&format!("Slow {round}")).await;
        let slow = Slow::change(&client, &slow_product).await;
        let mut looks = Vec::new();
        for product in load.products() {
            for _ in 0..LATE_LOOKS {
                looks.push(Slow::look(&client, &product).await);
            }
        }

        let told = Instant::now();
        house.term(WHOLE);
        let unready = until(IN_TIME, async || client.status("/readyz").await != Some(200));
        assert!(unready.await, "still ready");
        assert_eq!(client.status("/readyz").await, Some(503), "it says so while it can");
        // load balancers send nobody new; what is in flight ends
        load.killed();
        let mut history = load.end().await;
        let closed = until(IN_TIME, async || TcpStream::connect(client.address()).await.is_err());
        assert!(closed.await, "still open");
        let answer = slow.end().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "a change in flight: {answer:?}");
        for (number, look) in looks.into_iter().enumerate() {
            let answer = look.end().await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "a look in flight: {answer:?}");
            let (product, outcome) = (number / LATE_LOOKS, Outcome::Done(0));
            history.looks.push(Look { product, outcome, at: Instant::now() });
        }
        let patience = IN_TIME.saturating_sub(told.elapsed());
        assert_eq!(house.stopped(WHOLE, patience).await, Some(0), "the exit code");
        let failed = history.failed();
        assert!(failed.is_empty(), "{} requests failed: {failed:?}", failed.len());

        house.start_missing();
        house.ready().await;
        let data = house.data();
        let facts = gather(&client, &history, Letterbox::Folder(&data)).await;
        // the slow change and those of earlier rounds have their letters too
        let verdict = judge(&history, &facts.of(&history.products));
        let title = format!("Stop {round} (SIGTERM) under load, {store}");
        show("stops", &title, &verdict);
        verdict.must_be_kept(|_| 0);
        let mut own = facts.events.iter().filter(|event| event.product == slow_product);
        assert!(own.any(|event| event.sent && event.version == 2), "a change without its event");
    }
    println!("{}", verified(&house).await);
}

/// A request that arrives in two parts.
struct Slow {
    stream: TcpStream,
    rest: String,
}

impl Slow {
    /// A change of which half the body is missing yet.
    async fn change(client: &Client, product: &str) -> Self {
        let body = r#"{"name": "Lamp that took its time", "price": "77.77"}"#;
        let token = client.token().await.unwrap();
        let request = format!(
            "PUT /api/products/{product} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            client.address(),
            body.len()
        );
        Self::begin(client, &request, body.len() / 2).await
    }

    /// A look of which the end of the head is missing yet.
    async fn look(client: &Client, product: &str) -> Self {
        let address = client.address();
        let request = format!("GET /api/products/{product} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        Self::begin(client, &request, 2).await
    }

    async fn begin(client: &Client, request: &str, missing: usize) -> Self {
        let (first, rest) = request.split_at(request.len() - missing);
        let mut stream = TcpStream::connect(client.address()).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        Self { stream, rest: rest.to_owned() }
    }

    /// Sends the rest; the answer.
    async fn end(mut self) -> String {
        self.stream.write_all(self.rest.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = self.stream.read_to_end(&mut answer);
        let read = tokio::time::timeout(IN_TIME, read).await.expect("an answer in time");
        read.expect("an answer, and then the end of the connection");
        String::from_utf8_lossy(&answer).into_owned()
    }
}
