//! Moving stock: by hand, by writing products, and for orders.
mod batch;
mod book;
mod storeroom;

use sha2::{Digest, Sha256};
use souk_audit::NewEntry;
use souk_events::crash;
use souk_storage::OnConstraint;
use souk_values::MovementId;

pub(crate) use book::written;
pub(crate) use storeroom::Storeroom;

use crate::app::App;
use crate::domain::stock::{Broken, Movement, MovementKind, Shelf, moved};
use crate::error::Error;
use crate::store;

/// What the settings say about stock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StockRules {
    /// How long a reservation is held.
    pub(crate) ttl: chrono::TimeDelta,
    /// At or below so many that can be bought a product is low; 0: never.
    pub(crate) low: i64,
}

/// A movement by hand.
pub(crate) struct Wish<'a> {
    /// Id, SKU or slug.
    pub(crate) product: &'a str,
    pub(crate) kind: MovementKind,
    pub(crate) quantity: i64,
    pub(crate) reason: &'a str,
    /// Empty: every request moves anew.
    pub(crate) key: &'a str,
}

impl Wish<'_> {
    fn hash(&self) -> Vec<u8> {
        let said = format!("{:?}", (self.product, self.kind.as_str(), self.quantity, self.reason));
        Sha256::digest(format!("stock movement {said}")).to_vec()
    }
}

/// Receives, adjusts or counts. The same key with the same wish answers the same stock again.
pub(crate) async fn move_one(
    app: &App,
    actor: &str,
    wish: &Wish<'_>,
    encode: impl Fn(&Shelf) -> Vec<u8>,
) -> Result<Vec<u8>, Error> {
    match try_move(app, actor, wish, &encode).await {
        // two at once with one key: the slower one answers what the faster one wrote
        Err(Error::KeyRaced) => {
            let tx = app.db.begin().await?;
            repeated(app, &tx, actor, wish).await?.ok_or(Error::KeyRaced)
        }
        done => done,
    }
}

async fn try_move(
    app: &App,
    actor: &str,
    wish: &Wish<'_>,
    encode: &impl Fn(&Shelf) -> Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    if let Some(answer) = repeated(app, &tx, actor, wish).await? {
        return Ok(answer);
    }
    let product = store::product::find_for_update(&tx, wish.product).await?;
    let product = product.ok_or(Error::ProductNotFound)?;
    let mut shelf = store::stock::find(&tx, product.id).await?.ok_or(Error::ProductNotFound)?;
    let after = moved(&shelf, wish.kind, wish.quantity)?;
    let movement = Movement {
        id: MovementId::new(),
        product_id: shelf.id,
        kind: wish.kind,
        quantity: after - shelf.on_hand,
        on_hand_after: after,
        reason: wish.reason.to_owned(),
        order_id: None,
        return_id: String::new(),
        actor: actor.to_owned(),
        at: now,
    };
    if after != shelf.on_hand {
        shelf.on_hand = after;
        let events = book::next(&mut shelf, app.stock.low, false, None);
        store::stock::save(&tx, std::slice::from_ref(&shelf)).await?;
        app.outbox.append(&tx, events).await?;
    }
    let entry = NewEntry::new("stock.moved", format!("product/{}", shelf.id))
        .change("on_hand", after - movement.quantity, after)
        .change("kind", "", wish.kind.as_str())
        .change("reason", "", wish.reason);
    app.audit.record(&tx, entry).await?;
    store::movement::insert(&tx, &[movement]).await?;
    let answer = encode(&shelf);
    if !wish.key.is_empty() {
        store::answer::keep(&tx, actor, wish.key, wish.hash(), answer.clone(), now)
            .await
            .on_constraint("kept_answer", Error::KeyRaced)?;
    }
    crash::point("outbox.appended");
    tx.commit().await?;
    crash::point("outbox.committed");
    app.outbox.wake();
    Ok(answer)
}

async fn repeated(
    app: &App,
    tx: &souk_storage::Tx,
    actor: &str,
    wish: &Wish<'_>,
) -> Result<Option<Vec<u8>>, Error> {
    if wish.key.is_empty() {
        return Ok(None);
    }
    match store::answer::find(tx, actor, wish.key, app.clock.now()).await? {
        Some((hash, answer)) if hash == wish.hash() => Ok(Some(answer)),
        Some(_) => Err(Error::KeyReused),
        None => Ok(None),
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Field(field, sentence) => Self::field(field, sentence),
            Broken::BelowReserved { reserved } => Self::StockBelowReserved { reserved },
        }
    }
}
