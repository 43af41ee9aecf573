//! A person's orders, cart and cards: handed over, and freed of the person.
use std::sync::Arc;

use serde_json::{Value, json};
use souk_service::personal::{Hold, Person, PersonalData, Records};
use souk_storage::Tx;
use souk_values::{Money, OrderId};

use super::App;
use crate::domain::order::{Order, Refund};
use crate::domain::payment::Payment;
use crate::store::order::{fresh, history};
use crate::store::refund::shipment;
use crate::store::{self, cart, coupon, personal};

/// Why nobody is erased whose goods are still to come.
const OPEN_ORDERS: &str = "open_orders";
/// Orders that are named.
const NAMED: usize = 10;

struct Keeper {
    app: App,
}

pub(crate) fn keeper(app: &App) -> Arc<dyn PersonalData> {
    Arc::new(Keeper { app: app.clone() })
}

#[async_trait::async_trait]
impl PersonalData for Keeper {
    async fn holds(&self, tx: &Tx, person: &Person) -> anyhow::Result<Vec<Hold>> {
        let mut numbers = personal::open_orders(tx, person.id).await?;
        numbers.truncate(NAMED);
        let hold = Hold { reason: OPEN_ORDERS, subjects: numbers };
        Ok(if hold.subjects.is_empty() { Vec::new() } else { vec![hold] })
    }

    async fn export(&self, person: &Person, records: &mut Records) -> anyhow::Result<()> {
        let db = fresh(&self.app.db);
        let mut after = None;
        loop {
            let orders = personal::orders(db, person.id, after).await?;
            let Some(last) = orders.last() else { break };
            after = Some(last.id);
            self.put_orders(&orders, records).await?;
        }
        if let Some(cart) = cart::find_of_user(db, person.id).await? {
            let lines = cart.lines.iter().map(|line| {
                json!({ "product_id": line.product_id, "sku": line.sku, "name": line.name,
                    "quantity": line.quantity })
            });
            let lines: Vec<Value> = lines.collect();
            records.put("cart", &json!({ "id": cart.id, "lines": lines })).await?;
        }
        if let Some(provider) = &self.app.test_provider {
            for card in provider.cards(&person.id.to_string()).await? {
                let card = json!({ "brand": card.brand, "last4": card.last4,
                    "exp_month": card.exp_month, "exp_year": card.exp_year,
                    "created_at": card.created_at });
                records.put("payment_methods", &card).await?;
            }
        }
        for used in coupon::of_user(db, person.id).await? {
            let used = json!({ "code": used.code, "order_id": used.order_id, "at": used.taken_at });
            records.put("coupons_used", &used).await?;
        }
        Ok(())
    }

    async fn erase(&self, tx: &Tx, person: &Person) -> anyhow::Result<u64> {
        let mut touched = 0;
        let mut after = None;
        loop {
            let orders = personal::orders(tx, person.id, after).await?;
            let Some(last) = orders.last() else { break };
            after = Some(last.id);
            let targets: Vec<String> =
                orders.iter().map(|order| format!("order/{}", order.id)).collect();
            touched += personal::erase_orders(tx, orders).await?;
            // what staff wrote about the orders
            touched += self.app.audit.erase_about(tx, &targets).await?;
        }
        Ok(touched + personal::erase_rest(tx, person.id).await?)
    }
}

impl Keeper {
    async fn put_orders(&self, orders: &[Order], records: &mut Records) -> anyhow::Result<()> {
        let db = fresh(&self.app.db);
        let ids: Vec<OrderId> = orders.iter().map(|order| order.id).collect();
        let steps = history::of_orders(db, &ids).await?;
        let refunds = store::refund::of_orders(db, &ids).await?;
        let payments = store::payment::find_many(db, ids.iter().copied()).await?;
        let shipments = personal::shipments(db, &ids).await?;
        for order in orders {
            let all = Belongings {
                steps: steps.iter().filter(|step| step.order_id == order.id).collect(),
                refunds: refunds.iter().filter(|refund| refund.order_id == order.id).collect(),
                payment: payments.iter().find(|payment| payment.order_id == order.id),
                shipment: shipments.iter().find(|shipment| shipment.order_id == order.id),
            };
            records.put("orders", &record(order, &all)).await?;
        }
        Ok(())
    }
}

/// What belongs to one order.
struct Belongings<'a> {
    steps: Vec<&'a history::Model>,
    refunds: Vec<&'a Refund>,
    payment: Option<&'a Payment>,
    shipment: Option<&'a shipment::Model>,
}

fn record(order: &Order, all: &Belongings<'_>) -> Value {
    let quote = &order.quote;
    let amount = |minor: i64| Money::new(minor, quote.currency).decimal();
    let lines = quote.lines.iter().map(|line| {
        json!({ "product_id": line.product_id, "sku": line.sku, "name": line.name,
            "quantity": line.quantity, "unit_price": amount(line.unit_price),
            "discount": amount(line.discount), "tax": amount(line.tax),
            "total": amount(line.total) })
    });
    let steps = all.steps.iter().map(|step| {
        json!({ "at": step.at, "kind": step.kind, "state": step.to_state, "text": step.text })
    });
    let refunds = all.refunds.iter().map(|refund| {
        json!({ "amount": amount(refund.amount), "reason": refund.reason,
            "at": refund.created_at })
    });
    json!({
        "id": order.id,
        "number": order.number,
        "status": order.state.status(),
        "created_at": order.created_at,
        "currency": quote.currency.as_str(),
        "subtotal": amount(quote.subtotal),
        "discount": amount(quote.discount),
        "shipping": amount(quote.shipping),
        "tax": amount(quote.tax),
        "total": amount(quote.total),
        "refunded": amount(order.refunded),
        "coupon": quote.coupon,
        "lines": lines.collect::<Vec<_>>(),
        "shipping_address": order.shipping_address,
        "billing_address": order.billing_address,
        "note": order.note,
        "cancel_reason": order.cancel.as_ref().map(|wish| &wish.reason),
        "payment": all.payment.map(|payment| json!({
            "provider": payment.provider, "brand": payment.brand, "last4": payment.last4,
        })),
        "shipment": all.shipment.map(|shipment| json!({
            "carrier": shipment.carrier, "tracking_number": shipment.tracking_number,
            "tracking_url": shipment.tracking_url, "at": shipment.shipped_at,
        })),
        "refunds": refunds.collect::<Vec<_>>(),
        "history": steps.collect::<Vec<_>>(),
    })
}
