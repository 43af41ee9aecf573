//! Creating, changing, hiding and restoring products.
mod batch;
mod event;

use sha2::{Digest, Sha256};
use souk_events::crash;
use souk_rpc::Violation;
use souk_storage::{DbErr, OnConstraint, Tx, violated_constraint};
use souk_values::{ProductId, Sku, Slug};

pub(crate) use batch::{Item, Outcome, Written, write_batch, write_many};
pub(crate) use event::Told;

use crate::app::{App, stock};
use crate::domain::product::{Change, Patch, Product, changes, create, update};
use crate::error::Error;
use crate::store;

/// Who asks, and how a repeated request is known.
pub(crate) struct Idempotency<'a> {
    pub(crate) key: &'a str,
    pub(crate) request: Vec<u8>,
}

impl Idempotency<'_> {
    fn hash(&self) -> Vec<u8> {
        Sha256::digest(&self.request).to_vec()
    }
}

/// Creates a product; the same key with the same request answers the same product again.
pub(crate) async fn create_one(
    app: &App,
    actor: &str,
    sku: Option<Sku>,
    patch: &Patch,
    once: Option<Idempotency<'_>>,
    encode: impl Fn(&Product) -> Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let made = try_create(app, actor, sku, patch, once.as_ref(), &encode).await;
    match (&once, made) {
        // two at once with one key: the slower one answers what the faster one wrote
        (Some(once), Err(error @ (Error::SkuTaken | Error::SlugTaken | Error::KeyRaced))) => {
            let tx = app.db.begin().await?;
            repeated(app, &tx, actor, once).await?.ok_or(error)
        }
        (_, made) => made,
    }
}

/// The answer that the key had before.
async fn repeated(
    app: &App,
    tx: &Tx,
    actor: &str,
    once: &Idempotency<'_>,
) -> Result<Option<Vec<u8>>, Error> {
    match store::answer::find(tx, actor, once.key, app.clock.now()).await? {
        Some((hash, answer)) if hash == once.hash() => Ok(Some(answer)),
        Some(_) => Err(Error::KeyReused),
        None => Ok(None),
    }
}

async fn try_create(
    app: &App,
    actor: &str,
    sku: Option<Sku>,
    patch: &Patch,
    once: Option<&Idempotency<'_>>,
    encode: &impl Fn(&Product) -> Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if let Some(once) = once
        && let Some(answer) = repeated(app, &tx, actor, once).await?
    {
        return Ok(answer);
    }
    let id = ProductId::new();
    let sku = sku.map_or_else(|| Sku::parse(&id.to_string()), Ok);
    let sku = sku.map_err(|e| Error::field("sku", e))?;
    let mut product = create(id, sku, patch, now).map_err(missing)?;
    require_category(&tx, patch).await?;
    if patch.slug.is_none() {
        product.slug = free_slug(&tx, product.slug, id).await?;
    }
    store::product::insert_many(&tx, std::slice::from_ref(&product))
        .await
        .map_err(|e| taken(e, &product))?;
    let told = Told { actor, batch: "", quiet: false, audited: true };
    let made = event::entry(None, &product, &changes(None, &product));
    app.audit.record(&tx, made).await?;
    let mut events = vec![event::created(&product, &told)];
    events.extend(stock::written(app, &tx, std::slice::from_ref(&product), &[], &told).await?);
    app.outbox.append(&tx, events).await?;
    let answer = encode(&product);
    if let Some(once) = once {
        store::answer::keep(&tx, actor, once.key, once.hash(), answer.clone(), now)
            .await
            .on_constraint("kept_answer", Error::KeyRaced)?;
    }
    commit(app, tx).await?;
    Ok(answer)
}

/// Changes what the patch says. Nothing changed: no version, no event.
pub(crate) async fn update_one(
    app: &App,
    actor: &str,
    key: &str,
    patch: &Patch,
    expected: Option<u64>,
) -> Result<Product, Error> {
    let tx = app.db.begin().await?;
    // hidden ones too: an admin may show one again by `active`
    let old = held(&tx, key, expected, |_| true).await?;
    let (new, changes) = update(&old, patch, app.clock.now());
    if changes.is_empty() {
        return Ok(old);
    }
    if new.category != old.category {
        require_category(&tx, patch).await?;
    }
    store::product::update_many(&tx, std::slice::from_ref(&new))
        .await
        .map_err(|e| taken(e, &new))?;
    told_and_booked(app, &tx, actor, (&old, &new), changes).await?;
    commit(app, tx).await?;
    Ok(new)
}

