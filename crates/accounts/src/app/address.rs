//! The address book: everybody their own, nobody another's.

use souk_auth::Caller;
use souk_rpc::Violation;
use souk_storage::Tx;
use souk_values::{AddressId, UserId};

use super::App;
use crate::Error;
use crate::domain::address::{Fields, MAX};
use crate::store::address::Model;
use crate::store::{account, address};

/// Whose book it is.
pub(crate) async fn owner(app: &App, caller: &Caller) -> Result<UserId, Error> {
    app.admit(caller).await?;
    caller.user.as_ref().map(|user| user.id).ok_or(Error::NotLoggedIn)
}

/// Puts an address into the caller's book. The first one is the default.
pub(crate) async fn create(app: &App, caller: &Caller, fields: Fields) -> Result<Model, Error> {
    let owner = owner(app, caller).await?;
    let fields = checked(fields)?;
    let now = app.clock.now();
    let tx = hold(app, owner).await?;
    let book = address::list(&tx, owner).await?;
    if book.len() >= MAX {
        return Err(Error::AddressBookFull);
    }
    let is_default = fields.is_default || book.is_empty();
    let made = Model {
        id: AddressId::new(),
        account_id: owner,
        label: fields.label,
        name: fields.name,
        company: fields.company,
        line1: fields.line1,
        line2: fields.line2,
        city: fields.city,
        region: fields.region,
        postal_code: fields.postal_code,
        country: fields.country,
        phone: fields.phone,
        is_default,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    address::insert(&tx, made.clone()).await?;
    if is_default {
        address::make_default(&tx, owner, made.id, now).await?;
    }
    tx.commit().await?;
    tracing::info!(user.id = %owner, address.id = %made.id, "address kept");
    Ok(made)
}

/// Replaces an address of the caller's book.
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    id: AddressId,
    fields: Fields,
    expected: Option<u64>,
) -> Result<Model, Error> {
    let owner = owner(app, caller).await?;
    let now = app.clock.now();
    let tx = hold(app, owner).await?;
    let before = address::find(&tx, owner, id).await?.ok_or(Error::AddressNotFound)?;
    let fields = checked(fields)?;
    if expected.is_some_and(|version| before.version.unsigned_abs() != version) {
        return Err(Error::AddressStale { current: before.version });
    }
    if before.is_default && !fields.is_default {
        let must = "must stay true: make another address the default instead";
        return Err(Error::Invalid(vec![Violation::new("is_default", must)]));
    }
    let becomes_default = fields.is_default && !before.is_default;
    let after = Model {
        label: fields.label,
        name: fields.name,
        company: fields.company,
        line1: fields.line1,
        line2: fields.line2,
        city: fields.city,
        region: fields.region,
        postal_code: fields.postal_code,
        country: fields.country,
        phone: fields.phone,
        is_default: fields.is_default,
        ..before.clone()
    };
    if after == before {
        return Ok(before);
    }
    let after = Model { version: before.version + 1, updated_at: now, ..after };
    address::update(&tx, after.clone()).await?;
    if becomes_default {
        address::make_default(&tx, owner, id, now).await?;
    }
    tx.commit().await?;
    tracing::info!(user.id = %owner, address.id = %id, "address changed");
    Ok(after)
}

/// Takes an address out of the caller's book. After the default one the oldest follows.
pub(crate) async fn delete(app: &App, caller: &Caller, id: AddressId) -> Result<Model, Error> {
    let owner = owner(app, caller).await?;
    let tx = hold(app, owner).await?;
    let gone = address::find(&tx, owner, id).await?.ok_or(Error::AddressNotFound)?;
    address::delete(&tx, id).await?;
    if gone.is_default
        && let Some(next) = address::list(&tx, owner).await?.first()
    {
        address::make_default(&tx, owner, next.id, app.clock.now()).await?;
    }
    tx.commit().await?;
    tracing::info!(user.id = %owner, address.id = %id, "address removed");
    Ok(gone)
}

fn checked(fields: Fields) -> Result<Fields, Error> {
    fields.checked().map_err(|broken| {
        Error::Invalid(broken.into_iter().map(|(f, error)| Violation::new(f, error)).collect())
    })
}

/// Changes of one book take turns.
async fn hold(app: &App, owner: UserId) -> Result<Tx, Error> {
    let tx = app.db.begin().await?;
    account::find_for_update(&tx, owner).await?.ok_or(Error::UserNotFound)?;
    Ok(tx)
}
