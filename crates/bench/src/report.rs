//! The figures of a run: a table for people, the same as JSON for machines.

use std::fmt;

use serde::Serialize;

use crate::system::Machine;

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) commit: String,
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// How it was measured, in sentences.
    pub(crate) method: Vec<String>,
    pub(crate) figures: Vec<Figure>,
}

/// One line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) back_end: &'static str,
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) souk: f64,
    /// The bare handler's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bare: Option<f64>,
    /// Souk's by the bare handler's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
}

/// What is promised.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    RatioAtLeast(f64),
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub(crate) fn new(
        back_end: &'static str,
        name: impl Into<String>,
        unit: &'static str,
        souk: f64,
    ) -> Self {
        Self {
            back_end,
            name: name.into(),
            unit,
            souk,
            bare: None,
            ratio: None,
            target: None,
            met: None,
            note: String::new(),
        }
    }

    pub(crate) fn beside(mut self, bare: f64) -> Self {
        self.bare = Some(bare);
        self.ratio = (bare > 0.0).then(|| self.souk / bare);
        self
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self.met = Some(match target {
            Target::RatioAtLeast(least) => self.ratio.is_some_and(|ratio| ratio >= least),
            Target::AtLeast(least) => self.souk >= least,
            Target::AtMost(most) => self.souk <= most,
        });
        self
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn cells(&self) -> [String; 7] {
        let optional = |value: Option<f64>| value.map_or_else(String::new, short);
        [
            format!("{}, {}", self.name, self.unit),
            short(self.souk),
            optional(self.bare),
            self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.target.map_or_else(String::new, |target| match target {
                Target::RatioAtLeast(least) => format!("ratio >= {least}"),
                Target::AtLeast(least) => format!(">= {}", short(least)),
                Target::AtMost(most) => format!("<= {most}"),
            }),
            self.met.map_or("", |met| if met { "met" } else { "MISSED" }).to_owned(),
            self.note.clone(),
        ]
    }
}

/// Three digits that count, thousands apart.
fn short(value: f64) -> String {
    if value.abs() < 10.0 && value.fract() != 0.0 {
        return format!("{value:.2}");
    }
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "bench, commit {}, {}\n{}", self.commit, self.date, self.machine)?;
        for sentence in &self.method {
            writeln!(out, "{sentence}")?;
        }
        let head = ["", "souk", "bare axum", "ratio", "target", "", ""].map(str::to_owned);
        let mut rows = vec![head];
        rows.extend(self.figures.iter().map(Figure::cells));
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; 7] = std::array::from_fn(width);
        let mut back_end = "";
        for (number, row) in rows.iter().enumerate() {
            let own = number.checked_sub(1).map(|at| self.figures[at].back_end);
            if let Some(own) = own.filter(|own| *own != back_end) {
                writeln!(out, "\n{own}")?;
                back_end = own;
            }
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = widths[column];
                // Numbers to the right, words to the left.
                line += &match column {
                    1..=3 => format!("{cell:>width$}  "),
                    _ => format!("{cell:<width$}  "),
                };
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        let judged = self.figures.iter().filter_map(|figure| figure.met);
        let (met, missed): (Vec<bool>, Vec<bool>) = judged.partition(|met| *met);
        write!(out, "\n{} targets met, {} missed", met.len(), missed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_on_its_own_side_only() {
        let met = |figure: Figure, target| figure.target(target).met;
        let figure = || Figure::new("SQLite", "a", "MB", 60.0).beside(100.0);
        assert_eq!(met(figure(), Target::RatioAtLeast(0.6)), Some(true));
        assert_eq!(met(figure(), Target::RatioAtLeast(0.61)), Some(false));
        assert_eq!(met(figure(), Target::AtLeast(61.0)), Some(false));
        assert_eq!(met(figure(), Target::AtMost(60.0)), Some(true));
        let alone = Figure::new("SQLite", "a", "MB", 60.0);
        assert_eq!(met(alone, Target::RatioAtLeast(0.1)), Some(false), "without a bare figure");
    }

    #[test]
    fn numbers_are_short_and_readable() {
        let texts = [0.0, 0.456, 9.0, 12.34, 123.4, 1234.0, 1_234_567.8].map(short);
        assert_eq!(texts, ["0", "0.46", "9", "12.3", "123", "1,234", "1,234,568"]);
    }
}
