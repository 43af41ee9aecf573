//! Orders as JSON.
use serde::{Deserialize, Serialize};
use souk_proto::orders::v1::{
    ListOrdersResponse, NextAction, Order, OrderSummary, Payment, Purchase, Refund, Shipment,
    TimelineEntry,
};
use utoipa::ToSchema;

use crate::api::checkout::{AddressBody, QuoteView};
use crate::api::shop_rules::decimal;
use crate::api::{maybe, maybe_time, time};

/// An order with its own copy of everything it shows.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderView {
    #[schema(example = "ord_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    /// For people.
    #[schema(example = "S-7F3K-9Q2M")]
    number: String,
    /// `processing`, `awaiting_payment`, `confirmed`, `shipped`, `delivered`, `refund_pending`,
    /// `refunded`, `cancelled`, `rejected`, `payment_failed` or `expired`.
    status: String,
    #[serde(flatten)]
    quote: QuoteView,
    items_count: u64,
    /// Given back so far.
    refunded: String,
    shipping_address: Option<AddressBody>,
    /// `null`: as shipping.
    billing_address: Option<AddressBody>,
    note: Option<String>,
    /// Why it was rejected, failed or cancelled.
    reason: Option<String>,
    payment: Option<PaymentView>,
    refunds: Vec<RefundView>,
    shipments: Vec<ShipmentView>,
    version: u64,
    created_at: String,
    updated_at: String,
    confirmed_at: Option<String>,
}

impl From<Order> for OrderView {
    fn from(o: Order) -> Self {
        let quote = o.quote.unwrap_or_default();
        let currency = quote.currency.clone();
        let units = quote.lines.iter().map(|line| line.quantity.unsigned_abs()).sum();
        Self {
            id: o.id,
            number: o.number,
            status: o.status,
            quote: quote.into(),
            items_count: units,
            refunded: decimal(o.refunded_minor, &currency),
            shipping_address: o.shipping_address.map(Into::into),
            billing_address: o.billing_address.map(Into::into),
            note: maybe(o.note),
            reason: maybe(o.reason),
            payment: o.payment.map(|payment| PaymentView::new(payment, &currency)),
            refunds: o.refunds.into_iter().map(|r| RefundView::new(r, &currency)).collect(),
            shipments: o.shipments.into_iter().map(Into::into).collect(),
            version: o.version,
            created_at: time(o.created_at_us),
            updated_at: time(o.updated_at_us),
            confirmed_at: maybe_time(o.confirmed_at_us),
        }
    }
}

/// An order that was placed just now.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlacedOrder {
    /// Same as `id`.
    pub(super) order_id: String,
    #[serde(flatten)]
    pub(super) order: OrderView,
    /// What the buyer has to do before the payment goes on.
    pub(super) next_action: Option<NextActionView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NextActionView {
    /// `approve`.
    kind: String,
    /// Where the buyer does it.
    url: String,
}

