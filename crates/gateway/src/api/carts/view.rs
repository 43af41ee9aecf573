//! Carts as JSON.
use serde::{Deserialize, Serialize};
use souk_proto::orders::v1::{Cart, CartLine, GuestCart};
use souk_values::{Currency, Money};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct AddBody {
    /// Id, SKU or slug.
    product_id: String,
    #[schema(minimum = 1, maximum = 1_000_000, default = 1, nullable = false)]
    quantity: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct QuantityBody {
    #[schema(minimum = 0, maximum = 1_000_000)]
    quantity: i64,
}

/// A guest's new cart.
#[derive(Serialize, ToSchema)]
pub(crate) struct GuestCartView {
    cart_id: String,
    /// Shown this once; to be sent as `Souk-Cart`.
    cart_secret: String,
}

impl From<GuestCart> for GuestCartView {
    fn from(made: GuestCart) -> Self {
        Self { cart_id: made.cart_id, cart_secret: made.secret }
    }
}

/// A cart as it is now.
#[derive(Serialize, ToSchema)]
pub(crate) struct CartView {
    /// In the order in which they were first added.
    items: Vec<CartItemView>,
    /// Sum of the line totals.
    #[schema(example = "79.98")]
    total: String,
    /// ISO 4217; the shop's while the cart is empty.
    currency: String,
    /// Moves with every change, also with one of a price that this look shows.
    version: u64,
    /// Something changed since the last look; `changes` of a line says what.
    changed: bool,
}

/// A line of a cart.
#[derive(Serialize, ToSchema)]
pub(crate) struct CartItemView {
    product_id: String,
    sku: String,
    slug: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// "physical" or "digital".
    kind: String,
    quantity: i64,
    #[schema(example = "39.99")]
    unit_price: String,
    /// 0 of what nobody can buy any more.
    #[schema(example = "79.98")]
    line_total: String,
    /// What can be bought now; null: no limit.
    #[schema(required)]
    available: Option<i64>,
    /// Since the last look: "price", "unavailable" (gone or hidden), "short" (less there than
    /// wanted).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    changes: Vec<String>,
    /// With "price": what it cost at the last look.
    #[serde(skip_serializing_if = "Option::is_none")]
    old_unit_price: Option<String>,
}

impl From<Cart> for CartView {
    fn from(cart: Cart) -> Self {
        Self {
            total: decimal(cart.total_minor, &cart.currency),
            items: cart.items.into_iter().map(CartItemView::from).collect(),
            currency: cart.currency,
            version: cart.version,
            changed: cart.changed,
        }
    }
}

impl From<CartLine> for CartItemView {
    fn from(line: CartLine) -> Self {
        let price = line.unit_price.unwrap_or_default();
        let money = |minor| decimal(minor, &price.currency);
        Self {
            unit_price: money(price.minor),
            line_total: money(line.line_total_minor),
            old_unit_price: line.old_unit_price_minor.map(money),
            product_id: line.product_id,
            sku: line.sku,
            slug: line.slug,
            name: line.name,
            image: (!line.image.is_empty()).then_some(line.image),
            kind: line.kind,
            quantity: line.quantity,
            available: line.available,
            changes: line.changes,
        }
    }
}

fn decimal(minor: i64, currency: &str) -> String {
    Money::new(minor, currency.parse().unwrap_or(Currency::EUR)).decimal()
}
