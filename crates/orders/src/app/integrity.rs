//! What must always hold of orders, for `souk verify`: beside our own books, catalog's ledger and
//! the provider's books are asked.
mod books;
mod own;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use souk_service::{Found, Invariant};
use souk_values::OrderId;

use crate::app::App;
use crate::domain::order::Order;
use crate::error::Error;
use crate::store;

/// What is wrong with some orders, by order.
type Wrong = BTreeMap<OrderId, Vec<String>>;

/// Looks at some orders.
type Look = Arc<dyn Fn(App, Vec<Order>) -> BoxFuture<'static, Result<Wrong, Error>> + Send + Sync>;

pub(crate) fn invariants(app: &App) -> Vec<Invariant> {
    vec![
        per_order(
            app,
            "I02",
            "what left the shop and came back is what was ordered and returned",
            Arc::new(|app, orders| Box::pin(async move { books::stock(&app, &orders).await })),
        ),
        per_order(
            app,
            "I03",
            "each confirmed order was paid once, in full",
            Arc::new(|app, orders| Box::pin(async move { books::paid(&app, &orders).await })),
        ),
        per_order(
            app,
            "I04",
            "an order that was undone holds no money, no goods and no coupon",
            Arc::new(|app, orders| Box::pin(async move { books::undone(&app, &orders).await })),
        ),
        per_order(
            app,
            "I05",
            "the total is the sum of its parts",
            Arc::new(|_, orders| Box::pin(async move { Ok(own::sums(&orders)) })),
        ),
        own::keys(app),
        own::coupons(app),
        per_order(
            app,
            "I08",
            "every history is a path of legal moves that ends where the order stands",
            Arc::new(|app, orders| Box::pin(async move { own::paths(&app, &orders).await })),
        ),
        per_order(
            app,
            "I10",
            "the last event of an order tells its version",
            Arc::new(|app, orders| Box::pin(async move { own::told(&app, &orders).await })),
        ),
    ]
}

fn per_order(app: &App, name: &'static str, title: &'static str, look: Look) -> Invariant {
    let app = app.clone();
    Invariant::new(name, title, move || {
        let (app, look) = (app.clone(), look.clone());
        async move { Ok(walk(&app, &look).await?) }
    })
}

/// Looks at all orders, a part at a time. The shop is open meanwhile: what seems wrong is looked at
/// again, and counts only if it is wrong still.
async fn walk(app: &App, look: &Look) -> Result<Found, Error> {
    let mut found = Found::default();
    let mut after = None;
    loop {
        let orders = store::check::orders_after(&app.db, after).await?;
        let Some(last) = orders.last() else { return Ok(found) };
        after = Some(last.id);
        found.looked_at += orders.len() as u64;
        let suspects: Vec<OrderId> = look(app.clone(), orders).await?.into_keys().collect();
        if suspects.is_empty() {
            continue;
        }
        let db = store::order::fresh(&app.db);
        let again = store::order::find_many(db, &suspects).await?;
        for (id, wrong) in look(app.clone(), again).await? {
            for detail in wrong {
                found.breach(format!("order/{id}"), detail);
            }
        }
    }
}

/// Without those that a saga works on: they are between two truths.
async fn settled<'a>(app: &App, orders: &'a [Order]) -> Result<Vec<&'a Order>, Error> {
    let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
    let busy: HashSet<OrderId> = store::check::on_their_way(&app.db, &ids).await?;
    Ok(orders.iter().filter(|order| !busy.contains(&order.id)).collect())
}

fn ids(orders: &[&Order]) -> Vec<OrderId> {
    orders.iter().map(|order| order.id).collect()
}

fn note(wrong: &mut Wrong, order: &Order, detail: String) {
    wrong.entry(order.id).or_default().push(format!("{}: {detail}", order.number));
}
