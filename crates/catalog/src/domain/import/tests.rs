//! Rows of every kind of mess.
use super::layout::Layout;
use super::shopify::{Row, products};
use super::*;

fn gbp() -> Currency {
    "GBP".parse().unwrap()
}

fn row(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn a_plain_row_is_a_product() {
    let row = row(&[("sku", " 85123A "), ("name", "T-LIGHT HOLDER"), ("price", "2.55")]);
    let (sku, patch) = product(&row, gbp()).unwrap();
    assert_eq!(sku.as_str(), "85123A");
    assert_eq!(patch.price.unwrap().to_string(), "2.55 GBP");
    assert_eq!(patch.stock, None);
}

#[test]
fn messy_rows_say_what_is_wrong() {
    let says = |pairs: &[(&str, &str)]| product(&row(pairs), gbp()).unwrap_err();
    assert_eq!(says(&[("sku", " ")]), Refused::Bad("sku must not be empty".into()));
    assert!(matches!(says(&[("sku", "POST"), ("price", "18")]), Refused::Skipped(_)));
    assert!(matches!(says(&[("sku", "bank charges")]), Refused::Skipped(_)));
    assert_eq!(says(&[("sku", "1"), ("price", "0")]), Refused::Skipped("the price is zero".into()));
    assert_eq!(
        says(&[("sku", "1"), ("price", "-5"), ("stock", "-3"), ("active", "maybe")]),
        Refused::Bad(
            "price must not be negative; stock must not be negative; active must be true or false"
                .into()
        )
    );
}

#[test]
fn a_mapping_must_fit_the_file() {
    let header = ["StockCode", "Description"].map(str::to_owned);
    let map = |pairs: &[(&str, &str)]| Layout::recognise(&header, &row(pairs));
    assert_eq!(
        map(&[("sku", "StockCode"), ("name", "Description")]),
        Ok(Layout::Columns(vec![("name".into(), 1), ("sku".into(), 0)]))
    );
    assert!(map(&[("name", "Description")]).unwrap_err().contains("sku"));
    assert!(map(&[("sku", "Code")]).unwrap_err().contains("no column \"Code\""));
    assert!(map(&[("sku", "StockCode"), ("colour", "x")]).unwrap_err().contains("no field"));
    assert!(map(&[]).unwrap_err().contains("sku=COLUMN"));
}

#[test]
fn variants_become_products_and_rows_without_a_price_add_pictures() {
    let header = [
        "Handle",
        "Title",
        "Option1 Name",
        "Option1 Value",
        "Variant SKU",
        "Variant Price",
        "Variant Compare At Price",
        "Image Src",
        "Image Position",
    ];
    let columns = header.iter().enumerate().map(|(i, h)| ((*h).to_owned(), i)).collect();
    let cells = |line: u64, cells: [&str; 9]| Row { line, cells: cells.map(str::to_owned).into() };
    let rows = [
        cells(2, ["pot", "Clay Pot", "Size", "Regular", "", "9.99", "12", "https://x/1", "1"]),
        cells(3, ["pot", "", "", "Large", "", "15.99", "1", "https://x/2", "2"]),
        cells(4, ["pot", "", "", "", "", "", "", "https://x/3", "3"]),
    ];
    let made = products(&columns, &rows);
    assert_eq!(made.len(), 2);
    let (line, first) = &made[0];
    assert_eq!((*line, first["sku"].as_str()), (2, "pot/Regular"));
    assert_eq!(first["name"], "Clay Pot (Regular)");
    assert_eq!(first["attributes.Size"], "Regular");
    assert_eq!(first["old_price"], "12");
    assert_eq!(first["images"], "https://x/1 https://x/2 https://x/3");
    assert!(!made[1].1.contains_key("old_price"));

    let single = cells(2, ["pot", "Clay Pot", "Title", "Default Title", "", "9", "", "", ""]);
    assert_eq!(products(&columns, &[single])[0].1["sku"], "pot");
}
