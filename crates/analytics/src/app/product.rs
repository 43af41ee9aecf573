//! Products are remembered as of the newest event heard, and their changes counted.
use std::collections::BTreeMap;

use souk_storage::Tx;
use souk_values::ProductId;

use crate::error::Error;
use crate::store::{self, product::Known, product::Stock};

/// What a batch of product events says.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// The newest state of each product.
    pub(crate) states: BTreeMap<ProductId, Known>,
    /// The newest stock of each product.
    pub(crate) stocks: BTreeMap<ProductId, Stock>,
    /// Changes by day.
    pub(crate) changes: BTreeMap<i64, i64>,
}

impl Heard {
    pub(crate) fn changed(&mut self, product: ProductId, day: i64, known: Known) {
        *self.changes.entry(day).or_default() += 1;
        let newest = self.states.entry(product).or_insert_with(|| known.clone());
        if (newest.epoch, newest.version) < (known.epoch, known.version) {
            *newest = known;
        }
    }

    pub(crate) fn moved(&mut self, product: ProductId, stock: Stock) {
        let newest = self.stocks.entry(product).or_insert(stock);
        if (newest.epoch, newest.seq) < (stock.epoch, stock.seq) {
            *newest = stock;
        }
    }
}

/// Applies what is newer than what is known. Ids are in order, so that two batches at once never
/// wait for each other in a circle.
pub(crate) async fn remember(tx: &Tx, heard: Heard) -> Result<(), Error> {
    for (product, known) in heard.states {
        store::product::apply_state(tx, product, known).await?;
    }
    for (product, stock) in heard.stocks {
        store::product::apply_stock(tx, product, stock).await?;
    }
    for (day, changes) in heard.changes {
        store::change::add(tx, day, changes).await?;
    }
    Ok(())
}
