//! Products as rows of Shopify's columns with Souk's own beside them: importing the file changes
//! nothing.
use souk_values::{Money, ProductId};

use crate::app::App;
use crate::domain::import::layout::{OWN, OWN_ATTRIBUTES, OWN_IMAGES};
use crate::domain::product::Product;
use crate::error::Error;
use crate::store;

const AT_ONCE: u64 = 200;

/// The first line.
pub(crate) fn header() -> Result<Vec<u8>, Error> {
    let columns = ["Handle"].into_iter().chain(OWN.iter().map(|(column, _)| *column));
    rows([columns.chain([OWN_ATTRIBUTES, OWN_IMAGES]).map(str::to_owned).collect()])
}

/// The next part of the file after a product, and the product to go on after; `None` at the end.
pub(crate) async fn export(
    app: &App,
    after: Option<ProductId>,
    hidden: bool,
) -> Result<Option<(Vec<u8>, ProductId)>, Error> {
    let products = store::product::all_after(&app.db, after, hidden, AT_ONCE).await?;
    let Some(last) = products.last().map(|p| p.id) else { return Ok(None) };
    Ok(Some((rows(products.iter().map(row))?, last)))
}

fn row(p: &Product) -> Vec<String> {
    let handle = if p.handle.is_empty() { p.slug.to_string() } else { p.handle.clone() };
    let own = OWN.iter().map(|(_, field)| cell(p, field));
    let mut row: Vec<String> = [handle].into_iter().chain(own).collect();
    let json =
        |value: serde_json::Value, empty| if empty { String::new() } else { value.to_string() };
    row.push(json(serde_json::json!(p.attributes), p.attributes.is_empty()));
    row.push(json(serde_json::json!(p.images), p.images.is_empty()));
    row
}

fn cell(p: &Product, field: &str) -> String {
    let text = |value: Option<&dyn ToString>| value.map(ToString::to_string).unwrap_or_default();
    match field {
        "sku" => p.sku.to_string(),
        "name" => p.name.clone(),
        "description" => p.description.clone(),
        "brand" => p.brand.clone(),
        "tags" => p.tags.join(", "),
        "active" => p.active.to_string(),
        "stock" => text(p.stock().as_ref().map(|s| s as &dyn ToString)),
        "price" => p.price.decimal(),
        "old_price" => {
            p.old_price.map(|m| Money::new(m, p.price.currency).decimal()).unwrap_or_default()
        }
        "handle" => p.handle.clone(),
        "slug" => p.slug.to_string(),
        "category" => text(p.category.as_ref().map(|c| c as &dyn ToString)),
        "kind" => p.kind.as_str().to_owned(),
        "condition" => p.condition.clone().unwrap_or_default(),
        "currency" => p.price.currency.to_string(),
        _ => String::new(),
    }
}

fn rows(rows: impl IntoIterator<Item = Vec<String>>) -> Result<Vec<u8>, Error> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        csv.write_record(row).map_err(std::io::Error::other)?;
    }
    csv.into_inner().map_err(|e| std::io::Error::other(e.to_string()).into())
}
