//! The event of a product change: what changed, by whom, and the state after it.
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
    let (event_type, kind) = match (old.active, new.active) {
        (true, false) => (registry::PRODUCT_DELETED, "deleted"),
        (false, true) => (registry::PRODUCT_RESTORED, "restored"),
        _ => (registry::PRODUCT_CHANGED, "changed"),
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
