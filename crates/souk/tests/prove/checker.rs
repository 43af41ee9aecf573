//! Compares what a client was told with what there is.
//!
//! *Lost*: acknowledged, and its effect is missing. *Unexpected*: an effect that nobody asked for.
//! *Doubled*: an effect twice. *Recovered*: the client was not told, and it happened; allowed.
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::amounts;
use crate::client::Outcome;
use crate::facts::{Event, Facts};
use crate::load::History;
use crate::verdict::{Row, Verdict, Views};

impl History {
    /// What a killed gateway may take with it: 100 ms of views. A debug build on a machine that
    /// runs other tests beside it gets more time; the table says how many it was.
    fn at_risk(&self) -> Vec<u64> {
        let window = Duration::from_millis(if amounts::is_full() { 100 } else { 1000 });
        self.answered(|look| {
            let dies = |death: &std::time::Instant| look.at <= *death && *death - look.at <= window;
            self.gateway_deaths.iter().any(dies)
        })
    }

    fn answered(&self, counts: impl Fn(&crate::load::Look) -> bool) -> Vec<u64> {
        let mut answered = vec![0; self.products.len()];
        let done = self.looks.iter().filter(|look| matches!(look.outcome, Outcome::Done(_)));
        done.filter(|look| counts(look)).for_each(|look| answered[look.product] += 1);
        answered
    }

    /// Views that must be counted in the end.
    pub(crate) fn views_owed(&self) -> u64 {
        let (answered, at_risk) = (self.answered(|_| true), self.at_risk());
        answered.iter().sum::<u64>() - at_risk.iter().sum::<u64>()
    }

    /// Reads and writes that were answered with something else than success, or not at all.
    pub(crate) fn failed(&self) -> Vec<Outcome> {
        let writes = self.attempts.iter().map(|attempt| attempt.outcome);
        let reads = self.looks.iter().map(|look| look.outcome);
        writes.chain(reads).filter(|outcome| !matches!(outcome, Outcome::Done(_))).collect()
    }
}

/// Who is right.
pub(crate) fn judge(history: &History, facts: &Facts) -> Verdict {
    let mut rows: Vec<Row> = history.cells.iter().map(Row::new).collect();
    let cell_of: HashMap<(&str, i64), usize> =
        history.attempts.iter().map(|a| ((a.product.as_str(), a.cents), a.cell)).collect();
    let cell = |event: &Event| cell_of.get(&(event.product.as_str(), event.cents)).copied();

    let mut versions: HashMap<(&str, u64), &Event> = HashMap::new();
    for event in &facts.events {
        let row = &mut rows[cell(event).unwrap_or_default()];
        // only what opened the product was no change of a price
        row.unexpected += u64::from(cell(event).is_none() && event.version != 1);
        row.lost += u64::from(!event.sent);
        if versions.insert((&event.product, event.version), event).is_some() {
            row.doubled += 1;
        }
    }
    let happened: HashSet<(&str, i64)> =
        facts.events.iter().map(|e| (e.product.as_str(), e.cents)).collect();
    for attempt in &history.attempts {
        let row = &mut rows[attempt.cell];
        // a connection that nobody took is no attempt
        row.attempted += u64::from(attempt.outcome != Outcome::Unsent);
        let happened = happened.contains(&(attempt.product.as_str(), attempt.cents));
        match attempt.outcome {
            Outcome::Done(version) => {
                row.acknowledged += 1;
                let event = versions.get(&(attempt.product.as_str(), version));
                row.lost += u64::from(event.is_none_or(|event| event.cents != attempt.cents));
            }
            Outcome::Unsent => row.unexpected += u64::from(happened),
            Outcome::Unknown => row.recovered += u64::from(happened),
            Outcome::Answered(status) => {
                row.recovered += u64::from(happened && status != 503);
                row.refused_yet_done += u64::from(happened && status == 503);
            }
        }
    }
    // a change without its event, also one that nobody was told of
    for (product, (version, cents)) in history.products.iter().zip(&facts.now) {
        rows[0].lost += (1..=*version)
            .filter(|version| !versions.contains_key(&(product.as_str(), *version)))
            .count() as u64;
        let last = versions.get(&(product.as_str(), *version));
        rows[0].unexpected += u64::from(last.is_some_and(|event| event.cents != *cents));
    }
    letters(facts, &mut rows, cell);
    rows[0].doubled += facts.changes.saturating_sub(facts.events.len() as u64);
    rows[0].lost += (facts.events.len() as u64).saturating_sub(facts.changes);
    Verdict { rows, views: views(history, facts), parked: facts.parked.clone() }
}

/// One line and one letter for each event: the shop has one admin. Letters of accounts are not
/// among the facts.
fn letters(facts: &Facts, rows: &mut [Row], cell: impl Fn(&Event) -> Option<usize>) {
    let mut lines: HashMap<&str, Vec<_>> = HashMap::new();
    for line in &facts.ledger {
        lines.entry(&line.event).or_default().push(line);
    }
    let mut known = HashSet::new();
    for event in &facts.events {
        let row = &mut rows[cell(event).unwrap_or_default()];
        let lines = lines.remove(event.id.as_str()).unwrap_or_default();
        let mut came = false;
        for line in &lines {
            let arrived = facts.arrived.get(&line.letter).copied().unwrap_or_default();
            came |= arrived > 0 && line.status == "sent";
            // lines of a digest share their letter
            if known.insert(line.letter.as_str()) {
                row.letters_doubled += u64::from(arrived).saturating_sub(1);
            }
        }
        row.letters_lost += u64::from(!came);
        row.lines_doubled += (lines.len() as u64).saturating_sub(1);
    }
    rows[0].unexpected += lines.len() as u64;
    let strays = facts.arrived.keys().filter(|letter| !known.contains(letter.as_str()));
    rows[0].unexpected += strays.count() as u64;
}

fn views(history: &History, facts: &Facts) -> Views {
    let (answered, at_risk) = (history.answered(|_| true), history.at_risk());
    let mut unknown = vec![0; history.products.len()];
    for look in &history.looks {
        unknown[look.product] += u64::from(!matches!(look.outcome, Outcome::Done(_)));
    }
    let mut views = Views { kills: history.gateway_deaths.len() as u64, ..Views::default() };
    for product in 0..history.products.len() {
        let counted = facts.counted[product];
        let missing = answered[product].saturating_sub(counted);
        views.answered += answered[product];
        views.counted += counted;
        views.died_with_gateway += missing.min(at_risk[product]);
        views.lost += missing.saturating_sub(at_risk[product]);
        views.doubled += counted.saturating_sub(answered[product] + unknown[product]);
    }
    views
}
