//! Shopify's product file: the rows of one handle are the variants and pictures of one product
//! there. Each variant becomes a product here, with its options as attributes; rows without a price
//! only add pictures.
use std::collections::BTreeMap;

use super::Fields;

/// More rows under one handle are refused: Shopify allows 2,048 variants and 250 pictures.
pub(crate) const MAX_GROUP: usize = 2_500;

/// One row, with the number of its line.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) line: u64,
    pub(crate) cells: Vec<String>,
}

/// The products of one handle's rows, each with the line it stands on.
pub(crate) fn products(columns: &BTreeMap<String, usize>, rows: &[Row]) -> Vec<(u64, Fields)> {
    let cell = |row: &Row, name: &str| -> String {
        let at = columns.get(name).copied();
        at.and_then(|at| row.cells.get(at)).map(|c| c.trim().to_owned()).unwrap_or_default()
    };
    let Some(first) = rows.first() else { return Vec::new() };
    let handle = cell(first, "Handle");
    let mut pictures: Vec<(u32, String)> = rows
        .iter()
        .enumerate()
        .map(|(nth, row)| {
            let place = cell(row, "Image Position").parse();
            (place.unwrap_or(u32::try_from(nth).unwrap_or(u32::MAX)), cell(row, "Image Src"))
        })
        .filter(|(_, url)| !url.is_empty())
        .collect();
    pictures.sort();
    let variants: Vec<&Row> =
        rows.iter().filter(|row| !cell(row, "Variant Price").is_empty()).collect();
    // options are named on the first row only
    let options = ["Option1", "Option2", "Option3"].map(|option| {
        let name = cell(first, &format!("{option} Name"));
        (format!("{option} Value"), if name.is_empty() { option.to_owned() } else { name })
    });
    variants
        .iter()
        .map(|row| {
            let chosen: Vec<(String, String)> = options
                .iter()
                .map(|(column, name)| (name.clone(), cell(row, column)))
                .filter(|(_, value)| !value.is_empty() && value != "Default Title")
                .collect();
            let values: Vec<&str> = chosen.iter().map(|(_, value)| value.as_str()).collect();
            let title = cell(first, "Title");
            let mut fields = Fields::new();
            let mut put = |field: &str, text: String| {
                if !text.is_empty() {
                    fields.insert(field.to_owned(), text);
                }
            };
            let own_sku = cell(row, "Variant SKU");
            put(
                "sku",
                match (own_sku.is_empty(), values.is_empty()) {
                    (false, _) => own_sku,
                    (true, true) => handle.clone(),
                    (true, false) => format!("{handle}/{}", values.join("/")),
                },
            );
            put(
                "name",
                if values.is_empty() { title } else { format!("{title} ({})", values.join(", ")) },
            );
            put("handle", handle.clone());
            put("description", cell(first, "Body (HTML)"));
            put("brand", cell(first, "Vendor"));
            put("category", cell(first, "Type"));
            put("tags", cell(first, "Tags"));
            put("active", cell(first, "Published").to_lowercase());
            put("stock", cell(row, "Variant Inventory Qty"));
            put("price", cell(row, "Variant Price"));
            put(
                "old_price",
                higher(cell(row, "Variant Compare At Price"), &cell(row, "Variant Price")),
            );
            let digital = cell(row, "Variant Requires Shipping").eq_ignore_ascii_case("false");
            put("kind", if digital { "digital" } else { "physical" }.to_owned());
            let own = cell(row, "Variant Image");
            let mut images: Vec<&str> = Vec::new();
            for url in [own.as_str()].into_iter().chain(pictures.iter().map(|(_, u)| u.as_str())) {
                if !url.is_empty() && !images.contains(&url) {
                    images.push(url);
                }
            }
            put("images", images.join(" "));
            for (name, value) in chosen {
                put(&format!("attributes.{name}"), value);
            }
            (row.line, fields)
        })
        .collect()
}

/// A price before counts only when it is the higher one.
fn higher(before: String, now: &str) -> String {
    let cents = |text: &str| -> Option<i64> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{fraction:0<3.3}").parse().ok()
    };
    match (cents(&before), cents(now)) {
        (Some(b), Some(n)) if b > n => before,
        _ => String::new(),
    }
}
