//! Reading the chain again: what was changed, taken out, cut off or put in, by name.
use sea_orm::{ConnectionTrait, DbErr};
use souk_storage::Database;

use crate::chain::{self, GENESIS};
use crate::retention::{self, TRIMMED};
use crate::store::entry::{self, Model};
use crate::store::{head, newest, stone};

/// Rows of one query.
const PAGE: u64 = 1_000;
/// Breaches that are named; more are counted.
const NAMED: usize = 100;
/// A row that waits longer for its seal is reported.
const LATE_US: i64 = 10_000_000;

/// What a chain is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Sealed rows that were read.
    pub rows: u64,
    /// Where the chain begins; after retention later than 1.
    pub first_seq: u64,
    pub last_seq: u64,
    /// Of the last row, hexadecimal: kept elsewhere, it proves a chain that was written anew.
    pub last_hash: String,
    /// Rows that have waited for more than ten seconds.
    pub unsealed: u64,
    /// Subject and what is wrong with it, at most 100.
    pub breaches: Vec<(String, String)>,
    /// How many there are in all.
    pub broken: u64,
}

pub(crate) async fn run(db: &Database, now_us: i64) -> Result<Verdict, DbErr> {
    let db = newest(db);
    let stone = stone::find(db).await?;
    let mut walk = Walk::behind(stone.as_ref());
    loop {
        let rows = page(db, walk.seq).await?;
        if let Some(first) = rows.first() {
            // what is missing at the front may have been removed since we began
            if first.seq() > walk.seq + 1
                && let Some(stone) = stone::find(db).await?
                && stone.seq > walk.seq
                && stone.seq < first.seq()
            {
                walk.go_to(&stone);
            }
            for row in &rows {
                walk.step(row);
            }
            continue;
        }
        if let Some(stone) = stone::find(db).await?.filter(|stone| stone.seq > walk.seq) {
            walk.go_to(&stone);
            continue;
        }
        let head = head::find(db).await?;
        // sealed while we looked
        if head.as_ref().is_some_and(|head| head.seq > walk.seq)
            && !entry::places_after(db, walk.seq, 1).await?.is_empty()
        {
            continue;
        }
        walk.end(head.as_ref());
        break;
    }
    // the newest one, whatever was removed since we began
    let stone = stone::find(db).await?;
    if let Some(stone) = &stone {
        let told = retention::target(stone.seq, &stone.hash);
        if !entry::is_told(db, TRIMMED, &told).await? {
            let detail = "no entry of the chain tells of this beginning".to_owned();
            walk.breach("audit_stone".to_owned(), detail);
        }
    }
    let floor = stone.map_or(0, |stone| stone.seq);
    for (id, seq) in entry::misplaced(db, floor, NAMED as u64 + 1).await? {
        let detail = match seq {
            None => "was taken out of the chain".to_owned(),
            Some(seq) => format!("row {seq}: stands in front of the beginning"),
        };
        walk.breach(format!("audit/{id}"), detail);
    }
    walk.verdict.unsealed = entry::count_late(db, now_us - LATE_US).await?;
    Ok(walk.verdict)
}

/// A row, or that it cannot be read.
enum Found {
    Row(Box<Model>, i64),
    Unreadable(i64),
}

impl Found {
    fn seq(&self) -> i64 {
        match self {
            Self::Row(_, seq) | Self::Unreadable(seq) => *seq,
        }
    }
}

/// The next rows. A page that cannot be read as a whole is read row by row: one of them is broken.
async fn page(db: &impl ConnectionTrait, after: i64) -> Result<Vec<Found>, DbErr> {
    let whole = |row: Model| {
        let seq = row.seq.unwrap_or_default();
        Found::Row(Box::new(row), seq)
    };
    if let Ok(rows) = entry::sealed_after(db, after, PAGE).await {
        return Ok(rows.into_iter().map(whole).collect());
    }
    let mut rows = Vec::new();
    for seq in entry::places_after(db, after, PAGE).await? {
        match entry::at(db, seq).await {
            Ok(row) => rows.extend(row.map(whole)),
            Err(_) => rows.push(Found::Unreadable(seq)),
        }
    }
    Ok(rows)
}

/// The way along the chain.
struct Walk {
    /// Of the last row that was looked at.
    seq: i64,
    before: Before,
    verdict: Verdict,
}

