//! A table of what was promised and what was kept.
use std::fmt;

use crate::load::Cell;

/// One kind of fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) kills: u32,
    pub(crate) attempted: u64,
    pub(crate) acknowledged: u64,
    pub(crate) recovered: u64,
    pub(crate) lost: u64,
    pub(crate) unexpected: u64,
    pub(crate) doubled: u64,
    /// Answered with 503, which says that nothing was accepted, and it happened.
    pub(crate) refused_yet_done: u64,
    pub(crate) letters_lost: u64,
    pub(crate) lines_doubled: u64,
    pub(crate) letters_doubled: u64,
}

/// Views of all products.
#[derive(Clone, Debug, Default)]
pub(crate) struct Views {
    pub(crate) kills: u64,
    pub(crate) answered: u64,
    pub(crate) counted: u64,
    pub(crate) died_with_gateway: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
}

/// What the checker found.
pub(crate) struct Verdict {
    pub(crate) rows: Vec<Row>,
    pub(crate) views: Views,
    /// Dead letters, with their reasons.
    pub(crate) parked: Vec<String>,
}

impl Row {
    pub(crate) fn new(cell: &Cell) -> Self {
        Self { name: cell.name.clone(), kills: cell.kills, ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.kills += other.kills;
        self.attempted += other.attempted;
        self.acknowledged += other.acknowledged;
        self.recovered += other.recovered;
        self.lost += other.lost;
        self.unexpected += other.unexpected;
        self.doubled += other.doubled;
        self.refused_yet_done += other.refused_yet_done;
        self.letters_lost += other.letters_lost;
        self.lines_doubled += other.lines_doubled;
        self.letters_doubled += other.letters_doubled;
    }
}

impl Verdict {
    fn sum(&self) -> Row {
        let mut sum = Row { name: "all".to_owned(), ..Row::default() };
        self.rows.iter().for_each(|row| sum.add(row));
        sum
    }

    /// Fails with the table unless everything that was promised is there, once.
    /// `doubles`: how many letters each kind of fault may double.
    pub(crate) fn must_be_kept(&self, doubles: impl Fn(&Row) -> u64) {
        assert!(self.views.answered > 0, "nobody looked\n{self}");
        self.must_keep_changes(doubles);
        assert_eq!(self.views.lost, 0, "views lost\n{self}");
        assert_eq!(self.views.doubled, 0, "views doubled\n{self}");
    }

    /// The same without views.
    pub(crate) fn must_keep_changes(&self, doubles: impl Fn(&Row) -> u64) {
        let sum = self.sum();
        assert!(sum.acknowledged > 0, "nothing was changed\n{self}");
        assert!(self.parked.is_empty(), "good messages were given up\n{self}");
        assert_eq!(sum.lost, 0, "lost\n{self}");
        assert_eq!(sum.unexpected, 0, "unexpected\n{self}");
        assert_eq!(sum.doubled, 0, "doubled\n{self}");
        assert_eq!(sum.refused_yet_done, 0, "503 was no true word\n{self}");
        assert_eq!(sum.letters_lost, 0, "letters lost\n{self}");
        assert_eq!(sum.lines_doubled, 0, "ledger lines doubled\n{self}");
        // a letter may have been ordered during the fault before
        let allowed: u64 = self.rows.iter().map(doubles).sum();
        assert!(sum.letters_doubled <= allowed, "more than {allowed} letters doubled\n{self}");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| fault | n | attempted | acknowledged | recovered | lost | unexpected | duplicated \
             | 503, yet done | letters lost | letters doubled |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
        for r in self.rows.iter().chain([&self.sum()]) {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                r.name,
                r.kills,
                r.attempted,
                r.acknowledged,
                r.recovered,
                r.lost,
                r.unexpected,
                r.doubled + r.lines_doubled,
                r.refused_yet_done,
                r.letters_lost,
                r.letters_doubled
            )?;
        }
        let v = &self.views;
        writeln!(f)?;
        for letter in &self.parked {
            writeln!(f, "Parked: {letter}")?;
        }
        writeln!(
            f,
            "Views: {} answered, {} counted, {} lost, {} duplicated; {} died with {} killed \
             gateways.",
            v.answered, v.counted, v.lost, v.doubled, v.died_with_gateway, v.kills
        )
    }
}
