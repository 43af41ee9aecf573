//! Carts: every change, and the look that every answer is.
mod add;
mod guest;
mod look;

use souk_values::UserId;

pub(crate) use add::Adds;
pub(crate) use guest::{create_guest, end_idle_guests, merge_guest};
pub(crate) use look::{Shown, show};

use self::look::show_after;
use crate::app::App;
use crate::domain::cart::{Cart, MAX_LINES, MAX_QUANTITY, Misfit, Owner};
use crate::error::Error;
use crate::store;

/// Whose cart a call is about. With a user and a secret, the guest's lines go to the user first.
pub(crate) async fn owner(app: &App, user: Option<UserId>, secret: &str) -> Result<Owner, Error> {
    match user {
        Some(user) => {
            if !secret.is_empty() {
                merge_guest(app, user, secret).await?;
            }
            Ok(Owner::User(user))
        }
        None if secret.is_empty() => Err(Error::NoCart),
        None => Ok(Owner::Guest(store::cart::hash(secret))),
    }
}

/// Adds to what is there. `key`: a product's id, SKU or slug.
pub(crate) async fn add_item(
    app: &App,
    owner: Owner,
    key: &str,
    quantity: i64,
) -> Result<Shown, Error> {
    if !(1..=MAX_QUANTITY).contains(&quantity) {
        return Err(Error::field("quantity", format!("must be 1 to {MAX_QUANTITY}")));
    }
    let goods = app.catalog.find(key).await?;
    let cart = app.adds.add(owner, goods.clone(), quantity).await?;
    show_after(app, owner, cart, vec![goods]).await
}

/// Sets the quantity, whatever it was; 0 takes the product out. `expected`: the version that the
/// caller has seen.
pub(crate) async fn set_quantity(
    app: &App,
    owner: Owner,
    key: &str,
    quantity: i64,
    expected: Option<u64>,
) -> Result<Shown, Error> {
    if quantity == 0 {
        return take_out(app, owner, key, expected).await;
    }
    if !(1..=MAX_QUANTITY).contains(&quantity) {
        return Err(Error::field("quantity", format!("must be 0 to {MAX_QUANTITY}")));
    }
    let goods = app.catalog.find(key).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let mut cart = held(&tx, app, owner, expected).await?;
    let line = cart.put(&goods, quantity)?;
    store::cart::set_quantity(&tx, cart.id, &line).await?;
    store::cart::touch(&tx, &[cart.id], now).await?;
    tx.commit().await?;
    cart.version += 1;
    show_after(app, owner, cart, vec![goods]).await
}

/// Takes a product out, also one that nobody can buy any more.
pub(crate) async fn remove_item(app: &App, owner: Owner, key: &str) -> Result<Shown, Error> {
    take_out(app, owner, key, None).await
}

async fn take_out(
    app: &App,
    owner: Owner,
    key: &str,
    expected: Option<u64>,
) -> Result<Shown, Error> {
    let cart = match (store::cart::find(store::cart::newest(&app.db), owner).await?, owner) {
        (Some(cart), _) => cart,
        (None, Owner::User(_)) => return Err(Error::ItemNotFound),
        (None, Owner::Guest(_)) => return Err(Error::CartNotFound),
    };
    let product = match cart.named(key) {
        Some(line) => line.product_id,
        // by a slug that it got since the last look
        None => match app.catalog.find(key).await {
            Ok(goods) => goods.id,
            Err(Error::ProductNotFound) => return Err(Error::ItemNotFound),
            Err(error) => return Err(error),
        },
    };
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let mut cart = held(&tx, app, owner, expected).await?;
    if !store::cart::remove(&tx, cart.id, product).await? {
        return Err(Error::ItemNotFound);
    }
    store::cart::touch(&tx, &[cart.id], now).await?;
    tx.commit().await?;
    cart.lines.retain(|line| line.product_id != product);
    let cart = Cart::new(cart.id, cart.version + 1, cart.lines);
    show_after(app, owner, cart, Vec::new()).await
}

/// Takes everything out. An empty cart stays as it is.
pub(crate) async fn clear(app: &App, owner: Owner) -> Result<Shown, Error> {
    let tx = app.db.begin().await?;
    let mut cart = held(&tx, app, owner, None).await?;
    if !cart.lines.is_empty() {
        store::cart::empty(&tx, cart.id, cart.version).await?;
        store::cart::touch_time(&tx, cart.id, app.clock.now()).await?;
        cart.version += 1;
    }
    tx.commit().await?;
    let cart = Cart::new(cart.id, cart.version, Vec::new());
    show_after(app, owner, cart, Vec::new()).await
}

/// The owner's cart, held until the transaction ends, at the version that the caller has seen.
async fn held(
    tx: &souk_storage::Tx,
    app: &App,
    owner: Owner,
    expected: Option<u64>,
) -> Result<Cart, Error> {
    let mut carts = store::cart::hold(tx, &[owner], app.clock.now()).await?;
    let cart = carts.remove(&owner).ok_or(Error::CartNotFound)?;
    match expected {
        Some(seen) if i64::try_from(seen) != Ok(cart.version) => {
            Err(Error::StaleVersion { current: cart.version })
        }
        _ => Ok(cart),
    }
}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::TooMany => {
                Self::field("quantity", format!("makes more than {MAX_QUANTITY} in the cart"))
            }
            Misfit::OutOfStock { available } => Self::OutOfStock { available },
            Misfit::CurrencyMismatch { cart, goods } => {
                Self::CurrencyMismatch { cart: cart.to_string(), product: goods.to_string() }
            }
            Misfit::Full => Self::CartFull(MAX_LINES),
        }
    }
}
