//! Expectations in a file: a line for each operation, a column for each caller. Whatever is called
//! and has no expectation, and whatever is expected and no longer there, is a difference.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use csv::{ReaderBuilder, Trim};

/// What becomes of a call, as far as it matters who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Heard: whatever else is wrong with the request.
    Ok,
    /// Not known: 401, UNAUTHENTICATED.
    Unknown,
    /// Known, and may not: 403, PERMISSION_DENIED.
    Forbidden,
    /// It is there, and for them it is not: 404, NOT_FOUND.
    Hidden,
    /// What nobody should see; stands in no table.
    Broken(String),
}

impl Outcome {
    /// As it stands in a table.
    fn read(word: &str) -> Option<Self> {
        match word {
            "ok" => Some(Self::Ok),
            "401" => Some(Self::Unknown),
            "403" => Some(Self::Forbidden),
            "404" => Some(Self::Hidden),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Ok => "ok",
            Self::Unknown => "401",
            Self::Forbidden => "403",
            Self::Hidden => "404",
            Self::Broken(what) => what,
        })
    }
}

/// Operation, then caller.
pub(super) type Seen = BTreeMap<String, BTreeMap<String, Outcome>>;

#[derive(Debug)]
pub(super) struct Table {
    /// In the order of the file.
    operations: Vec<String>,
    cells: Seen,
}

