//! A consent is to an address: it goes along when its owner proved a new one, and goes with the
//! account.

use chrono::{DateTime, Utc};
use souk_storage::Tx;
use souk_values::EmailAddress;

use crate::Error;
use crate::domain::newsletter::Status;
use crate::store::mail_request;
use crate::store::subscriber::{self, Model};

/// The owner of an address proved that another is theirs: what they confirmed holds for that one
/// from now on. What was not confirmed is forgotten.
pub(in crate::app) async fn follow(
    tx: &Tx,
    from: &str,
    to: &EmailAddress,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(row) = subscriber::find_by_address_for_update(tx, from).await? else { return Ok(()) };
    if from == to.folded() {
        return Ok(());
    }
    if !row.is(Status::Confirmed) {
        return forget_address(tx, from, now).await;
    }
    // held first: nobody else begins a consent for the new address meanwhile
    let other = subscriber::hold(tx, to, now).await?;
    if other.is(Status::Confirmed) {
        return Ok(subscriber::delete(tx, row.id).await?);
    }
    if let Some(letter) = other.mail_request {
        mail_request::end(tx, letter, now).await?;
    }
    subscriber::delete(tx, other.id).await?;
    // the same id: the links in letters that went to the old address are good still
    let moved = Model { email: to.as_str().to_owned(), email_folded: to.folded(), ..row };
    Ok(subscriber::update(tx, moved).await?)
}

/// Forgets all that was said for an address, in its folded form: its owner is forgotten.
pub(in crate::app) async fn forget_address(
    tx: &Tx,
    folded: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let Some(row) = subscriber::find_by_address_for_update(tx, folded).await? else {
        return Ok(());
    };
    if let Some(letter) = row.mail_request {
        mail_request::end(tx, letter, now).await?;
    }
    Ok(subscriber::delete(tx, row.id).await?)
}
