//! Sales are counted: an order anew from all of its steps whenever one is heard of.
use std::collections::BTreeMap;

use souk_storage::Tx;
use souk_values::OrderId;

use crate::domain::sale::{Effects, effects};
use crate::error::Error;
use crate::store::sale::{self, Sums, Told};

/// Keeps the steps and moves the sums by what their orders come to now.
pub(crate) async fn count(tx: &Tx, heard: BTreeMap<OrderId, Vec<Told>>) -> Result<(), Error> {
    if heard.is_empty() {
        return Ok(());
    }
    sale::keep(tx, &heard).await?;
    let ids: Vec<OrderId> = heard.into_keys().collect();
    let before = sale::effects(tx, &ids).await?;
    let after: BTreeMap<OrderId, Effects> =
        sale::steps(tx, &ids).await?.into_iter().map(|(id, s)| (id, effects(&s))).collect();
    let mut sums = Sums::default();
    for (order, effects) in &after {
        match before.get(order) {
            Some(old) if old == effects => continue,
            Some(old) => sums.take(old),
            None => {}
        }
        sums.add(effects);
    }
    let changed: BTreeMap<OrderId, Effects> = after
        .into_iter()
        .filter(|(order, effects)| before.get(order).unwrap_or(&Effects::default()) != effects)
        .collect();
    if !changed.is_empty() {
        sale::replace(tx, &changed).await?;
        sale::add(tx, sums).await?;
    }
    Ok(())
}

impl Sums {
    /// Adds what an order comes to.
    pub(crate) fn add(&mut self, effects: &Effects) {
        for (day, figures) in &effects.days {
            let key = (*day, effects.currency.clone());
            self.orders.entry(key).or_default().add(*figures);
        }
        for ((day, product), figures) in &effects.products {
            let key = (*day, *product, effects.currency.clone());
            self.products.entry(key).or_default().add(*figures);
        }
    }

    /// Takes away what it came to before.
    fn take(&mut self, effects: &Effects) {
        for (day, figures) in &effects.days {
            let key = (*day, effects.currency.clone());
            self.orders.entry(key).or_default().take(*figures);
        }
        for ((day, product), figures) in &effects.products {
            let key = (*day, *product, effects.currency.clone());
            self.products.entry(key).or_default().take(*figures);
        }
    }
}
