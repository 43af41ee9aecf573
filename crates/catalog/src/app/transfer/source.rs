//! Reading a product file row by row, whatever its size.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::domain::import::layout::{self, Layout};
use crate::domain::import::shopify::{self, Row};
use crate::domain::import::{Fields, Refused};

/// A cell of more is no cell of a product file.
const MAX_ROW: usize = 1024 * 1024;

/// A file being read.
pub(crate) struct Source {
    csv: csv::Reader<BufReader<Box<dyn Read + Send>>>,
    layout: Layout,
    /// The first row of the next group, read ahead.
    ahead: Option<Row>,
    ended: bool,
}

/// What one step of reading gave: fields with their line, or why there are none.
pub(crate) type Read1 = (u64, Result<Fields, Refused>);

impl Source {
    /// Opens the file and understands its header.
    pub(crate) fn open(path: &Path, mapping: &BTreeMap<String, String>) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
        Self::of(Box::new(file), mapping)
    }

    /// Understands the header of what is a file, or looks like one.
    pub(crate) fn of(
        file: Box<dyn Read + Send>,
        mapping: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let mut file = BufReader::with_capacity(256 * 1024, file);
        skip_mark(&mut file);
        let mut csv = csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(file);
        let mut header = csv::ByteRecord::new();
        match csv.read_byte_record(&mut header) {
            Ok(true) => {}
            Ok(false) => return Err("is empty".to_owned()),
            Err(e) => return Err(format!("is not CSV: {e}")),
        }
        let header: Vec<String> = header.iter().map(text).collect();
        let layout = Layout::recognise(&header, mapping)?;
        Ok(Self { csv, layout, ahead: None, ended: false })
    }

    /// The next rows' products; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Vec<Read1>> {
        if self.ended && self.ahead.is_none() {
            return None;
        }
        match self.layout.clone() {
            Layout::Columns(columns) => match self.row()? {
                Ok(row) => {
                    let fields = spread(layout::fields(&columns, &row.cells));
                    Some(vec![(row.line, fields.map_err(Refused::Bad))])
                }
                Err(refused) => Some(vec![refused]),
            },
            Layout::Shopify(columns) => Some(self.group(&columns)),
        }
    }

    /// The rows that share the next handle.
    fn group(&mut self, columns: &BTreeMap<String, usize>) -> Vec<Read1> {
        let handle_at = columns.get("Handle").copied().unwrap_or_default();
        let handle_of = |row: &Row| row.cells.get(handle_at).cloned().unwrap_or_default();
        let mut rows: Vec<Row> = self.ahead.take().into_iter().collect();
        let mut bad = Vec::new();
        while let Some(next) = self.row() {
            match next {
                Err(refused) => bad.push(refused),
                Ok(row) if rows.first().is_some_and(|f| handle_of(f) != handle_of(&row)) => {
                    self.ahead = Some(row);
                    break;
                }
                Ok(row) if rows.len() >= shopify::MAX_GROUP => {
                    bad.push((row.line, Err(Refused::Bad("too many rows of one handle".into()))));
                }
                Ok(row) => rows.push(row),
            }
        }
        let made = shopify::products(columns, &rows);
        if let (true, Some(first)) = (made.is_empty(), rows.first()) {
            let sentence = "no row of this handle has a price".to_owned();
            bad.push((first.line, Err(Refused::Bad(sentence))));
        }
        made.into_iter().map(|(line, fields)| (line, Ok(fields))).chain(bad).collect()
    }

    fn row(&mut self) -> Option<Result<Row, Read1>> {
        let mut record = csv::ByteRecord::new();
        let line = self.csv.position().line();
        match self.csv.read_byte_record(&mut record) {
            Ok(true) => {
                let line = record.position().map_or(line, csv::Position::line);
                if record.as_slice().len() > MAX_ROW {
                    return Some(Err((line, Err(Refused::Bad("the row is over 1 MiB".into())))));
                }
                Some(Ok(Row { line, cells: record.iter().map(text).collect() }))
            }
            Ok(false) => {
                self.ended = true;
                None
            }
            Err(e) => {
                self.ended = true;
                Some(Err((line, Err(Refused::Bad(format!("the file is broken here: {e}"))))))
            }
        }
    }
}

/// The cells that hold JSON, in Souk's own export, as fields of their own.
fn spread(mut fields: Fields) -> Result<Fields, String> {
    let mut take = |name: &str| fields.remove(name).filter(|text| !text.is_empty());
    let (attributes, images) = (take("attributes.json"), take("images.json"));
    if let Some(text) = attributes {
        let all: BTreeMap<String, String> = serde_json::from_str(&text)
            .map_err(|_| format!("{} is not a JSON object of texts", layout::OWN_ATTRIBUTES))?;
        fields.extend(all.into_iter().map(|(name, text)| (format!("attributes.{name}"), text)));
    }
    if let Some(text) = images {
        let all: Vec<String> = serde_json::from_str(&text)
            .map_err(|_| format!("{} is not a JSON list of texts", layout::OWN_IMAGES))?;
        fields.insert("images".to_owned(), all.join(" "));
    }
    Ok(fields)
}

/// UTF-8, or else Latin-1 (ISO 8859-1), as old tools write it: no byte is lost.
fn text(cell: &[u8]) -> String {
    match std::str::from_utf8(cell) {
        Ok(text) => text.to_owned(),
        Err(_) => cell.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Spreadsheets put a byte order mark in front.
fn skip_mark(file: &mut impl BufRead) {
    if file.fill_buf().is_ok_and(|start| start.starts_with(b"\xef\xbb\xbf")) {
        file.consume(3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_cells_are_spread_out() {
        let cells = |json: &str| {
            let own = [("sku", "A"), ("attributes.json", json)];
            own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Fields>()
        };
        let fields = spread(cells(r#"{"Size":"L"}"#)).unwrap();
        assert_eq!(fields["attributes.Size"], "L");
        assert_eq!(fields.len(), 2);
        assert!(spread(cells("[")).is_err());
        assert_eq!(spread(cells("")).unwrap().len(), 1);
    }

    #[test]
    fn what_is_not_utf8_is_read_as_latin_1() {
        assert_eq!(text(b"caf\xe9 \xa35"), "café £5");
        assert_eq!(text("café".as_bytes()), "café");
    }
}
