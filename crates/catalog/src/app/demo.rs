//! The demo shop: loaded once into an empty store, without a letter to anybody.
use std::collections::BTreeMap;

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use souk_audit::NewEntry;
use souk_values::{Currency, Money, Sku, Slug};

use crate::app::product::{Item, Told, write_batch};
use crate::app::{App, image};
use crate::domain::category::CategoryPath;
use crate::domain::product::{Kind, Patch, rules};
use crate::error::Error;
use crate::store;

static DEMO: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo");

#[derive(Deserialize)]
struct DemoProduct {
    sku: String,
    slug: String,
    name: String,
    description: String,
    brand: String,
    category: String,
    tags: Vec<String>,
    kind: String,
    condition: Option<String>,
    price: String,
    old_price: Option<String>,
    currency: String,
    stock: Option<i64>,
    attributes: BTreeMap<String, String>,
    picture: String,
}

#[derive(Deserialize)]
struct DemoCategory {
    path: String,
    name: String,
}

/// Loads the demo shop if there is no product at all; answers how many it loaded.
pub(crate) async fn load(app: &App, actor: &str) -> Result<usize, Error> {
    if store::product::any(&app.db).await? {
        return Ok(0);
    }
    let mut items = Vec::new();
    for product in file::<Vec<DemoProduct>>("products.json")? {
        items.push(item(app, product).await?);
    }
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    for category in file::<Vec<DemoCategory>>("categories.json")? {
        let path = CategoryPath::parse(&category.path).map_err(broken)?;
        if store::category::find(&tx, &path).await?.is_none() {
            store::category::insert(&tx, &path, &category.name, now).await?;
        }
    }
    let told = Told { actor, batch: "demo", quiet: true, audited: false };
    let written = write_batch(app, &tx, &items, &told, true).await?;
    written.into_iter().collect::<Result<Vec<_>, Error>>()?;
    let entry = NewEntry::new("demo.loaded", "demo").change("products", 0, items.len());
    app.audit.record(&tx, entry).await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(items.len())
}

async fn item(app: &App, p: DemoProduct) -> Result<Item, Error> {
    let picture = DEMO
        .get_file(format!("pictures/{}", p.picture))
        .ok_or_else(|| broken(format!("{} is missing", p.picture)))?;
    let image = image::keep(app, picture.contents(), "svg").await?;
    let currency: Currency = p.currency.parse().map_err(broken)?;
    let price = |text: &str| Money::parse_price(text, currency).map_err(broken);
    let old_price = p.old_price.as_deref().map(price).transpose()?;
    let patch = Patch {
        slug: Some(Slug::parse(&p.slug).map_err(broken)?),
        name: Some(rules::name(&p.name).map_err(broken)?),
        description: Some(rules::description(&p.description).map_err(broken)?),
        brand: Some(rules::brand(&p.brand).map_err(broken)?),
        category: Some(Some(CategoryPath::parse(&p.category).map_err(broken)?)),
        tags: Some(rules::tags(&p.tags).map_err(broken)?),
        kind: Some(Kind::parse(&p.kind).map_err(broken)?),
        condition: Some(rules::condition(p.condition.as_deref().unwrap_or("")).map_err(broken)?),
        price: Some(price(&p.price)?),
        old_price: Some(old_price.map(|money| money.minor)),
        stock: p.stock,
        images: Some(vec![image]),
        attributes: Some(rules::attributes(&p.attributes).map_err(broken)?),
        ..Patch::default()
    };
    Ok(Item { sku: Sku::parse(&p.sku).map_err(broken)?, patch })
}

fn file<T: serde::de::DeserializeOwned>(name: &str) -> Result<T, Error> {
    let file = DEMO.get_file(name).ok_or_else(|| broken(format!("{name} is missing")))?;
    serde_json::from_slice(file.contents()).map_err(broken)
}

fn broken(what: impl ToString) -> Error {
    std::io::Error::other(format!("the demo shop is broken: {}", what.to_string())).into()
}
