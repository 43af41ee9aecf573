//! Which column of a file fills which field.
use std::collections::BTreeMap;

use super::{FIELDS, Fields};

/// How the rows of a file are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Each row a product: field by column.
    Columns(Vec<(String, usize)>),
    /// Shopify's product export: rows of one handle are one group of variants and pictures.
    Shopify(BTreeMap<String, usize>),
}

/// Other words for fields, as writers of the API may use them.
const ALIASES: [(&str, &str); 3] = [("mark", "brand"), ("company", "brand"), ("quantity", "stock")];

/// Columns of Souk's own export beside Shopify's, and the field each fills. They say exactly what
/// Shopify's cannot.
pub(crate) const OWN: [(&str, &str); 15] = [
    ("Variant SKU", "sku"),
    ("Title", "name"),
    ("Body (HTML)", "description"),
    ("Vendor", "brand"),
    ("Tags", "tags"),
    ("Published", "active"),
    ("Variant Inventory Qty", "stock"),
    ("Variant Price", "price"),
    ("Variant Compare At Price", "old_price"),
    ("Souk Handle", "handle"),
    ("Souk Slug", "slug"),
    ("Souk Category", "category"),
    ("Souk Kind", "kind"),
    ("Souk Condition", "condition"),
    ("Souk Currency", "currency"),
];
/// JSON objects and lists in one cell each.
pub(crate) const OWN_ATTRIBUTES: &str = "Souk Attributes";
pub(crate) const OWN_IMAGES: &str = "Souk Images";

impl Layout {
    /// By the mapping if there is one, else by the header: Souk's export, Shopify's, or columns
    /// named like fields.
    pub(crate) fn recognise(
        header: &[String],
        mapping: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let position = |name: &str| header.iter().position(|h| h.trim() == name);
        if !mapping.is_empty() {
            return Self::mapped(header, mapping, position);
        }
        if position("Souk Slug").is_some() {
            let mut columns: Vec<_> = OWN
                .iter()
                .filter_map(|(column, field)| Some(((*field).to_owned(), position(column)?)))
                .collect();
            for (column, field) in [(OWN_ATTRIBUTES, "attributes"), (OWN_IMAGES, "images")] {
                columns.extend(position(column).map(|at| (format!("{field}.json"), at)));
            }
            return Ok(Self::Columns(columns));
        }
        if position("Handle").is_some() && position("Variant Price").is_some() {
            let all = header.iter().enumerate().map(|(at, name)| (name.trim().to_owned(), at));
            return Ok(Self::Shopify(all.collect()));
        }
        let columns: Vec<(String, usize)> = header
            .iter()
            .enumerate()
            .filter_map(|(at, name)| Some((field_named(&name.trim().to_lowercase())?, at)))
            .collect();
        if columns.iter().any(|(field, _)| field == "sku") {
            Ok(Self::Columns(columns))
        } else {
            Err("the header names no column \"sku\" and is not Shopify's; say which column fills \
                 which field: sku=COLUMN, name=COLUMN, price=COLUMN"
                .to_owned())
        }
    }

    fn mapped(
        header: &[String],
        mapping: &BTreeMap<String, String>,
        position: impl Fn(&str) -> Option<usize>,
    ) -> Result<Self, String> {
        check(mapping)?;
        let mut columns = Vec::new();
        for (field, column) in mapping {
            let Some(known) = field_named(field) else { continue };
            let at = position(column).ok_or_else(|| {
                format!("the file has no column {column:?}; columns: {}", header.join(", "))
            })?;
            columns.push((known, at));
        }
        Ok(Self::Columns(columns))
    }
}

/// What can be wrong with a mapping, whatever the file holds.
pub(crate) fn check(mapping: &BTreeMap<String, String>) -> Result<(), String> {
    if let Some(unknown) = mapping.keys().find(|field| field_named(field).is_none()) {
        return Err(format!(
            "the mapping names no field {unknown:?}; fields: {}",
            FIELDS.join(", ")
        ));
    }
    if mapping.is_empty() || mapping.contains_key("sku") {
        Ok(())
    } else {
        Err("the mapping must say which column is the sku".to_owned())
    }
}

fn field_named(name: &str) -> Option<String> {
    let plain = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, field)| field);
    let known = FIELDS.contains(&plain)
        || plain.strip_prefix("attributes.").is_some_and(|key| !key.is_empty());
    known.then(|| plain.to_owned())
}

/// The fields of one row of a [`Layout::Columns`] file. Cells of JSON come as they are, under `attributes.json` and
/// `images.json`.
pub(crate) fn fields(columns: &[(String, usize)], row: &[String]) -> Fields {
    let cell = |(field, at): &(String, usize)| Some((field.clone(), row.get(*at)?.clone()));
    columns.iter().filter_map(cell).collect()
}
