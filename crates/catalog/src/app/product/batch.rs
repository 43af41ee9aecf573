//! Many products by SKU in one transaction: created, updated or left alone, each by itself.
use std::collections::{HashMap, HashSet};

use souk_audit::NewEntry;
use souk_events::NewEvent;
use souk_storage::{Tx, violated_constraint};
use souk_values::{ProductId, Sku};

use super::event::{self, Told};
use super::{distinct, missing};
use crate::app::{App, stock};
use crate::domain::category::CategoryPath;
use crate::domain::product::{Change, Patch, Product, changes, create, update};
use crate::error::Error;
use crate::store;

/// One product of a batch.
pub(crate) struct Item {
    pub(crate) sku: Sku,
    pub(crate) patch: Patch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Updated,
    Unchanged,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What became of an item.
pub(crate) type Written = Result<(Outcome, Product), Error>;

/// A batch of at most so many is told as single changes: each a letter of its own.
const SINGLE: usize = 10;
/// Somebody else may write the same SKUs or slugs at the same moment; then all is looked at anew.
const ATTEMPTS: u32 = 3;

/// Writes the items in one transaction; each succeeds or fails by itself.
pub(crate) async fn write_many(
    app: &App,
    actor: &str,
    items: &[Item],
) -> Result<Vec<Written>, Error> {
    let batch = uuid::Uuid::now_v7().to_string();
    let batch = if items.len() > SINGLE { batch.as_str() } else { "" };
    let told = Told { actor, batch, quiet: false, audited: true };
    let mut attempt = 1;
    loop {
        let tx = app.db.begin().await?;
        match write_batch(app, &tx, items, &told, false).await {
            Ok(written) => {
                tx.commit().await?;
                app.outbox.wake();
                return Ok(written);
            }
            Err(Error::Storage(e))
                if attempt < ATTEMPTS && violated_constraint(&e, "product_s|product.s") =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Writes the items into the transaction, with one event for each change. SKUs are distinct.
/// Categories that a patch names are made (`make_categories`) or must exist. The caller commits and
/// wakes the outbox.
pub(crate) async fn write_batch(
    app: &App,
    tx: &Tx,
    items: &[Item],
    told: &Told<'_>,
    make_categories: bool,
) -> Result<Vec<Written>, Error> {
    let now = app.clock.now();
    let skus: Vec<Sku> = items.iter().map(|i| i.sku.clone()).collect();
    let held = store::product::find_skus_for_update(tx, &skus).await?;
    let mut old: HashMap<Sku, Product> = held.into_iter().map(|p| (p.sku.clone(), p)).collect();
    let known = known_categories(app, tx, items, make_categories).await?;

    let mut written: Vec<Written> = Vec::with_capacity(items.len());
    let mut before: HashMap<ProductId, (Product, Vec<Change>)> = HashMap::new();
    for item in items {
        let asked = item.patch.category.as_ref().and_then(Option::as_ref);
        if let Some(path) = asked.filter(|path| !known.contains(path.as_str())) {
            let sentence = format!("there is no category {path}");
            written.push(Err(Error::field("category", sentence)));
            continue;
        }
        written.push(match old.remove(&item.sku) {
            None => create(ProductId::new(), item.sku.clone(), &item.patch, now)
                .map(|product| (Outcome::Created, product))
                .map_err(missing),
            Some(old) => {
                let (new, changes) = update(&old, &item.patch, now);
                if changes.is_empty() {
                    Ok((Outcome::Unchanged, old))
                } else {
                    before.insert(new.id, (old, changes));
                    Ok((Outcome::Updated, new))
                }
            }
        });
    }
    free_slugs(tx, items, &mut written).await?;
    let of = |written: &[Written], wanted: Outcome| -> Vec<Product> {
        let done = written.iter().flatten().filter(|(outcome, _)| *outcome == wanted);
        done.map(|(_, product)| product.clone()).collect()
    };
    let (mut created, updated) = (of(&written, Outcome::Created), of(&written, Outcome::Updated));
    let mut events: Vec<NewEvent> = created.iter().map(|p| event::created(p, told)).collect();
    let mut entries: Vec<NewEntry> = Vec::new();
    if told.audited {
        entries.extend(created.iter().map(|p| event::entry(None, p, &changes(None, p))));
    }
    let mut changed: Vec<(&Product, &Product)> = Vec::with_capacity(updated.len());
    for new in &updated {
        if let Some((old, changes)) = before.get(&new.id) {
            if told.audited {
                entries.push(event::entry(Some(old), new, changes));
            }
            events.push(event::changed(old, new, changes.clone(), told));
            changed.push((old, new));
        }
    }
    // in one order: two batches with the same new SKUs never wait for each other
    created.sort_by(|a, b| a.sku.cmp(&b.sku));
    store::product::insert_many(tx, &created).await?;
    store::product::update_many(tx, &updated).await?;
    events.extend(stock::written(app, tx, &created, &changed, told).await?);
    app.audit.record_all(tx, entries).await?;
    app.outbox.append(tx, events).await?;
    Ok(written)
}

async fn known_categories(
    app: &App,
    tx: &Tx,
    items: &[Item],
    make: bool,
) -> Result<HashSet<String>, Error> {
    let asked: HashSet<&CategoryPath> =
        items.iter().filter_map(|i| i.patch.category.as_ref()?.as_ref()).collect();
    if make {
        store::category::ensure(tx, asked.iter().copied(), app.clock.now()).await?;
        return Ok(asked.into_iter().map(ToString::to_string).collect());
    }
    let mut known = HashSet::new();
    for path in asked {
        if store::category::find(tx, path).await?.is_some() {
            known.insert(path.to_string());
        }
    }
    Ok(known)
}

/// Gives each new product whose slug is taken, in the store or in the batch, one of its own. A slug
/// that was asked for by name and is taken fails its item instead.
async fn free_slugs(tx: &Tx, items: &[Item], written: &mut [Written]) -> Result<(), Error> {
    let mine = |w: &Written| match w {
        Ok((Outcome::Created | Outcome::Updated, product)) => Some(product.slug.to_string()),
        _ => None,
    };
    let wanted: Vec<String> = written.iter().filter_map(mine).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let owners = store::product::slug_owners(tx, &wanted).await?;
    let mut taken: HashMap<String, ProductId> = owners.into_iter().collect();
    for (item, slot) in items.iter().zip(written.iter_mut()) {
        let Ok((Outcome::Created | Outcome::Updated, product)) = slot else { continue };
        match taken.get(product.slug.as_str()) {
            Some(owner) if *owner == product.id => {}
            None => {
                taken.insert(product.slug.to_string(), product.id);
            }
            Some(_) if item.patch.slug.is_some() => *slot = Err(Error::SlugTaken),
            Some(_) => product.slug = distinct(&product.slug, product.id),
        }
    }
    Ok(())
}
