//! Quotes and checkouts on the wire.
use souk_proto::orders::v1 as pb;

use crate::app::quote::Priced;
use crate::app::rules::invalid;
use crate::domain::address::{Address, Checkout, Place};
use crate::domain::pricing::{Line, Quote};
use crate::error::Error;

/// A checkout as the wire has it, checked: all broken fields at once.
pub(super) fn checkout(request: pb::CheckoutRequest) -> Result<Checkout, Error> {
    let mut twice = Vec::new();
    let mut place = |written: Option<pb::Address>, id: String, field: &str| match (written, id) {
        (None, id) if id.is_empty() => Place::None,
        (None, id) => Place::Kept(id),
        (Some(written), id) => {
            if !id.is_empty() {
                twice.push((format!("{field}_id"), format!("says the same as {field}")));
            }
            Place::Written(address(written))
        }
    };
    let shipping_address =
        place(request.shipping_address, request.shipping_address_id, "shipping_address");
    let billing_address =
        place(request.billing_address, request.billing_address_id, "billing_address");
    let checkout = Checkout {
        guest_secret: request.guest_secret,
        shipping_address,
        billing_address,
        shipping_method: request.shipping_method,
        payment_method: request.payment_method,
        coupon: request.coupon,
        note: request.note,
        // no cart has a version that does not fit
        cart_version: request.cart_version.map(|seen| i64::try_from(seen).unwrap_or(i64::MAX)),
    };
    match checkout.checked() {
        Ok(checkout) if twice.is_empty() => Ok(checkout),
        Ok(_) => Err(invalid(twice)),
        Err(mut broken) => {
            broken.append(&mut twice);
            Err(invalid(broken))
        }
    }
}

fn address(a: pb::Address) -> Address {
    Address {
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

pub(super) fn address_to_proto(a: &Address) -> pb::Address {
    pb::Address {
        name: a.name.clone(),
        company: a.company.clone(),
        line1: a.line1.clone(),
        line2: a.line2.clone(),
        city: a.city.clone(),
        region: a.region.clone(),
        postal_code: a.postal_code.clone(),
        country: a.country.clone(),
        phone: a.phone.clone(),
    }
}

/// The answer to a quote.
pub(super) fn to_response(priced: &Priced) -> pb::QuoteResponse {
    let choice = |(code, name, price): &(String, String, i64)| pb::ShippingChoice {
        code: code.clone(),
        name: name.clone(),
        price_minor: *price,
    };
    pb::QuoteResponse {
        quote: Some(to_proto(&priced.quote)),
        shipping_choices: priced.choices.iter().map(choice).collect(),
        cart_version: priced.cart.version.unsigned_abs(),
    }
}

/// Of a cart, and of an order.
pub(super) fn to_proto(quote: &Quote) -> pb::Quote {
    let (shipping_method, shipping_name) = quote.shipping_method.clone().unwrap_or_default();
    pb::Quote {
        lines: quote.lines.iter().map(line_to_proto).collect(),
        currency: quote.currency.to_string(),
        subtotal_minor: quote.subtotal,
        discount_minor: quote.discount,
        shipping_minor: quote.shipping,
        shipping_tax_minor: quote.shipping_tax,
        tax_minor: quote.tax,
        total_minor: quote.total,
        prices_include_tax: quote.prices_include_tax,
        coupon: quote.coupon.clone().unwrap_or_default(),
        shipping_method,
        shipping_name,
    }
}

pub(super) fn line_to_proto(line: &Line) -> pb::QuoteLine {
    pb::QuoteLine {
        product_id: line.product_id.to_string(),
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
        unit_price_minor: line.unit_price,
        subtotal_minor: line.subtotal,
        discount_minor: line.discount,
        tax_minor: line.tax,
        total_minor: line.total,
        tax_rate_ppm: line.tax_rate_ppm,
        product_version: line.product_version,
        kind: if line.digital { "digital" } else { "physical" }.to_owned(),
    }
}
