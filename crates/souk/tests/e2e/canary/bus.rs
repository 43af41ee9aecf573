//! What travels between the services: heard at the broker, or kept by a trigger in the file that is
//! the bus of one process; and what lies in the queues in the end.
use std::path::Path;

use sea_orm::ConnectionTrait;
use souk_storage::{Database, DatabaseSettings};
use souk_testkit::Storehouse;
use souk_testkit::tap::{Carried, Tap};

use super::marks::Place;

/// Messages are removed when everybody has them; these stay.
const TRIGGERS: &str = "
CREATE TABLE IF NOT EXISTS heard (headers TEXT, payload BLOB);
CREATE TRIGGER IF NOT EXISTS heard_message AFTER INSERT ON message BEGIN
    INSERT INTO heard VALUES (new.headers, new.payload);
END;
CREATE TRIGGER IF NOT EXISTS heard_first_note AFTER INSERT ON delivery
WHEN new.note IS NOT NULL BEGIN
    INSERT INTO heard VALUES (new.note, NULL);
END;
CREATE TRIGGER IF NOT EXISTS heard_note AFTER UPDATE OF note ON delivery
WHEN new.note IS NOT NULL BEGIN
    INSERT INTO heard VALUES (new.note, NULL);
END;
";

/// Somebody who listens.
pub(super) enum Bus {
    Broker(Box<Tap>),
    File,
}

impl Bus {
    /// Before the shop opens.
    pub(super) async fn of(store: &Storehouse) -> Self {
        match store.setting("bus.url") {
            Some(_) => Self::Broker(Box::new(Tap::open(store).await)),
            None => Self::File,
        }
    }

    /// As soon as the shop is open.
    pub(super) async fn listen(&self, data_dir: &Path) {
        if matches!(self, Self::File) {
            let db = open(data_dir).await;
            db.write().execute_unprepared(TRIGGERS).await.expect("triggers");
            db.close().await.expect("it closes");
        }
    }

    /// What was heard since the last time, and what lies in the queues. That of a file is in its
    /// tables.
    pub(super) async fn places(&self) -> Vec<Place> {
        let Self::Broker(tap) = self else { return Vec::new() };
        let place = |sort: &'static str| {
            move |message: Carried| Place {
                name: format!("{sort}: {}", message.at),
                bytes: message.bytes,
            }
        };
        let mut places: Vec<Place> = tap.heard().await.into_iter().map(place("bus")).collect();
        places.extend(tap.lying().await.into_iter().map(place("queue")));
        places
    }
}

/// The file of the bus, while no shop is open or beside it.
pub(super) async fn open(data_dir: &Path) -> Database {
    let settings = DatabaseSettings::default();
    Database::open(&settings, data_dir, "bus").await.expect("the file of the bus")
}