impl From<NextAction> for NextActionView {
    fn from(action: NextAction) -> Self {
        Self { kind: action.kind, url: action.url }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentView {
    /// `test` or `stripe`.
    provider: String,
    /// `pending`, `requires_action`, `authorised`, `captured`, `voided` or `declined`.
    state: String,
    brand: Option<String>,
    last4: Option<String>,
    captured: String,
    refunded: String,
    decline_code: Option<String>,
    /// The provider's id (staff).
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
}

impl PaymentView {
    fn new(p: Payment, currency: &str) -> Self {
        Self {
            provider: p.provider,
            state: p.state,
            brand: maybe(p.brand),
            last4: maybe(p.last4),
            captured: decimal(p.captured_minor, currency),
            refunded: decimal(p.refunded_minor, currency),
            decline_code: maybe(p.decline_code),
            reference: maybe(p.reference),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RefundView {
    id: String,
    amount: String,
    reason: Option<String>,
    /// `pending`, `done` or `failed`.
    state: String,
    /// The units went back on the shelf.
    restock: bool,
    created_at: String,
    lines: Vec<RefundLineView>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefundLineView {
    product_id: String,
    #[schema(minimum = 1)]
    quantity: i64,
}

impl RefundView {
    fn new(r: Refund, currency: &str) -> Self {
        let lines = r.lines.into_iter();
        Self {
            id: r.id,
            amount: decimal(r.amount_minor, currency),
            reason: maybe(r.reason),
            state: r.state,
            restock: r.restock,
            created_at: time(r.created_at_us),
            lines: lines
                .map(|l| RefundLineView { product_id: l.product_id, quantity: l.quantity })
                .collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ShipmentView {
    carrier: Option<String>,
    tracking_number: Option<String>,
    tracking_url: Option<String>,
    shipped_at: String,
}

impl From<Shipment> for ShipmentView {
    fn from(s: Shipment) -> Self {
        Self {
            carrier: maybe(s.carrier),
            tracking_number: maybe(s.tracking_number),
            tracking_url: maybe(s.tracking_url),
            shipped_at: time(s.shipped_at_us),
        }
    }
}

/// Part of a list of orders.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderPage {
    items: Vec<OrderItem>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OrderItem {
    id: String,
    number: String,
    status: String,
    total: String,
    currency: String,
    date: String,
    /// Units.
    items_count: u64,
}

impl From<OrderSummary> for OrderItem {
    fn from(o: OrderSummary) -> Self {
        Self {
            total: decimal(o.total_minor, &o.currency),
            id: o.id,
            number: o.number,
            status: o.status,
            currency: o.currency,
            date: time(o.created_at_us),
            items_count: o.items_count,
        }
    }
}

impl From<ListOrdersResponse> for OrderPage {
    fn from(found: ListOrdersResponse) -> Self {
        Self {
            items: found.items.into_iter().map(Into::into).collect(),
            next_cursor: maybe(found.next_cursor),
        }
    }
}

/// Part of the list of what a customer bought.
#[derive(Serialize, ToSchema)]
pub(crate) struct PurchasePage {
    pub(super) items: Vec<PurchaseView>,
    pub(super) next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PurchaseView {
    order_id: String,
    number: String,
    product_id: String,
    sku: String,
    name: String,
    quantity: i64,
    unit_price: String,
    /// For the whole line.
    paid: String,
    currency: String,
    date: String,
}

impl From<Purchase> for PurchaseView {
    fn from(p: Purchase) -> Self {
        let price = p.unit_price.unwrap_or_default();
        Self {
            order_id: p.order_id,
            number: p.number,
            product_id: p.product_id,
            sku: p.sku,
            name: p.name,
            quantity: p.quantity,
            unit_price: decimal(price.minor, &price.currency),
            paid: decimal(p.paid_minor, &price.currency),
            currency: price.currency,
            date: time(p.at_us),
        }
    }
}

/// An order as staff see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct StaffOrder {
    #[serde(flatten)]
    order: OrderView,
    user_id: String,
    /// A person should look at it.
    needs_review: bool,
    /// Where its saga stands; `null`: it is over.
    saga_state: Option<String>,
    timeline: Vec<TimelineView>,
}

impl From<Order> for StaffOrder {
    fn from(mut o: Order) -> Self {
        Self {
            user_id: std::mem::take(&mut o.user_id),
            needs_review: o.needs_review,
            saga_state: maybe(std::mem::take(&mut o.saga_state)),
            timeline: std::mem::take(&mut o.timeline).into_iter().map(Into::into).collect(),
            order: o.into(),
        }
    }
}

/// Who did what, and when.
#[derive(Serialize, ToSchema)]
pub(crate) struct TimelineView {
    at: String,
    /// `state`, `note`, `refund`, `shipment` or `payment`.
    kind: String,
    from: Option<String>,
    to: Option<String>,
    /// A user's id, or a service's name.
    actor: String,
    text: Option<String>,
}

impl From<TimelineEntry> for TimelineView {
    fn from(e: TimelineEntry) -> Self {
        Self {
            at: time(e.at_us),
            kind: e.kind,
            from: maybe(e.from_state),
            to: maybe(e.to_state),
            actor: e.actor_id,
            text: maybe(e.text),
        }
    }
}

/// Part of the list of all orders.
#[derive(Serialize, ToSchema)]
pub(crate) struct StaffOrderPage {
    items: Vec<StaffOrderItem>,
    next_cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct StaffOrderItem {
    #[serde(flatten)]
    order: OrderItem,
    user_id: String,
    refunded: String,
    needs_review: bool,
    version: u64,
}

impl From<ListOrdersResponse> for StaffOrderPage {
    fn from(found: ListOrdersResponse) -> Self {
        let item = |mut o: OrderSummary| StaffOrderItem {
            user_id: std::mem::take(&mut o.user_id),
            refunded: decimal(o.refunded_minor, &o.currency),
            needs_review: o.needs_review,
            version: o.version,
            order: o.into(),
        };
        Self {
            items: found.items.into_iter().map(item).collect(),
            next_cursor: maybe(found.next_cursor),
        }
    }
}
