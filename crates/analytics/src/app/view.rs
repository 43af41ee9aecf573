//! Views are counted.
use souk_storage::Tx;

use crate::domain::tally::Tally;
use crate::error::Error;
use crate::store;

/// Adds a counted batch, inside the transaction that remembers the batch.
pub(crate) async fn count(tx: &Tx, tally: &Tally<'_>) -> Result<(), Error> {
    Ok(store::view::add(tx, tally).await?)
}
