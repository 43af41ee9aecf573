//! Checkouts and quotes as clients see them.
use serde::{Deserialize, Serialize};
use souk_proto::orders::v1::{Address, Quote, QuoteLine, QuoteResponse, ShippingChoice};
use utoipa::ToSchema;

use crate::api::maybe;
use crate::api::shop_rules::{decimal, percent_text};

/// A postal address.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressBody {
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    #[schema(max_length = 200)]
    #[serde(default)]
    company: String,
    #[schema(min_length = 1, max_length = 200)]
    line1: String,
    #[schema(max_length = 200)]
    #[serde(default)]
    line2: String,
    #[schema(min_length = 1, max_length = 100)]
    city: String,
    #[schema(max_length = 100)]
    #[serde(default)]
    region: String,
    #[schema(max_length = 20)]
    #[serde(default)]
    postal_code: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: String,
    #[schema(max_length = 40)]
    #[serde(default)]
    phone: String,
}

impl From<Address> for AddressBody {
    fn from(a: Address) -> Self {
        Self {
            name: a.name,
            company: a.company,
            line1: a.line1,
            line2: a.line2,
            city: a.city,
            region: a.region,
            postal_code: a.postal_code,
            country: a.country,
            phone: a.phone,
        }
    }
}

/// What a buyer says at the checkout; nothing of it is needed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct CheckoutBody {
    #[schema(nullable = false)]
    shipping_address: Option<AddressBody>,
    /// Of the address book, instead of an address.
    #[schema(nullable = false)]
    shipping_address_id: Option<String>,
    /// Absent: as shipping.
    #[schema(nullable = false)]
    billing_address: Option<AddressBody>,
    #[schema(nullable = false)]
    billing_address_id: Option<String>,
    /// Code; absent: the cheapest that fits.
    #[schema(nullable = false)]
    shipping_method: Option<String>,
    /// A token of `POST /api/payment-methods`; absent: the test method, where the shop allows it.
    #[schema(nullable = false)]
    payment_method: Option<String>,
    #[schema(nullable = false)]
    coupon: Option<String>,
    #[schema(nullable = false, max_length = 1000)]
    note: Option<String>,
    /// The version of the cart that the buyer saw; another one now: 409.
    #[schema(nullable = false)]
    cart_version: Option<u64>,
}

/// A line with all its figures.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuoteLineView {
    product_id: String,
    sku: String,
    name: String,
    /// `physical` or `digital`.
    kind: String,
    quantity: i64,
    unit_price: String,
    /// Quantity × unit price.
    subtotal: String,
    /// Its share of what a coupon takes off.
    discount: String,
    /// Contained in `total`.
    tax: String,
    /// In percent.
    #[schema(example = "19")]
    tax_rate: String,
    /// What is paid for this line.
    total: String,
}

impl QuoteLineView {
    pub(crate) fn new(line: QuoteLine, currency: &str) -> Self {
        let text = |minor| decimal(minor, currency);
        Self {
            unit_price: text(line.unit_price_minor),
            subtotal: text(line.subtotal_minor),
            discount: text(line.discount_minor),
            tax: text(line.tax_minor),
            total: text(line.total_minor),
            tax_rate: percent_text(line.tax_rate_ppm),
            product_id: line.product_id,
            sku: line.sku,
            name: line.name,
            kind: line.kind,
            quantity: line.quantity,
        }
    }
}

/// What everything costs: `total` is the sum of the lines' totals and `shipping`.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuoteView {
    lines: Vec<QuoteLineView>,
    currency: String,
    subtotal: String,
    /// Taken off the goods by a coupon.
    discount: String,
    /// Paid for shipping, tax included.
    shipping: String,
    /// Contained in `shipping`.
    shipping_tax: String,
    /// All tax in `total`, shipping's included.
    tax: String,
    total: String,
    /// Whether unit prices hold tax.
    prices_include_tax: bool,
    coupon: Option<String>,
    /// Code; `null`: nothing to ship, or the shop does not say how it ships.
    shipping_method: Option<String>,
    shipping_name: Option<String>,
}

impl From<Quote> for QuoteView {
    fn from(q: Quote) -> Self {
        let text = |minor| decimal(minor, &q.currency);
        Self {
            subtotal: text(q.subtotal_minor),
            discount: text(q.discount_minor),
            shipping: text(q.shipping_minor),
            shipping_tax: text(q.shipping_tax_minor),
            tax: text(q.tax_minor),
            total: text(q.total_minor),
            prices_include_tax: q.prices_include_tax,
            coupon: maybe(q.coupon),
            shipping_method: maybe(q.shipping_method),
            shipping_name: maybe(q.shipping_name),
            lines: q.lines.into_iter().map(|l| QuoteLineView::new(l, &q.currency)).collect(),
            currency: q.currency,
        }
    }
}

/// A shipping method that fits.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShippingChoiceView {
    code: String,
    name: String,
    /// Before tax if prices hold none.
    price: String,
}

/// A quote, with what else could be chosen.
#[derive(Serialize, ToSchema)]
pub(crate) struct QuoteAnswer {
    #[serde(flatten)]
    quote: QuoteView,
    /// The cheapest first.
    shipping_choices: Vec<ShippingChoiceView>,
    /// To be sent with the order: it is refused if the cart is another one by then.
    cart_version: u64,
}

impl From<QuoteResponse> for QuoteAnswer {
    fn from(answer: QuoteResponse) -> Self {
        let quote = answer.quote.unwrap_or_default();
        let choice = |choice: ShippingChoice| ShippingChoiceView {
            price: decimal(choice.price_minor, &quote.currency),
            code: choice.code,
            name: choice.name,
        };
        Self {
            shipping_choices: answer.shipping_choices.into_iter().map(choice).collect(),
            cart_version: answer.cart_version,
            quote: quote.into(),
        }
    }
}