/// Hides a product. Hidden or unknown: not found.
pub(crate) async fn delete_one(
    app: &App,
    actor: &str,
    key: &str,
    expected: Option<u64>,
) -> Result<Product, Error> {
    switch(app, actor, key, expected, false).await
}

/// Shows a hidden product again. Restoring one that is shown changes nothing.
pub(crate) async fn restore_one(
    app: &App,
    actor: &str,
    key: &str,
    expected: Option<u64>,
) -> Result<Product, Error> {
    switch(app, actor, key, expected, true).await
}

async fn switch(
    app: &App,
    actor: &str,
    key: &str,
    expected: Option<u64>,
    active: bool,
) -> Result<Product, Error> {
    let tx = app.db.begin().await?;
    let old = held(&tx, key, expected, |p| p.active || active).await?;
    let patch = Patch { active: Some(active), ..Patch::default() };
    let (new, changes) = update(&old, &patch, app.clock.now());
    if changes.is_empty() {
        return Ok(old);
    }
    store::product::update_many(&tx, std::slice::from_ref(&new)).await?;
    told_and_booked(app, &tx, actor, (&old, &new), changes).await?;
    commit(app, tx).await?;
    Ok(new)
}

/// Tells of one change, with what it did to the stock.
async fn told_and_booked(
    app: &App,
    tx: &Tx,
    actor: &str,
    (old, new): (&Product, &Product),
    changes: Vec<Change>,
) -> Result<(), Error> {
    let told = Told { actor, batch: "", quiet: false, audited: true };
    app.audit.record(tx, event::entry(Some(old), new, &changes)).await?;
    let mut events = vec![event::changed(old, new, changes, &told)];
    events.extend(stock::written(app, tx, &[], &[(old, new)], &told).await?);
    app.outbox.append(tx, events).await?;
    Ok(())
}

/// The product, held until the transaction ends, at the version that the writer has seen.
async fn held(
    tx: &Tx,
    key: &str,
    expected: Option<u64>,
    visible: impl Fn(&Product) -> bool,
) -> Result<Product, Error> {
    let found = store::product::find_for_update(tx, key).await?;
    let product = found.filter(visible).ok_or(Error::ProductNotFound)?;
    match expected {
        Some(seen) if i64::try_from(seen) != Ok(product.version) => {
            Err(Error::StaleVersion { current: product.version })
        }
        _ => Ok(product),
    }
}

async fn commit(app: &App, tx: Tx) -> Result<(), Error> {
    crash::point("outbox.appended");
    tx.commit().await?;
    crash::point("outbox.committed");
    app.outbox.wake();
    Ok(())
}

async fn require_category(tx: &Tx, patch: &Patch) -> Result<(), Error> {
    match &patch.category {
        Some(Some(path)) if store::category::find(tx, path).await?.is_none() => {
            Err(Error::field("category", "there is no such category"))
        }
        _ => Ok(()),
    }
}

/// The slug itself, or with the end of the id behind it when it is taken.
async fn free_slug(tx: &Tx, slug: Slug, id: ProductId) -> Result<Slug, Error> {
    let taken = store::product::taken_slugs(tx, &[slug.as_str()]).await?;
    Ok(if taken.is_empty() { slug } else { distinct(&slug, id) })
}

/// A slug that no other product has: ids are unique.
fn distinct(slug: &Slug, id: ProductId) -> Slug {
    let id = id.to_string().to_lowercase();
    let tail = id.get(id.len().saturating_sub(10)..).unwrap_or_default();
    Slug::parse(&format!("{slug}-{tail}")).unwrap_or_else(|_| Slug::from_name(&id))
}

fn missing(fields: Vec<&'static str>) -> Error {
    Error::Invalid(fields.into_iter().map(|f| Violation::new(f, "is required")).collect())
}

fn taken(error: DbErr, product: &Product) -> Error {
    if violated_constraint(&error, "product_sku|product.sku") {
        Error::SkuTaken
    } else if violated_constraint(&error, "product_slug|product.slug") {
        Error::SlugTaken
    } else {
        tracing::debug!(product.id = %product.id, "write failed");
        error.into()
    }
}
