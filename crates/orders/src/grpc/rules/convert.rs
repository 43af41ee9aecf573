//! Rules between the wire and the domain.
use chrono::{DateTime, Utc};
use souk_proto::orders::v1 as pb;
use souk_values::Currency;

use crate::app::rules::invalid;
use crate::domain::address::Broken;
use crate::domain::coupon::{self, Coupon, Gift};
use crate::domain::shipping::{Kind, Method};
use crate::domain::tax::{Rate, Settings};
use crate::error::Error;

/// What cannot even be read stands beside what breaks a rule.
fn together<T>(
    value: T,
    mut broken: Broken,
    check: impl Fn(T) -> Result<T, Broken>,
) -> Result<T, Error> {
    match check(value) {
        Ok(value) if broken.is_empty() => Ok(value),
        Ok(_) => Err(invalid(broken)),
        Err(more) => {
            for (field, must) in more {
                if !broken.iter().any(|(known, _)| *known == field) {
                    broken.push((field, must));
                }
            }
            Err(invalid(broken))
        }
    }
}

fn currency(text: &str, broken: &mut Broken) -> Currency {
    text.parse().unwrap_or_else(|e: souk_values::CurrencyError| {
        broken.push(("currency".to_owned(), e.to_string()));
        Currency::EUR
    })
}

pub(super) fn method(m: pb::ShippingMethod) -> Result<Method, Error> {
    let mut broken = Broken::new();
    let kind = Kind::parse(&m.kind).unwrap_or_else(|| {
        broken.push(("kind".to_owned(), "must be flat or by_weight".to_owned()));
        Kind::Flat
    });
    let method = Method {
        kind,
        currency: currency(&m.currency, &mut broken),
        code: m.code,
        name: m.name,
        price: m.price_minor,
        step_price: m.step_price_minor,
        step_g: m.step_g,
        free_above: m.free_above_minor,
        max_weight_g: m.max_weight_g,
        countries: m.countries,
        active: m.active,
        version: 0,
    };
    together(method, broken, Method::checked)
}

pub(super) fn method_to_proto(m: Method) -> pb::ShippingMethod {
    pb::ShippingMethod {
        code: m.code,
        name: m.name,
        kind: m.kind.as_str().to_owned(),
        currency: m.currency.to_string(),
        price_minor: m.price,
        step_price_minor: m.step_price,
        step_g: m.step_g,
        free_above_minor: m.free_above,
        max_weight_g: m.max_weight_g,
        countries: m.countries,
        active: m.active,
        version: m.version.unsigned_abs(),
    }
}

pub(super) fn rate(r: pb::TaxRate) -> Rate {
    Rate { country: r.country, class: r.class, rate_ppm: r.rate_ppm, version: 0 }
}

pub(super) fn rate_to_proto(r: Rate) -> pb::TaxRate {
    pb::TaxRate {
        country: r.country,
        class: r.class,
        rate_ppm: r.rate_ppm,
        version: r.version.unsigned_abs(),
    }
}

pub(super) fn settings(s: pb::TaxSettings) -> Settings {
    Settings {
        prices_include_tax: s.prices_include_tax,
        default_country: s.default_country,
        version: 0,
    }
}

pub(super) fn settings_to_proto(s: Settings) -> pb::TaxSettings {
    pb::TaxSettings {
        prices_include_tax: s.prices_include_tax,
        default_country: s.default_country,
        version: s.version.unsigned_abs(),
    }
}

pub(super) fn coupon(c: pb::Coupon) -> Result<Coupon, Error> {
    let mut broken = Broken::new();
    let gift = match c.kind.as_str() {
        "percent" => Gift::Percent(c.percent_ppm),
        "amount" => Gift::Amount(c.amount_minor),
        "free_shipping" => Gift::FreeShipping,
        _ => {
            let must = "must be percent, amount or free_shipping";
            broken.push(("kind".to_owned(), must.to_owned()));
            Gift::FreeShipping
        }
    };
    let mut time = |us: i64, field: &str| match us {
        0 => None,
        us => DateTime::<Utc>::from_timestamp_micros(us).filter(|_| us > 0).or_else(|| {
            broken.push((field.to_owned(), "must be a time after 1970".to_owned()));
            None
        }),
    };
    let starts_at = time(c.starts_at_us, "starts_at");
    let ends_at = time(c.ends_at_us, "ends_at");
    let limit = |limit: Option<u64>| limit.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    let coupon = Coupon {
        code: coupon::code(&c.code).unwrap_or(c.code),
        gift,
        currency: currency(&c.currency, &mut broken),
        minimum: c.minimum_minor,
        starts_at,
        ends_at,
        total_limit: limit(c.total_limit),
        customer_limit: limit(c.customer_limit),
        active: c.active,
        used: 0,
        version: 0,
    };
    together(coupon, broken, Coupon::checked)
}

pub(super) fn coupon_to_proto(c: Coupon) -> pb::Coupon {
    let (percent_ppm, amount_minor) = match c.gift {
        Gift::Percent(ppm) => (ppm, 0),
        Gift::Amount(amount) => (0, amount),
        Gift::FreeShipping => (0, 0),
    };
    let us = |at: Option<DateTime<Utc>>| at.map_or(0, |at| at.timestamp_micros());
    pb::Coupon {
        code: c.code,
        kind: c.gift.as_str().to_owned(),
        percent_ppm,
        amount_minor,
        currency: c.currency.to_string(),
        minimum_minor: c.minimum,
        starts_at_us: us(c.starts_at),
        ends_at_us: us(c.ends_at),
        total_limit: c.total_limit.map(i64::unsigned_abs),
        customer_limit: c.customer_limit.map(i64::unsigned_abs),
        active: c.active,
        used: c.used.unsigned_abs(),
        version: c.version.unsigned_abs(),
    }
}
