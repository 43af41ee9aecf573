//! Rows of product files, and the rules by which they become products. See `docs/import.md`.
pub(crate) mod layout;
pub(crate) mod shopify;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use souk_values::{Currency, Money, Sku, Slug};

use super::category::CategoryPath;
use super::product::{Kind, Patch, rules};

/// The text of one product's fields, by name; what is not there is left as it is.
pub(crate) type Fields = BTreeMap<String, String>;

/// Fields that a file may fill. `attributes.NAME` fills one attribute.
pub(crate) const FIELDS: [&str; 16] = [
    "sku",
    "name",
    "price",
    "currency",
    "old_price",
    "stock",
    "brand",
    "category",
    "tags",
    "kind",
    "condition",
    "active",
    "description",
    "images",
    "slug",
    "handle",
];

/// Codes that shop tills and invoice tools use for what is no goods (postage, charges, discounts,
/// corrections).
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

/// Why a row makes no product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Left out by a stated rule.
    Skipped(String),
    /// Breaks a rule of a field.
    Bad(String),
}

/// The product that the fields describe, or why there is none.
pub(crate) fn product(fields: &Fields, shop: Currency) -> Result<(Sku, Patch), Refused> {
    let get = |name: &str| fields.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut broken = Vec::new();
    let mut check = |name: &str, result: Result<(), String>| {
        if let Err(sentence) = result {
            broken.push(format!("{name} {sentence}"));
        }
    };
    let mut patch = Patch::default();
    // rows of a shop's own export are goods, whatever they are called and cost
    let own = get("slug").is_some();
    let till = !own && get("handle").is_none();
    let sku = match Sku::parse(get("sku").unwrap_or_default()) {
        Ok(sku) if till && NO_GOODS.contains(&sku.as_str().to_uppercase().as_str()) => {
            return Err(Refused::Skipped(format!("{sku} is a code for what is no goods")));
        }
        Ok(sku) => sku,
        Err(e) => return Err(Refused::Bad(format!("sku {e}"))),
    };
    let currency = match get("currency").map(str::parse::<Currency>) {
        None => shop,
        Some(Ok(currency)) => currency,
        Some(Err(e)) => return Err(Refused::Bad(format!("currency {e}"))),
    };
    if let Some(text) = get("price") {
        match Money::parse_price(text, currency) {
            Ok(price) if price.minor == 0 && !own && get("kind") != Some("digital") => {
                return Err(Refused::Skipped("the price is zero".to_owned()));
            }
            Ok(price) => patch.price = Some(price),
            Err(e) => check("price", Err(e.to_string())),
        }
    }
    if let Some(text) = get("old_price") {
        match Money::parse_price(text, currency) {
            Ok(old) => patch.old_price = Some((old.minor > 0).then_some(old.minor)),
            Err(e) => check("old_price", Err(e.to_string())),
        }
    } else if fields.contains_key("old_price") {
        patch.old_price = Some(None);
    }
    let mut line = |name: &str, rule: fn(&str) -> Result<String, String>| match get(name).map(rule)
    {
        Some(Ok(text)) => Some(text),
        Some(Err(sentence)) => {
            check(name, Err(sentence));
            None
        }
        None => None,
    };
    patch.name = line("name", rules::name);
    patch.brand = line("brand", rules::brand);
    patch.description = line("description", rules::description);
    patch.handle = line("handle", rules::handle);
    if let Some(text) = get("stock") {
        let whole = text.strip_suffix(".0").unwrap_or(text);
        let parsed = whole.parse::<i64>().map_err(|_| "must be a whole number".to_owned());
        match parsed.and_then(rules::stock) {
            Ok(stock) => patch.stock = Some(stock),
            Err(sentence) => check("stock", Err(sentence)),
        }
    }
    if let Some(text) = get("category") {
        match CategoryPath::parse(text).ok().or_else(|| CategoryPath::from_words(text)) {
            Some(path) => patch.category = Some(Some(path)),
            None => check("category", Err("must hold words".to_owned())),
        }
    }
    if let Some(text) = get("tags") {
        let tags: Vec<String> =
            text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect();
        check("tags", rules::tags(&tags).map(|tags| patch.tags = Some(tags)));
    }
    if let Some(text) = get("kind") {
        let kind = Kind::parse(text).map_err(str::to_owned);
        check("kind", kind.map(|kind| patch.kind = Some(kind)));
    }
    if let Some(text) = get("condition") {
        check("condition", rules::condition(text).map(|c| patch.condition = Some(c)));
    }
    if let Some(text) = get("active") {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => patch.active = Some(true),
            "false" | "0" | "no" => patch.active = Some(false),
            _ => check("active", Err("must be true or false".to_owned())),
        }
    }
    if let Some(text) = get("images") {
        let images: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        check("images", rules::images(&images).map(|images| patch.images = Some(images)));
    }
    if let Some(text) = get("slug") {
        let slug = Slug::parse(text).map_err(|e| e.to_string());
        check("slug", slug.map(|slug| patch.slug = Some(slug)));
    }
    let attributes: BTreeMap<String, String> = fields
        .iter()
        .filter_map(|(k, v)| Some((k.strip_prefix("attributes.")?.to_owned(), v.trim().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if !attributes.is_empty() {
        let checked = rules::attributes(&attributes);
        check("attributes", checked.map(|a| patch.attributes = Some(a)));
    }
    if broken.is_empty() { Ok((sku, patch)) } else { Err(Refused::Bad(broken.join("; "))) }
}
