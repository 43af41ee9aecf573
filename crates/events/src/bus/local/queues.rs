//! What the writer knows of its queues without asking the disk: bindings, how far each was read,
//! how many wait.
use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{Row, SqliteConnection};
use tokio::sync::watch;

use super::topic;

const ROUTES_KEPT: usize = 4096;

pub(super) struct Queue {
    pub(super) id: i64,
    pub(super) name: String,
    bindings: Arc<[String]>,
    pub(super) wake: watch::Sender<()>,
}

/// Goes back with the transaction that moved it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    /// The last message taken for the first time.
    pub(super) cursor: i64,
    pub(super) held: u64,
    pub(super) in_hand: u64,
}

pub(super) struct Snapshot {
    positions: Vec<Position>,
    bindings: Vec<Arc<[String]>>,
}

#[derive(Default)]
pub(super) struct Queues {
    list: Vec<Queue>,
    pub(super) positions: Vec<Position>,
    places: HashMap<String, usize>,
    routes: HashMap<String, Arc<[usize]>>,
}

impl Queues {
    pub(super) async fn load(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT id, name, bindings, (SELECT count(*) FROM delivery WHERE queue = queue.id)
             FROM queue ORDER BY id",
        )
        .fetch_all(conn)
        .await?;
        let mut queues = Self::default();
        for row in rows {
            let bindings: String = row.try_get(2)?;
            let held: i64 = row.try_get(3)?;
            let place = queues.add(row.try_get(0)?, row.try_get(1)?, words(&bindings));
            queues.positions[place].held = held.unsigned_abs();
        }
        Ok(queues)
    }

    pub(super) fn add(&mut self, id: i64, name: String, bindings: Vec<String>) -> usize {
        let bindings = bindings.into();
        self.routes.clear();
        if let Some(&place) = self.places.get(&name) {
            self.list[place].bindings = bindings;
            return place;
        }
        let place = self.list.len();
        self.places.insert(name.clone(), place);
        self.list.push(Queue { id, name, bindings, wake: watch::Sender::new(()) });
        self.positions.push(Position::default());
        place
    }

    pub(super) fn get(&self, place: usize) -> &Queue {
        &self.list[place]
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    pub(super) fn is_bound(&self, name: &str, bindings: &[String]) -> bool {
        self.place(name).is_some_and(|place| *self.list[place].bindings == *bindings)
    }

    /// What a failed transaction must not leave behind.
    pub(super) fn snapshot(&self) -> Snapshot {
        let bindings = self.list.iter().map(|queue| queue.bindings.clone()).collect();
        Snapshot { positions: self.positions.clone(), bindings }
    }

    pub(super) fn restore(&mut self, snapshot: Snapshot) {
        self.routes.clear();
        self.list.truncate(snapshot.bindings.len());
        self.places.retain(|_, place| *place < snapshot.bindings.len());
        for (queue, bindings) in self.list.iter_mut().zip(snapshot.bindings) {
            queue.bindings = bindings;
        }
        self.positions = snapshot.positions;
    }

    /// The queues that want messages with this key.
    pub(super) fn route(&mut self, key: &str) -> Arc<[usize]> {
        if let Some(route) = self.routes.get(key) {
            return route.clone();
        }
        let wants = |queue: &Queue| queue.bindings.iter().any(|b| topic::matches(b, key));
        let places = self.list.iter().enumerate();
        let route: Arc<[usize]> =
            places.filter(|(_, queue)| wants(queue)).map(|(place, _)| place).collect();
        if self.routes.len() >= ROUTES_KEPT {
            self.routes.clear();
        }
        self.routes.insert(key.to_owned(), route.clone());
        route
    }

    pub(super) fn wake(&self, place: usize) {
        self.list[place].wake.send_replace(());
    }
}

fn words(bindings: &str) -> Vec<String> {
    bindings.split_whitespace().map(str::to_owned).collect()
}
