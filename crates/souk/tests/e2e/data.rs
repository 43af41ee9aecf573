//! Product files, and what must become of them: computed here, independently of the shop.
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

/// What a file of one row per line must lead to.
#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) rows: usize,
    /// Rows with a price of something sold.
    pub(crate) good_rows: usize,
    /// SKU: the last name and the last price (pence) of good rows.
    pub(crate) products: BTreeMap<String, (String, u64)>,
    /// SKUs that no good row names.
    pub(crate) nameless: BTreeSet<String>,
    /// Lines of rows without a price, or that are no goods.
    pub(crate) skipped: BTreeSet<u64>,
    /// Lines of rows that break a rule.
    pub(crate) rejected: BTreeSet<u64>,
}

/// Codes of the till for postage, charges and corrections.
const NO_GOODS: [&str; 13] = [
    "POST",
    "DOT",
    "M",
    "D",
    "S",
    "B",
    "C2",
    "CRUK",
    "PADS",
    "AMAZONFEE",
    "BANK CHARGES",
    "ADJUST",
    "TEST",
];

/// The folder of real data, if it is there.
pub(crate) fn folder() -> Option<PathBuf> {
    let told = std::env::var_os("SOUK_TEST_DATA").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    Some(told.unwrap_or(beside)).filter(|folder| folder.is_dir())
}

/// Says so on the terminal, past the test runner that swallows what tests print.
pub(crate) fn left_out(what: &str) {
    let _ = writeln!(std::io::stderr(), "left out, SOUK_TEST_DATA is not there: {what}");
}

/// The invoice lines of a real shop, or as many made-up ones of the same mess.
pub(crate) fn invoice_lines() -> Vec<u8> {
    match folder() {
        Some(folder) => std::fs::read(folder.join("online-retail.csv")).expect("online-retail.csv"),
        None => {
            left_out("the real invoice lines (generated ones instead)");
            generated(8_000)
        }
    }
}

/// Returns, free samples, postage, several names for one code, notes instead of names, foreign bytes.
fn generated(rows: u32) -> Vec<u8> {
    let mut file =
        b"InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country\n".to_vec();
    for n in 0..rows {
        let code = match n % 97 {
            0 => "POST".to_owned(),
            1 => "BANK CHARGES".to_owned(),
            _ => format!("{}{}", 20_000 + n * 31 % 1_200, ["", "A", "b"][n as usize % 3]),
        };
        let name: &[u8] = match n % 41 {
            0 => b"",
            1 => b"?",
            2 => b"damaged",
            3 => b"\"FRENCH CAF\xc9 SIGN, SMALL\"",
            4 => b"\"two\nlines\"",
            _ => b"WHITE HANGING HEART",
        };
        let price = match n % 53 {
            0 => "0".to_owned(),
            1 => "-11062.06".to_owned(),
            2 => "0.001".to_owned(),
            _ => format!("{}.{:02}", n % 19 + 1, n * 7 % 100),
        };
        let quantity = if n % 57 == 0 { "-1" } else { "6" };
        file.extend_from_slice(format!("{},{code},", 536_365 + n / 12).as_bytes());
        file.extend_from_slice(name);
        file.extend_from_slice(format!(",{quantity},{price},,United Kingdom\n").as_bytes());
    }
    file
}

/// Price in hundredths; `None`: no price of two decimals and no sign.
fn hundredths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 2 || whole.is_empty() {
        return None;
    }
    format!("{whole}{fraction:0<2}").parse().ok()
}

fn text(cell: &[u8]) -> String {
    let latin = || cell.iter().map(|byte| char::from(*byte)).collect();
    std::str::from_utf8(cell).map_or_else(|_| latin(), |text| text.trim().to_owned())
}

/// Reads the file as `sku=StockCode,name=Description,price=UnitPrice` says.
pub(crate) fn expected(file: &[u8]) -> Expected {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header: Vec<String> = csv.byte_headers().expect("a header").iter().map(text).collect();
    let at = |name: &str| header.iter().position(|column| column == name).expect("a column");
    let (sku_at, name_at, price_at) = (at("StockCode"), at("Description"), at("UnitPrice"));
    let mut expected = Expected::default();
    for row in csv.byte_records() {
        let row = row.expect("a row");
        let line = row.position().expect("a place").line();
        let cell = |at: usize| row.get(at).map(text).unwrap_or_default().trim().to_owned();
        let (sku, name, price) = (cell(sku_at), cell(name_at), hundredths(&cell(price_at)));
        expected.rows += 1;
        if NO_GOODS.contains(&sku.to_uppercase().as_str()) || (price == Some(0) && !sku.is_empty())
        {
            expected.skipped.insert(line);
            continue;
        }
        let broken_name = name.contains(['\n', '\r']) || name.chars().count() > 300;
        let Some(price) = price.filter(|_| !sku.is_empty() && !broken_name) else {
            expected.rejected.insert(line);
            continue;
        };
        expected.good_rows += 1;
        let entry = expected.products.entry(sku).or_default();
        entry.1 = price;
        if !name.is_empty() {
            entry.0 = name;
        }
    }
    let nameless = expected.products.iter().filter(|(_, (name, _))| name.is_empty());
    expected.nameless = nameless.map(|(sku, _)| sku.clone()).collect();
    expected.products.retain(|_, (name, _)| !name.is_empty());
    expected
}

/// What a file of Shopify's must lead to: SKU and price of every variant; lines of variants without a price.
pub(crate) fn expected_of_shopify(file: &[u8]) -> (BTreeMap<String, String>, BTreeSet<u64>) {
    let mut csv = csv::ReaderBuilder::new().flexible(true).from_reader(file);
    let header: Vec<String> = csv.byte_headers().expect("a header").iter().map(text).collect();
    let (mut variants, mut free) = (BTreeMap::new(), BTreeSet::new());
    for row in csv.byte_records() {
        let row = row.expect("a row");
        let cell = |name: &str| {
            let at = header.iter().position(|column| column == name).expect("a column");
            row.get(at).map(text).unwrap_or_default()
        };
        let price = cell("Variant Price");
        if price.is_empty() {
            continue;
        }
        let options = ["Option1 Value", "Option2 Value", "Option3 Value"].map(cell);
        let chosen: Vec<&str> = options
            .iter()
            .map(String::as_str)
            .filter(|v| !v.is_empty() && *v != "Default Title")
            .collect();
        let sku = match (cell("Variant SKU"), chosen.is_empty()) {
            (sku, _) if !sku.is_empty() => sku,
            (_, true) => cell("Handle"),
            (_, false) => format!("{}/{}", cell("Handle"), chosen.join("/")),
        };
        let digital = cell("Variant Requires Shipping").eq_ignore_ascii_case("false");
        match hundredths(&price) {
            Some(0) if !digital => drop(free.insert(row.position().expect("a place").line())),
            Some(pence) => {
                drop(variants.insert(sku, format!("{}.{:02}", pence / 100, pence % 100)))
            }
            None => panic!("a price that this test does not understand: {price}"),
        }
    }
    (variants, free)
}
