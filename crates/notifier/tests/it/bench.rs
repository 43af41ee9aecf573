//! A notifier on a workbench: its clock, its database and its postman in the test's hands.

use chrono::{DateTime, TimeDelta, Utc};
use souk_events::{Envelope, Handler};
use souk_notifier::app::{App, Postman, Recipient, Recipients, Shop};
use souk_notifier::clients::mail;
use souk_notifier::config::{Config, Period, SenderKind, SesSettings};
use souk_notifier::events::product;
use souk_notifier::store::notification::{self, Entry, Filter};
use souk_proto::events::v1::{FieldChange, ProductChanged, ProductState};
use souk_service::Secret;
use souk_storage::Database;
use souk_testkit::ses::FakeSes;
use souk_values::{Clock, ProductId, UserId};
use uuid::Uuid;

use crate::neighbor::Neighborhood;
use crate::store::{Store, stores};

pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) clock: Clock,
    pub(crate) ses: FakeSes,
    pub(crate) config: Config,
}

/// One bench for each kind of database.
pub(crate) async fn benches() -> Vec<Bench> {
    benches_with(Config::default()).await
}

pub(crate) async fn benches_with(config: Config) -> Vec<Bench> {
    // whoever came first has installed it
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut benches = Vec::new();
    for store in stores().await {
        let ses = FakeSes::start().await.expect("the fake SES starts");
        let mut config = config.clone();
        config.mail.sender = SenderKind::Ses;
        config.ses = SesSettings {
            region: "eu-west-1".into(),
            endpoint: ses.url.clone(),
            access_key_id: Secret::new("AKID"),
            secret_access_key: Secret::new("secret"),
            max_send_rate: 10_000,
            ..config.ses
        };
        let clock = Clock::fixed(start());
        let shop = Shop::new("Souk", "http://127.0.0.1:8080");
        let app = App::new(store.db.clone(), clock.clone(), shop, &config.digest);
        benches.push(Bench { store, app, clock, ses, config });
    }
    benches
}

pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_251_600, 0).expect("a time")
}

/// An administrator.
pub(crate) fn admin(name: &str) -> Recipient {
    Recipient {
        user_id: UserId::new(),
        email: format!("{}@shop.example", name.to_lowercase()),
        name: name.to_owned(),
    }
}

impl Bench {
    pub(crate) fn db(&self) -> &Database {
        &self.store.db
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// A change as catalog would tell it, at this moment.
    pub(crate) fn change(&self, name: &str) -> Envelope {
        self.event(name, "changed", "")
    }

    pub(crate) fn event(&self, name: &str, kind: &str, batch_id: &str) -> Envelope {
        let product = ProductId::new();
        let message = ProductChanged {
            product_id: product.to_string(),
            version: 2,
            kind: kind.to_owned(),
            actor_id: "usr_someone".to_owned(),
            changes: vec![FieldChange {
                field: "price".to_owned(),
                old_value: "39.99 EUR".to_owned(),
                new_value: "29.99 EUR".to_owned(),
            }],
            state: Some(ProductState {
                sku: format!("SKU-{name}"),
                name: name.to_owned(),
                ..Default::default()
            }),
            batch_id: batch_id.to_owned(),
            quiet: batch_id == "demo",
        };
        envelope("souk.catalog.product.changed.v1", product.to_string(), &message, self.clock.now())
    }

    /// Hears the events in one transaction, as the consumer would.
    pub(crate) async fn hear(&self, events: &[Envelope], people: &[Recipient]) {
        let notices: Result<Vec<_>, _> = events.iter().map(product::from_proto).collect();
        let recipients = Recipients { asked_at: self.clock.now(), people: people.to_vec() };
        let tx = self.db().begin().await.expect("a transaction");
        let notices = notices.expect("the events are good");
        let notices: Vec<_> = notices.into_iter().flatten().collect();
        self.app.record(&tx, &notices, &recipients).await.expect("the events are heard");
        tx.commit().await.expect("commits");
    }

    /// For letters of which accounts need not be asked.
    pub(crate) async fn postman(&self) -> Postman {
        self.postman_of(&Neighborhood::new(&self.clock)).await
    }

    pub(crate) async fn postman_of(&self, neighbors: &Neighborhood) -> Postman {
        let folder = self.store.dir.path().join("mail");
        let mail = mail::open(&self.config, &folder).await.expect("a way to send");
        let accounts = neighbors.client();
        Postman::new(self.app.clone(), accounts, mail, &self.config).expect("a postman")
    }

    /// Sends everything that is due; answers how many attempts that took.
    pub(crate) async fn deliver(&self) -> usize {
        deliver(&self.postman().await).await
    }

    pub(crate) async fn ledger(&self) -> Vec<Entry> {
        let mut rows = notification::list(self.db().write(), &Filter::default(), None, 100_000)
            .await
            .expect("the ledger can be read");
        rows.reverse();
        rows
    }

    /// Status of each ledger row of that address, oldest first.
    pub(crate) async fn standing(&self, of: &Recipient) -> Vec<String> {
        let rows = self.ledger().await;
        rows.into_iter().filter(|r| r.recipient == of.email).map(|r| r.status).collect()
    }

    /// How many letters each address got.
    pub(crate) fn sent_to(&self, who: &Recipient) -> usize {
        self.ses.accepted().iter().filter(|m| m.destination == [who.email.as_str()]).count()
    }
}

pub(crate) async fn deliver(postman: &Postman) -> usize {
    let mut attempts = 0;
    loop {
        let letters = postman.claim(8).await.expect("letters can be taken");
        if letters.is_empty() {
            return attempts;
        }
        attempts += letters.len();
        futures::future::join_all(letters.into_iter().map(|l| postman.carry(l))).await;
    }
}

pub(crate) fn envelope(
    event_type: &str,
    subject: String,
    message: &impl prost::Message,
    at: DateTime<Utc>,
) -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        event_type: event_type.to_owned(),
        source: "/catalog".to_owned(),
        partition_key: subject.clone(),
        subject,
        epoch: 0,
        version: 1,
        time: at,
        correlation_id: None,
        causation_id: None,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        payload: message.encode_to_vec().into(),
    }
}

/// Prepares and handles, as the consumer would.
pub(crate) async fn handle<H: Handler>(db: &Database, handler: &H, events: &[Envelope]) {
    let ready = handler.prepare(events).await.expect("prepares");
    let tx = db.begin().await.expect("a transaction");
    handler.handle(&tx, events, ready).await.expect("handles");
    tx.commit().await.expect("commits");
}

pub(crate) fn digest_of(threshold: u32) -> Config {
    let mut config = Config::default();
    config.digest.threshold = threshold;
    config.digest.window = Period::seconds(60);
    config
}
