//! The event of a product change: what changed, by whom, and the state after it. The audit's entry
//! is made of the same changes.
use souk_audit::NewEntry;
use souk_events::{NewEvent, registry};
use souk_proto::events::v1::{FieldChange, ProductChanged, ProductState};
use souk_proto::types::v1::Money;

use crate::domain::product::{Change, Product, changes};

/// Descriptions are long: listeners get the beginning.
const MAX_PRINTED: usize = 500;

/// Who made a change, and in what company.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) actor: &'a str,
    /// Empty: alone.
    pub(crate) batch: &'a str,
    pub(crate) quiet: bool,
    /// Each change of a batch is an entry of the audit; else whoever made the batch tells of it by
    /// one.
    pub(crate) audited: bool,
}

/// The entry of the audit about a change. `old`: none for a new product.
pub(super) fn entry(old: Option<&Product>, new: &Product, changes: &[Change]) -> NewEntry {
    let kind = old.map_or("created", |old| kind(old, new));
    let entry = NewEntry::new(&format!("product.{kind}"), format!("product/{}", new.id));
    let what = |entry: NewEntry, c: &Change| entry.change(c.field, &c.old, &c.new);
    changes.iter().fold(entry, what)
}

fn kind(old: &Product, new: &Product) -> &'static str {
    match (old.active, new.active) {
        (true, false) => "deleted",
        (false, true) => "restored",
        _ => "changed",
    }
}

pub(super) fn created(product: &Product, told: &Told<'_>) -> NewEvent {
    let changes = changes(None, product);
    event(registry::PRODUCT_CREATED, "created", product, changes, told, None)
}

pub(super) fn changed(
    old: &Product,
    new: &Product,
    changes: Vec<Change>,
    told: &Told<'_>,
) -> NewEvent {
    let kind = kind(old, new);
    let event_type = match kind {
        "deleted" => registry::PRODUCT_DELETED,
        "restored" => registry::PRODUCT_RESTORED,
        _ => registry::PRODUCT_CHANGED,
    };
    let old_slug = (old.slug != new.slug).then(|| old.slug.to_string());
    event(event_type, kind, new, changes, told, old_slug)
}

fn event(
    event_type: &'static str,
    kind: &str,
    product: &Product,
    changes: Vec<Change>,
    told: &Told<'_>,
    old_slug: Option<String>,
) -> NewEvent {
    let message = ProductChanged {
        product_id: product.id.to_string(),
        version: product.version.unsigned_abs(),
        kind: kind.to_owned(),
        actor_id: told.actor.to_owned(),
        changes: changes.into_iter().map(printed).collect(),
        state: Some(ProductState {
            sku: product.sku.to_string(),
            slug: product.slug.to_string(),
            name: product.name.clone(),
            brand: product.brand.clone(),
            category: product.category.as_ref().map(ToString::to_string).unwrap_or_default(),
            price: Some(Money {
                minor: product.price.minor,
                currency: product.price.currency.to_string(),
            }),
            stock: product.stock(),
            active: product.active,
            tags: product.tags.clone(),
            old_slug: old_slug.unwrap_or_default(),
        }),
        batch_id: told.batch.to_owned(),
        quiet: told.quiet,
    };
    let id = product.id.to_string();
    let version = product.version.unsigned_abs();
    NewEvent::new(event_type, format!("product/{id}"), id, version, &message)
}

fn printed(change: Change) -> FieldChange {
    FieldChange {
        field: change.field.to_owned(),
        old_value: cut(change.old),
        new_value: cut(change.new),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_PRINTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
