//! A product, what may be written of it, and what a write changes.
pub(crate) mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use souk_values::{Money, ProductId, Sku, Slug};

use super::category::CategoryPath;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Physical,
    /// Has no stock: it can be sold any number of times.
    Digital,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Digital => "digital",
        }
    }
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "physical" => Ok(Self::Physical),
            "digital" => Ok(Self::Digital),
            _ => Err("must be \"physical\" or \"digital\""),
        }
    }
}

/// The state of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) sku: Sku,
    pub(crate) slug: Slug,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) brand: String,
    pub(crate) category: Option<CategoryPath>,
    pub(crate) tags: Vec<String>,
    pub(crate) kind: Kind,
    /// One of [`rules::CONDITIONS`].
    pub(crate) condition: Option<String>,
    pub(crate) price: Money,
    /// Minor units of the same currency.
    pub(crate) old_price: Option<i64>,
    /// What lies on the shelf; of no meaning for digital goods.
    pub(crate) on_hand: i64,
    /// What is promised to orders.
    pub(crate) reserved: i64,
    pub(crate) stock_seq: i64,
    pub(crate) active: bool,
    pub(crate) images: Vec<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    /// The import source's name for the group the product came in.
    pub(crate) handle: String,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

impl Product {
    /// What can be bought now; `None`: without limit.
    pub(crate) fn stock(&self) -> Option<i64> {
        match self.kind {
            Kind::Physical => Some((self.on_hand - self.reserved).max(0)),
            Kind::Digital => None,
        }
    }
}

/// What a writer wants; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) slug: Option<Slug>,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) brand: Option<String>,
    pub(crate) category: Option<Option<CategoryPath>>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) kind: Option<Kind>,
    pub(crate) condition: Option<Option<String>>,
    pub(crate) price: Option<Money>,
    pub(crate) old_price: Option<Option<i64>>,
    /// A count: what can be bought now.
    pub(crate) stock: Option<i64>,
    pub(crate) active: Option<bool>,
    pub(crate) images: Option<Vec<String>>,
    pub(crate) attributes: Option<BTreeMap<String, String>>,
    pub(crate) handle: Option<String>,
}

/// One changed field, printed for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) field: &'static str,
    pub(crate) old: String,
    pub(crate) new: String,
}

/// A new product: the required fields from the patch, the rest by default. Answers the names of
/// what is missing.
pub(crate) fn create(
    id: ProductId,
    sku: Sku,
    patch: &Patch,
    now: DateTime<Utc>,
) -> Result<Product, Vec<&'static str>> {
    let (Some(name), Some(price)) = (&patch.name, patch.price) else {
        let absent = [("name", patch.name.is_none()), ("price", patch.price.is_none())];
        return Err(absent.into_iter().filter(|(_, absent)| *absent).map(|(f, _)| f).collect());
    };
    let slug = patch.slug.clone().unwrap_or_else(|| Slug::from_name(name));
    let mut product = Product {
        id,
        sku,
        slug,
        name: name.clone(),
        description: String::new(),
        brand: String::new(),
        category: None,
        tags: Vec::new(),
        kind: Kind::Physical,
        condition: None,
        price,
        old_price: None,
        on_hand: 0,
        reserved: 0,
        stock_seq: 0,
        active: true,
        images: Vec::new(),
        attributes: BTreeMap::new(),
        handle: String::new(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    set(&mut product, patch);
    Ok(product)
}

/// The product after the patch, and what changed; no changes, no new version.
pub(crate) fn update(old: &Product, patch: &Patch, now: DateTime<Utc>) -> (Product, Vec<Change>) {
    let mut new = old.clone();
    set(&mut new, patch);
    let changes = changes(Some(old), &new);
    if changes.is_empty() {
        return (old.clone(), changes);
    }
    if old.on_hand != new.on_hand {
        new.stock_seq += 1;
    }
    new.version += 1;
    new.updated_at = now;
    (new, changes)
}

fn set(product: &mut Product, patch: &Patch) {
    fn put<T: Clone>(field: &mut T, wish: &Option<T>) {
        if let Some(wish) = wish {
            field.clone_from(wish);
        }
    }
    put(&mut product.slug, &patch.slug);
    put(&mut product.name, &patch.name);
    put(&mut product.description, &patch.description);
    put(&mut product.brand, &patch.brand);
    put(&mut product.category, &patch.category);
    put(&mut product.tags, &patch.tags);
    put(&mut product.kind, &patch.kind);
    put(&mut product.condition, &patch.condition);
    put(&mut product.price, &patch.price);
    put(&mut product.old_price, &patch.old_price);
    put(&mut product.active, &patch.active);
    put(&mut product.images, &patch.images);
    put(&mut product.attributes, &patch.attributes);
    put(&mut product.handle, &patch.handle);
    if let Some(stock) = patch.stock {
        product.on_hand = stock + product.reserved;
    }
    if product.kind == Kind::Digital {
        product.on_hand = product.reserved;
    }
}

/// A field as people read it.
type Print = fn(&Product) -> String;

/// The fields in which two states differ, in the order people read them. `None`: everything that is
/// set is new.
pub(crate) fn changes(old: Option<&Product>, new: &Product) -> Vec<Change> {
    let fields: [(&'static str, Print); 16] = [
        ("sku", |p| p.sku.to_string()),
        ("name", |p| p.name.clone()),
        ("price", |p| p.price.to_string()),
        ("old_price", |p| print(p.old_price.map(|minor| Money::new(minor, p.price.currency)))),
        ("stock", |p| print(p.stock())),
        ("active", |p| p.active.to_string()),
        ("brand", |p| p.brand.clone()),
        ("category", |p| print(p.category.as_ref())),
        ("kind", |p| p.kind.as_str().to_owned()),
        ("condition", |p| p.condition.clone().unwrap_or_default()),
        ("tags", |p| p.tags.join(", ")),
        ("attributes", |p| {
            p.attributes.iter().map(|(k, v)| format!("{k}: {v}")).collect::<Vec<_>>().join("; ")
        }),
        ("images", |p| p.images.join(", ")),
        ("slug", |p| p.slug.to_string()),
        ("handle", |p| p.handle.clone()),
        ("description", |p| p.description.clone()),
    ];
    let printed = |p: Option<&Product>, f: Print| p.map(f).unwrap_or_default();
    fields
        .into_iter()
        .map(|(field, f)| Change { field, old: printed(old, f), new: f(new) })
        .filter(|change| change.old != change.new)
        .collect()
}

fn print<T: fmt::Display>(value: Option<T>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}
