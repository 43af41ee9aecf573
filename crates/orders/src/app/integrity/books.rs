//! Orders against the books of others: catalog's ledger, the provider's payments.
use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt};
use souk_values::{OrderId, ProductId};

use super::{Wrong, ids, note, settled};
use crate::app::App;
use crate::domain::order::{Order, RefundState};
use crate::domain::payment::{Payment, ProviderError, ProviderPayment, State as Paid};
use crate::error::Error;
use crate::store;

/// Payments that are asked for at once.
const AT_ONCE: usize = 8;

/// I02: sold units of paid orders are those of catalog's ledger; of undone ones nothing is gone.
pub(super) async fn stock(app: &App, orders: &[Order]) -> Result<Wrong, Error> {
    let settled = settled(app, orders).await?;
    let ids = ids(&settled);
    let refunds = store::check::refunds(&app.db, &ids).await?;
    let mut ledger: HashMap<(String, String), (i64, i64)> = HashMap::new();
    for row in app.catalog.order_stock(&ids).await? {
        let entry = ledger.entry((row.order_id, row.product_id)).or_default();
        entry.0 += row.sold;
        entry.1 += row.returned;
    }
    let mut wrong = Wrong::new();
    for order in settled {
        let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for line in order.quote.lines.iter().filter(|line| !line.digital) {
            let back = || returned(refunds.get(&order.id), line.product_id);
            let units = if order.state.is_paid() { (line.quantity, back()) } else { (0, 0) };
            expected.insert(line.product_id.to_string(), units);
        }
        let key = order.id.to_string();
        for (product, (sold, back)) in expected {
            let known = ledger.remove(&(key.clone(), product.clone())).unwrap_or_default();
            // an undone order's units may have left and come back
            let fits =
                if order.state.is_paid() { known == (sold, back) } else { known.0 == known.1 };
            if !fits {
                let detail = format!(
                    "{product}: {sold} sold and {back} returned here, \
                     {} and {} in the ledger",
                    known.0, known.1
                );
                note(&mut wrong, order, detail);
            }
        }
    }
    Ok(wrong)
}

fn returned(refunds: Option<&Vec<crate::domain::order::Refund>>, product: ProductId) -> i64 {
    let done = refunds.into_iter().flatten();
    done.filter(|refund| refund.restock && refund.state == RefundState::Done)
        .flat_map(|refund| &refund.lines)
        .filter(|(id, _)| *id == product)
        .map(|(_, quantity)| quantity)
        .sum()
}

/// I03: one capture of exactly the total, and what came back is what was refunded.
pub(super) async fn paid(app: &App, orders: &[Order]) -> Result<Wrong, Error> {
    let settled = settled(app, orders).await?;
    let paid: Vec<&Order> =
        settled.into_iter().filter(|o| o.state.is_paid() && !o.is_free()).collect();
    let books = books(app, &paid).await?;
    let mut wrong = Wrong::new();
    for order in paid {
        let Some((own, there)) = books.get(&order.id) else {
            note(&mut wrong, order, "there is no payment".to_owned());
            continue;
        };
        if own.state != Paid::Captured || own.captured != order.quote.total {
            let detail = format!(
                "the total is {}, our books say {} and {} captured",
                order.quote.total,
                own.state.as_str(),
                own.captured
            );
            note(&mut wrong, order, detail);
        }
        match there {
            None => note(&mut wrong, order, "the provider knows no payment".to_owned()),
            Some(there) => {
                if there.captured != order.quote.total
                    || there.amount.currency != order.currency()
                    || there.order_id != order.id.to_string()
                {
                    let detail = format!(
                        "the total is {}, the provider took {} {} for {}",
                        order.total(),
                        there.captured,
                        there.amount.currency,
                        there.order_id
                    );
                    note(&mut wrong, order, detail);
                }
                if there.refunded != order.refunded {
                    let detail = format!(
                        "{} were given back here, {} by the provider",
                        order.refunded, there.refunded
                    );
                    note(&mut wrong, order, detail);
                }
            }
        }
    }
    Ok(wrong)
}

/// I04: nothing is kept of an order that was undone.
pub(super) async fn undone(app: &App, orders: &[Order]) -> Result<Wrong, Error> {
    let settled = settled(app, orders).await?;
    let undone: Vec<&Order> = settled.into_iter().filter(|o| o.state.is_undone()).collect();
    let own = ids(&undone);
    let books = books(app, &undone).await?;
    let coupons = store::check::coupons_held(&app.db, &own).await?;
    let held = app.catalog.order_stock(&own).await?;
    let mut wrong = Wrong::new();
    for order in undone {
        if let Some((_, Some(there))) = books.get(&order.id) {
            if there.captured != there.refunded {
                let left = there.captured - there.refunded;
                note(&mut wrong, order, format!("the provider keeps {left}"));
            }
            if matches!(there.state, Paid::Authorised | Paid::RequiresAction) {
                let detail = format!("its payment is {} still", there.state.as_str());
                note(&mut wrong, order, detail);
            }
        }
        if let Some(code) = coupons.get(&order.id) {
            note(&mut wrong, order, format!("it holds the coupon {code}"));
        }
        let key = order.id.to_string();
        for row in held.iter().filter(|row| row.order_id == key && row.state == "held") {
            let detail = format!("{} of {} are held for it", row.quantity, row.product_id);
            note(&mut wrong, order, detail);
        }
    }
    Ok(wrong)
}

type Books = HashMap<OrderId, (Payment, Option<ProviderPayment>)>;

/// Our payments of these orders with those of the provider.
async fn books(app: &App, orders: &[&Order]) -> Result<Books, Error> {
    let db = store::order::fresh(&app.db);
    let own = store::payment::find_many(db, orders.iter().map(|order| order.id)).await?;
    let asked = own.into_iter().map(|payment| async move {
        if payment.reference.is_empty() {
            return Ok::<_, Error>((payment.order_id, (payment, None)));
        }
        let there = app.provider.find(&payment.reference).await.map_err(away)?;
        Ok((payment.order_id, (payment, there)))
    });
    futures::stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await
}

fn away(error: ProviderError) -> Error {
    tracing::warn!(%error, "the provider's books could not be read");
    Error::ProviderAway
}
