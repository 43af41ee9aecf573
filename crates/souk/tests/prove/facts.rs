//! What there is after the faults: events, ledger, letters, counted views, prices.
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use souk_testkit::ses::FakeSes;

use crate::client::Client;
use crate::load::History;
use crate::process::until;

/// For draining what the faults dammed up; a bound, not a promise.
const PATIENCE: Duration = Duration::from_secs(120);

/// One product event as catalog's outbox has it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) product: String,
    pub(crate) version: u64,
    pub(crate) cents: i64,
    pub(crate) sent: bool,
}

/// One line of the mail ledger, about a product.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) event: String,
    pub(crate) letter: String,
    pub(crate) status: String,
}

/// Where letters arrive.
pub(crate) enum Letterbox<'a> {
    Folder(&'a Path),
    Ses(&'a FakeSes),
}

/// All of it.
pub(crate) struct Facts {
    pub(crate) events: Vec<Event>,
    pub(crate) ledger: Vec<Line>,
    /// Letter to how often it arrived.
    pub(crate) arrived: HashMap<String, u32>,
    /// Views that were counted, by product in the history's order.
    pub(crate) counted: Vec<u64>,
    /// Changes that analytics counted.
    pub(crate) changes: u64,
    /// Dead letters, with their reasons.
    pub(crate) parked: Vec<String>,
    /// Version and price of each product now.
    pub(crate) now: Vec<(u64, i64)>,
}

impl Letterbox<'_> {
    fn arrived(&self) -> HashMap<String, u32> {
        let mut arrived = HashMap::new();
        match self {
            Self::Folder(data) => {
                for file in std::fs::read_dir(data.join("mail")).unwrap() {
                    let name = file.unwrap().file_name().into_string().unwrap();
                    if let Some(letter) = name.strip_suffix(".eml") {
                        *arrived.entry(letter.to_owned()).or_default() += 1;
                    }
                }
            }
            Self::Ses(ses) => {
                for mail in ses.accepted() {
                    let letter = mail.tag("d").unwrap_or("without a tag").to_owned();
                    *arrived.entry(letter).or_default() += 1;
                }
            }
        }
        arrived
    }
}

/// Waits until everything has drained, or does not any more; then looks. What is missing is the
/// judge's business.
pub(crate) async fn gather(client: &Client, history: &History, letters: Letterbox<'_>) -> Facts {
    // committed with the changes themselves, so there are no more of them later
    let told = client.items("/api/admin/events?service=catalog").await;
    let events = told.len() as u64;
    let products: HashSet<String> = told.iter().map(|item| event(item).product).collect();
    let views = history.views_owed();
    until(PATIENCE, async || {
        let sent = letters_about(client, &products).await.get("sent").copied().unwrap_or_default();
        let totals = client.read("/api/admin/stats/totals").await;
        let changes = totals["product_changes"].as_u64().unwrap();
        sent >= events
            && changes >= events
            && counted(client, &history.products).await.iter().sum::<u64>() >= views
    })
    .await;
    let counted = counted(client, &history.products).await;
    let totals = client.read("/api/admin/stats/totals").await;
    let mut now = Vec::new();
    for product in &history.products {
        let found = client.read(&format!("/api/products/{product}")).await;
        now.push((found["version"].as_u64().unwrap(), cents(found["price"].as_str().unwrap())));
    }
    let events = client.items("/api/admin/events?service=catalog").await;
    let ledger = client.items("/api/admin/notifications").await;
    // accounts write letters too: they are not what was changed here
    let (ledger, others): (Vec<Value>, Vec<Value>) =
        ledger.into_iter().partition(|item| text(&item["kind"]).starts_with("product."));
    let mut arrived = letters.arrived();
    for other in &others {
        arrived.remove(&text(&other["letter_id"]));
    }
    let parked = client.read("/api/admin/dead-letters?limit=100").await;
    Facts {
        events: events.iter().map(event).collect(),
        ledger: ledger.iter().map(line).collect(),
        arrived,
        counted,
        changes: totals["product_changes"].as_u64().unwrap(),
        parked: parked["items"].as_array().unwrap().iter().map(Value::to_string).collect(),
        now,
    }
}

/// How many lines of the ledger about these products have each status.
pub(crate) async fn letters_about(
    client: &Client,
    products: impl IntoIterator<Item = &String>,
) -> HashMap<String, u64> {
    let mut all = HashMap::new();
    for product in products {
        let path = format!("/api/admin/notifications/counts?product_id={product}");
        let counts = client.read(&path).await;
        for (status, count) in counts["by_status"].as_object().unwrap() {
            *all.entry(status.clone()).or_default() += count.as_u64().unwrap();
        }
    }
    all
}

/// Views of each product, as analytics counted them.
async fn counted(client: &Client, products: &[String]) -> Vec<u64> {
    let mut counted = Vec::new();
    for product in products {
        let report = client.read(&format!("/api/admin/stats/products/{product}")).await;
        counted.push(report["all_time_views"].as_u64().unwrap());
    }
    counted
}

fn event(item: &Value) -> Event {
    let payload: Value = serde_json::from_str(item["payload"].as_str().unwrap()).unwrap();
    Event {
        id: text(&item["event_id"]),
        product: text(&payload["product_id"]),
        version: payload["version"].as_u64().unwrap(),
        cents: payload["state"]["price"]["minor"].as_i64().unwrap(),
        sent: item["status"] == "sent",
    }
}

fn line(item: &Value) -> Line {
    Line {
        event: text(&item["event_id"]),
        letter: text(&item["letter_id"]),
        status: text(&item["status"]),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn cents(price: &str) -> i64 {
    price.replace('.', "").parse().unwrap()
}

impl Facts {
    /// Only what these products made.
    pub(crate) fn of(&self, products: &[String]) -> Self {
        let own = |event: &&Event| products.contains(&event.product);
        let events: Vec<Event> = self.events.iter().filter(own).cloned().collect();
        let ids: HashSet<&str> = events.iter().map(|event| event.id.as_str()).collect();
        let mut ledger = self.ledger.clone();
        ledger.retain(|line| ids.contains(line.event.as_str()));
        let letters: HashSet<&str> = ledger.iter().map(|line| line.letter.as_str()).collect();
        let mut arrived = self.arrived.clone();
        arrived.retain(|letter, _| letters.contains(letter.as_str()));
        let others = (self.events.len() - events.len()) as u64;
        Self {
            changes: self.changes.saturating_sub(others),
            counted: self.counted.clone(),
            now: self.now.clone(),
            parked: self.parked.clone(),
            events,
            ledger,
            arrived,
        }
    }
}
