//! A door for `crates/fuzz`: the bytes of strangers, to what reads them first. No part of the service.
use std::collections::BTreeMap;
use std::io::Cursor;

use crate::app::transfer::Source;
use crate::domain::import::product;

/// A product file: read to its end, and what passes the rules keeps them.
pub fn product_file(data: &[u8]) {
    let Ok(currency) = "EUR".parse() else { return };
    let file = Box::new(Cursor::new(data.to_vec()));
    let Ok(mut source) = Source::of(file, &BTreeMap::new()) else { return };
    let mut steps = 0;
    while let Some(rows) = source.next() {
        steps += 1;
        assert!(steps <= data.len() + 1, "it does not end");
        for (_, fields) in rows {
            let Ok((sku, patch)) = fields.and_then(|fields| product(&fields, currency)) else {
                continue;
            };
            assert!(!sku.as_str().trim().is_empty(), "goods without a name");
            assert!(patch.price.is_none_or(|price| price.minor >= 0), "{sku}: {:?}", patch.price);
            assert!(patch.stock.is_none_or(|stock| stock >= 0), "{sku}: {:?}", patch.stock);
        }
    }
}
