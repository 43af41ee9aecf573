//! The items of a bulk request: those in order are written, the others hear all that is wrong.
use std::collections::HashSet;

use souk_proto::catalog::v1::{FieldProblem, ProductFields, WriteResult};
use souk_rpc::Failure;
use souk_values::Sku;

use super::Products;
use super::convert::{self, Wish};
use crate::app::product::{self, Item, Written};
use crate::error::Error;
use crate::store;

impl Products {
    /// `check_only`: places of items that are not written even if they are in order.
    pub(super) async fn write(
        &self,
        actor: &str,
        items: Vec<ProductFields>,
        check_only: &[u32],
    ) -> Result<Vec<WriteResult>, Error> {
        let mut results: Vec<WriteResult> = Vec::with_capacity(items.len());
        let mut skus: HashSet<Sku> = HashSet::new();
        let (mut places, mut good): (Vec<usize>, Vec<Item>) = Default::default();
        let mut held: Vec<(usize, Wish)> = Vec::new();
        for (at, fields) in items.into_iter().enumerate() {
            let sku = fields.sku.clone().unwrap_or_default();
            results.push(WriteResult { sku, ..WriteResult::default() });
            let mut wish = convert::from_proto(fields, self.app.currency);
            match &wish.sku {
                None => wish.breaks("sku", "is required"),
                Some(sku) if skus.contains(sku) => {
                    wish.breaks("sku", "stands twice in this request");
                }
                Some(_) => {}
            }
            let only = check_only.iter().any(|&place| usize::try_from(place) == Ok(at));
            match wish.sku.clone() {
                Some(sku) if !only && wish.broken.is_empty() => {
                    skus.insert(sku.clone());
                    places.push(at);
                    good.push(Item { sku, patch: wish.patch });
                }
                _ => held.push((at, wish)),
            }
        }
        self.judge(held, skus, &mut results).await?;
        if !good.is_empty() {
            let written = product::write_many(&self.app, actor, &good).await?;
            for (at, written) in places.into_iter().zip(written) {
                set_written(&mut results[at], written);
            }
        }
        Ok(results)
    }

    /// Of what is not written also says what a new product lacks, and that a category is not there.
    /// `known`: SKUs that this request writes.
    async fn judge(
        &self,
        held: Vec<(usize, Wish)>,
        mut known: HashSet<Sku>,
        results: &mut [WriteResult],
    ) -> Result<(), Error> {
        let asked: Vec<&Sku> = held.iter().filter_map(|(_, wish)| wish.sku.as_ref()).collect();
        if !asked.is_empty() {
            known.extend(store::product::known_skus(self.app.db.read(), &asked).await?);
        }
        for (at, wish) in held {
            let new = wish.sku.as_ref().is_some_and(|sku| !known.contains(sku));
            let wish = if new { wish.complete() } else { wish };
            match self.checked(wish, true).await {
                Ok(_) => results[at].outcome = "checked".to_owned(),
                Err(error @ Error::Invalid(_)) => set_failed(&mut results[at], error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn set_written(result: &mut WriteResult, written: Written) {
    match written {
        Ok((outcome, product)) => {
            result.outcome = outcome.as_str().to_owned();
            result.id = product.id.to_string();
            result.version = product.version.unsigned_abs();
        }
        Err(error) => set_failed(result, error),
    }
}

fn set_failed(result: &mut WriteResult, error: Error) {
    let failure = Failure::from(error);
    result.outcome = "failed".to_owned();
    result.code = failure.reason;
    result.detail = failure.message;
    result.errors = failure
        .violations
        .into_iter()
        .map(|v| FieldProblem { field: v.field, message: v.message })
        .collect();
}
