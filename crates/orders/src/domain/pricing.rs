//! What an order costs: the one place where quotes and charges are computed. Rounding rules and
//! worked examples: `docs/money.md`.
use souk_values::{Currency, ProductId};

use crate::domain::coupon::Coupon;
use crate::domain::goods::{Goods, Kind};
use crate::domain::shipping::{self, Method};
use crate::domain::tax::{self, Rates};

/// One line to be priced: what, how many, at the price the buyer saw.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) goods: Goods,
    pub(crate) quantity: i64,
}

/// Everything that decides the price besides the lines.
#[derive(Clone, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) currency: Currency,
    pub(crate) country: &'a str,
    pub(crate) rates: &'a Rates,
    pub(crate) prices_include_tax: bool,
    /// `None`: nothing to ship.
    pub(crate) shipping: Option<&'a Method>,
    pub(crate) coupon: Option<&'a Coupon>,
}

/// A line with all its figures, minor units.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Line {
    pub(crate) product_id: ProductId,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) digital: bool,
    pub(crate) quantity: i64,
    pub(crate) unit_price: i64,
    pub(crate) subtotal: i64,
    pub(crate) discount: i64,
    pub(crate) tax: i64,
    /// What is paid for this line.
    pub(crate) total: i64,
    pub(crate) tax_rate_ppm: u32,
    pub(crate) product_version: u64,
}

/// What everything costs; `total = Σ lines.total + shipping`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) lines: Vec<Line>,
    pub(crate) currency: Currency,
    pub(crate) subtotal: i64,
    pub(crate) discount: i64,
    /// Paid for shipping, tax included.
    pub(crate) shipping: i64,
    pub(crate) shipping_tax: i64,
    /// All tax, shipping's included.
    pub(crate) tax: i64,
    pub(crate) total: i64,
    pub(crate) prices_include_tax: bool,
    pub(crate) coupon: Option<String>,
    /// Code and name.
    pub(crate) shipping_method: Option<(String, String)>,
}

/// An amount left the range in which sums are exact.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the total is too large")]
pub(crate) struct TooLarge;

/// Sums are exact below this, and so are shares of them.
const MAX_TOTAL: i64 = 1_000_000_000_000_000;

/// Prices the lines on these terms.
///
/// The coupon is believed: whether it counts was asked before.
pub(crate) fn price(wanted: &[Wanted], terms: &Terms<'_>) -> Result<Quote, TooLarge> {
    let subtotals = subtotals(wanted)?;
    let subtotal = sum(&subtotals)?;
    let discount = terms.coupon.map_or(0, |c| c.discount(subtotal, terms.currency));
    let lines: Vec<Line> = wanted
        .iter()
        .zip(subtotals.iter().zip(shares(discount, &subtotals)))
        .map(|(wanted, (subtotal, discount))| line(wanted, *subtotal, discount, terms))
        .collect();
    let (shipping, shipping_tax) = shipping(wanted, subtotal - discount, terms)?;
    let tax: i64 = lines.iter().map(|line| line.tax).sum();
    let goods: i64 = lines.iter().map(|line| line.total).sum();
    let total = goods + shipping;
    if total > MAX_TOTAL {
        return Err(TooLarge);
    }
    Ok(Quote {
        currency: terms.currency,
        subtotal,
        discount,
        shipping,
        shipping_tax,
        tax: tax + shipping_tax,
        total,
        prices_include_tax: terms.prices_include_tax,
        coupon: terms.coupon.map(|coupon| coupon.code.clone()),
        shipping_method: terms.shipping.map(|m| (m.code.clone(), m.name.clone())),
        lines,
    })
}

fn subtotals(wanted: &[Wanted]) -> Result<Vec<i64>, TooLarge> {
    let subtotal = |w: &Wanted| {
        let subtotal = w.goods.price.minor.checked_mul(w.quantity);
        subtotal.filter(|minor| (0..=MAX_TOTAL).contains(minor)).ok_or(TooLarge)
    };
    wanted.iter().map(subtotal).collect()
}

fn sum(amounts: &[i64]) -> Result<i64, TooLarge> {
    let sum = amounts.iter().try_fold(0_i64, |sum, amount| sum.checked_add(*amount));
    sum.filter(|sum| *sum <= MAX_TOTAL).ok_or(TooLarge)
}

fn line(wanted: &Wanted, subtotal: i64, discount: i64, terms: &Terms<'_>) -> Line {
    let Wanted { goods, quantity } = wanted;
    let tax_rate_ppm = terms.rates.of(terms.country, &goods.tax_class);
    let (total, tax) = taxed(subtotal - discount, tax_rate_ppm, terms);
    Line {
        product_id: goods.id,
        sku: goods.sku.clone(),
        name: goods.name.clone(),
        digital: goods.kind == Kind::Digital,
        quantity: *quantity,
        unit_price: goods.price.minor,
        subtotal,
        discount,
        tax,
        total,
        tax_rate_ppm,
        product_version: goods.version,
    }
}

/// What is paid, and the tax in it.
fn taxed(price: i64, rate_ppm: u32, terms: &Terms<'_>) -> (i64, i64) {
    if terms.prices_include_tax {
        (price, tax::contained(price, rate_ppm))
    } else {
        let tax = tax::on_top(price, rate_ppm);
        (price + tax, tax)
    }
}

/// What is paid for shipping, and the tax in it.
fn shipping(wanted: &[Wanted], goods: i64, terms: &Terms<'_>) -> Result<(i64, i64), TooLarge> {
    let Some(method) = terms.shipping else { return Ok((0, 0)) };
    let weight_g = weight(wanted)?;
    let free = terms.coupon.is_some_and(Coupon::ships_free);
    let price = if free { Some(0) } else { method.price(goods, weight_g) };
    let price = price.filter(|price| *price <= MAX_TOTAL).ok_or(TooLarge)?;
    Ok(taxed(price, terms.rates.of_shipping(terms.country), terms))
}

/// Of what is to be shipped, in grams.
pub(crate) fn weight(wanted: &[Wanted]) -> Result<u64, TooLarge> {
    let physical = wanted.iter().filter(|w| w.goods.kind == Kind::Physical);
    shipping::weight(physical.map(|w| (w.goods.weight_g, w.quantity))).ok_or(TooLarge)
}

/// Parts of `amount` in proportion to `weights`, that sum up to it exactly: rounded down, and one
/// more for those that lost most, the earlier first (largest remainder). No part is greater than
/// its weight as long as the amount is not greater than their sum.
pub(crate) fn shares(amount: i64, weights: &[i64]) -> Vec<i64> {
    let whole: i128 = weights.iter().map(|w| i128::from(*w)).sum();
    if whole == 0 {
        return vec![0; weights.len()];
    }
    let product = |weight: &i64| i128::from(amount) * i128::from(*weight);
    let floor = |weight: &i64| i64::try_from(product(weight) / whole).unwrap_or(i64::MAX);
    let mut shares: Vec<i64> = weights.iter().map(floor).collect();
    let left = amount - shares.iter().sum::<i64>();
    let mut by_loss: Vec<usize> = (0..weights.len()).collect();
    by_loss.sort_by_key(|&at| std::cmp::Reverse(product(&weights[at]) % whole));
    for &at in by_loss.iter().take(usize::try_from(left).unwrap_or_default()) {
        shares[at] += 1;
    }
    shares
}

#[cfg(test)]
mod tests;