/// What a row must remember of the one before it.
enum Before {
    Hash {
        name: String,
        hash: Vec<u8>,
    },
    /// The row is broken or missing, and named as such: no more is to be learned of it.
    Unknown,
}

impl Walk {
    fn behind(stone: Option<&stone::Model>) -> Self {
        let seq = stone.map_or(0, |stone| stone.seq);
        let hash = stone.map_or_else(|| GENESIS.to_vec(), |stone| stone.hash.clone());
        let before = Before::Hash { name: "audit_stone".to_owned(), hash };
        let place = seq.unsigned_abs();
        let first_seq = place + 1;
        let verdict = Verdict { first_seq, last_seq: place, ..Verdict::default() };
        Self { seq, before, verdict }
    }

    /// Everything up to the stone was removed in order.
    fn go_to(&mut self, stone: &stone::Model) {
        self.seq = stone.seq;
        let name = "audit_stone".to_owned();
        self.before = Before::Hash { name, hash: stone.hash.clone() };
        if self.verdict.rows == 0 {
            self.verdict.first_seq = stone.seq.unsigned_abs() + 1;
        }
    }

    fn breach(&mut self, subject: String, detail: String) {
        self.verdict.broken += 1;
        if self.verdict.breaches.len() < NAMED {
            self.verdict.breaches.push((subject, detail));
        }
    }

    fn missing(&mut self, first: i64, last: i64, how: &str) {
        let detail = if first == last {
            format!("row {first} {how}")
        } else {
            format!("rows {first} to {last} {how}")
        };
        self.breach(format!("audit/row {first}"), detail);
        self.before = Before::Unknown;
    }

    fn step(&mut self, found: &Found) {
        let seq = found.seq();
        if seq != self.seq + 1 {
            self.missing(self.seq + 1, seq - 1, "missing");
        }
        self.seq = seq;
        self.verdict.rows += 1;
        self.verdict.last_seq = seq.unsigned_abs();
        let Found::Row(row, _) = found else {
            self.breach(format!("audit/row {seq}"), format!("row {seq} cannot be read"));
            self.before = Before::Unknown;
            return;
        };
        let name = format!("audit/{}", row.id);
        self.verdict.last_hash = row.hash.as_deref().map(chain::hex).unwrap_or_default();
        if let Some(fault) = fault(row, seq) {
            self.breach(name, format!("row {seq}: {fault}"));
            self.before = Before::Unknown;
            return;
        }
        // the row is whole in itself; does it follow?
        let hash = row.hash.clone().unwrap_or_default();
        if let Before::Hash { name: earlier, hash } = &self.before
            && row.prev.as_ref() != Some(hash)
        {
            let (earlier, before) = (earlier.clone(), seq - 1);
            let detail = format!("row {before}: row {seq} remembers another hash of it");
            self.breach(earlier, detail);
        }
        self.before = Before::Hash { name, hash };
    }

    fn end(&mut self, head: Option<&head::Model>) {
        let Some(head) = head else {
            return self.breach("audit_head".to_owned(), "is missing".to_owned());
        };
        if head.seq > self.seq {
            return self.missing(self.seq + 1, head.seq, "cut off at the end");
        }
        if head.seq < self.seq {
            let detail = format!("row {} stands behind the end of the chain", self.seq);
            return self.breach(format!("audit/row {}", self.seq), detail);
        }
        if let Before::Hash { name, hash } = &self.before
            && *hash != head.hash
        {
            let detail = format!("row {}: the head remembers another hash of it", self.seq);
            self.breach(name.clone(), detail);
        }
    }
}

/// What is wrong with a row by itself.
fn fault(row: &Model, seq: i64) -> Option<&'static str> {
    match (&row.salt, &row.changes, &row.address) {
        (Some(salt), Some(changes), address) => {
            let digest = chain::digest(salt, address.as_deref(), changes);
            if digest != *row.digest {
                return Some("its address or its values were changed");
            }
        }
        // erased
        (None, None, None) => {}
        _ => return Some("its values are erased in part"),
    }
    let (Some(prev), Some(hash)) = (&row.prev, &row.hash) else {
        return Some("its hash was taken away");
    };
    (row.link(seq, prev) != **hash).then_some("was changed")
}