impl Table {
    /// Every cell, or everything that is wrong with the file. `callers` are its columns.
    pub(super) fn read(text: &str, callers: &[&str]) -> Result<Self, Vec<String>> {
        let mut reader = ReaderBuilder::new()
            .trim(Trim::All)
            .comment(Some(b'#'))
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut wrong = Vec::new();
        let columns: Vec<String> = match reader.headers() {
            Ok(line) => line.iter().skip(1).map(str::to_owned).collect(),
            Err(error) => return Err(vec![error.to_string()]),
        };
        if columns != callers {
            wrong.push(format!("the columns are {columns:?}, not {callers:?}"));
        }
        let mut table = Self { operations: Vec::new(), cells: Seen::new() };
        for line in reader.records() {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    wrong.push(error.to_string());
                    continue;
                }
            };
            let operation = line.get(0).unwrap_or_default().to_owned();
            let mut cells = BTreeMap::new();
            for (at, caller) in columns.iter().enumerate() {
                let word = line.get(at + 1).unwrap_or_default();
                match Outcome::read(word) {
                    Some(outcome) => {
                        cells.insert(caller.clone(), outcome);
                    }
                    None => wrong.push(format!("{operation}: {caller}: {word:?} is no outcome")),
                }
            }
            if line.len() > columns.len() + 1 {
                wrong.push(format!("{operation}: more cells than columns"));
            }
            if table.cells.insert(operation.clone(), cells).is_some() {
                wrong.push(format!("{operation} stands there twice"));
            }
            table.operations.push(operation);
        }
        if wrong.is_empty() { Ok(table) } else { Err(wrong) }
    }

    /// In the order of the file, which is the order of the calls.
    pub(super) fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(String::as_str)
    }

    /// What is expected for one of the callers.
    pub(super) fn expects(&self, operation: &str, caller: &str) -> Option<&Outcome> {
        self.cells.get(operation)?.get(caller)
    }

    /// What is there and not expected, and what is expected and not there.
    pub(super) fn strangers(&self, there: &BTreeSet<String>) -> Vec<String> {
        let expected: BTreeSet<String> = self.operations.iter().cloned().collect();
        let added = there.difference(&expected).map(|op| format!("{op} has no expectations"));
        let gone = expected.difference(there).map(|op| format!("{op} is expected and not there"));
        added.chain(gone).collect()
    }

    /// Every cell that is not as expected; a cell that was not tried is not as expected either.
    pub(super) fn differences(&self, seen: &Seen) -> Vec<String> {
        let mut found = self.strangers(&seen.keys().cloned().collect());
        for (operation, cells) in &self.cells {
            let Some(seen) = seen.get(operation) else { continue };
            for (caller, expected) in cells {
                match seen.get(caller) {
                    Some(was) if was == expected => {}
                    Some(was) => {
                        found.push(format!("{operation}: {caller}: {was}, expected {expected}"));
                    }
                    None => found.push(format!("{operation}: {caller} was not tried")),
                }
            }
            for caller in seen.keys().filter(|caller| !cells.contains_key(*caller)) {
                found.push(format!("{operation}: {caller} has no expectation"));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLERS: [&str; 2] = ["anonymous", "owner"];
    const TEXT: &str = "\
# who may what
operation, anonymous, owner
GET /a,    ok,        ok
GET /b,    401,       404
";

    fn table() -> Table {
        Table::read(TEXT, &CALLERS).expect("a good table")
    }

    fn seen(rows: &[(&str, [Outcome; 2])]) -> Seen {
        let cells = |[first, second]: &[Outcome; 2]| {
            CALLERS.map(str::to_owned).into_iter().zip([first.clone(), second.clone()]).collect()
        };
        rows.iter().map(|(operation, row)| ((*operation).to_owned(), cells(row))).collect()
    }

    fn as_expected() -> Vec<(&'static str, [Outcome; 2])> {
        use Outcome::{Hidden, Ok, Unknown};
        vec![("GET /a", [Ok, Ok]), ("GET /b", [Unknown, Hidden])]
    }

    #[test]
    fn what_is_as_expected_makes_no_difference() {
        let found = table().differences(&seen(&as_expected()));
        assert_eq!(found, Vec::<String>::new());
        assert_eq!(table().operations().collect::<Vec<_>>(), ["GET /a", "GET /b"]);
    }

    #[test]
    fn s36_an_operation_that_nobody_listed_is_a_difference() {
        let mut rows = as_expected();
        rows.push(("POST /new", [Outcome::Ok, Outcome::Ok]));
        assert_eq!(table().differences(&seen(&rows)), ["POST /new has no expectations"]);
    }

    #[test]
    fn s36_an_operation_that_is_gone_is_a_difference() {
        let rows = &as_expected()[..1];
        assert_eq!(table().differences(&seen(rows)), ["GET /b is expected and not there"]);
    }

    #[test]
    fn s36_every_cell_counts() {
        for (at, outcome) in
            [(0, Outcome::Unknown), (1, Outcome::Forbidden), (1, Outcome::Broken("500".to_owned()))]
        {
            let mut rows = as_expected();
            rows[0].1[at] = outcome.clone();
            let found = table().differences(&seen(&rows));
            assert_eq!(found, [format!("GET /a: {}: {outcome}, expected ok", CALLERS[at])]);
        }
        let mut rows = seen(&as_expected());
        rows.get_mut("GET /a").expect("a row").remove("owner");
        assert_eq!(table().differences(&rows), ["GET /a: owner was not tried"]);
        let row = rows.get_mut("GET /a").expect("a row");
        row.insert("owner".to_owned(), Outcome::Ok);
        row.insert("somebody".to_owned(), Outcome::Ok);
        assert_eq!(table().differences(&rows), ["GET /a: somebody has no expectation"]);
    }

    #[test]
    fn s36_a_table_with_a_hole_is_no_table() {
        for (text, word) in [
            ("operation, anonymous\nGET /a, ok\n", "columns"),
            ("operation, anonymous, owner\nGET /a, ok\n", "owner"),
            ("operation, anonymous, owner\nGET /a, ok,\n", "owner"),
            ("operation, anonymous, owner\nGET /a, ok, maybe\n", "maybe"),
            ("operation, anonymous, owner\nGET /a, ok, ok, ok\n", "more cells"),
            ("operation, anonymous, owner\nGET /a, ok, ok\nGET /a, ok, ok\n", "twice"),
            ("", "columns"),
        ] {
            let wrong = Table::read(text, &CALLERS).expect_err(text);
            assert!(wrong.iter().any(|line| line.contains(word)), "{text}: {wrong:?}");
        }
    }
}
