//! What one order adds to the figures, from the steps of it that were heard of: the same figures
//! in whatever order the steps came.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_values::{ProductId, UserId};

/// Units of a product and what was paid, or is to come back, for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    #[serde(rename = "p")]
    pub(crate) product: ProductId,
    #[serde(rename = "q")]
    pub(crate) quantity: i64,
    /// Minor units; of units that came back 0 when it was not told.
    #[serde(rename = "m")]
    pub(crate) paid: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Confirmed,
    /// Refunded or cancelled: what came back comes off.
    Returned,
}

/// One step of an order that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) kind: Kind,
    pub(crate) day: i64,
    pub(crate) user: UserId,
    pub(crate) currency: String,
    /// Confirmed: paid for goods and shipping. Returned: the refund.
    pub(crate) money: i64,
    /// Confirmed: what was sold. Returned: what came back.
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Confirmed orders, whatever became of them.
    pub(crate) orders: i64,
    /// Sold less returned.
    pub(crate) units: i64,
    /// Minor units, less refunds.
    pub(crate) revenue: i64,
}

impl Figures {
    pub(crate) fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.units += other.units;
        self.revenue += other.revenue;
    }

    pub(crate) fn take(&mut self, other: Self) {
        self.orders -= other.orders;
        self.units -= other.units;
        self.revenue -= other.revenue;
    }

    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What one order adds to each day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    pub(crate) currency: String,
    /// Goods and shipping.
    pub(crate) days: BTreeMap<i64, Figures>,
    /// Of each product its lines.
    pub(crate) products: BTreeMap<(i64, ProductId), Figures>,
}

/// What is still with the buyer of one product of an order.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    sold: i64,
    paid: i64,
    units: i64,
    money: i64,
}

/// The figures of an order by its steps, each under its version. Nothing counts before the order is
/// confirmed, and never more comes back than was sold.
pub(crate) fn effects(steps: &BTreeMap<i64, Step>) -> Effects {
    let Some((_, sale)) = steps.iter().find(|(_, step)| step.kind == Kind::Confirmed) else {
        return Effects::default();
    };
    let mut effects = Effects { currency: sale.currency.clone(), ..Effects::default() };
    let mut goods: BTreeMap<ProductId, Left> = BTreeMap::new();
    for line in &sale.lines {
        let left = goods.entry(line.product).or_default();
        left.sold += line.quantity;
        left.units += line.quantity;
        left.paid += line.paid;
        left.money += line.paid;
    }
    for (product, left) in &goods {
        let figures = Figures { orders: 1, units: left.sold, revenue: left.paid };
        effects.products.insert((sale.day, *product), figures);
    }
    let units = goods.values().map(|left| left.sold).sum();
    effects.days.insert(sale.day, Figures { orders: 1, units, revenue: sale.money });
    // shipping, and whatever else is no line
    let mut other = sale.money - goods.values().map(|left| left.paid).sum::<i64>();
    for step in steps.values().filter(|step| step.kind == Kind::Returned) {
        take_back(&mut effects, step, &mut goods, &mut other);
    }
    effects.days.retain(|_, figures| !figures.is_nothing());
    effects.products.retain(|_, figures| !figures.is_nothing());
    effects
}

/// A refund comes off the lines whose units came back, by what was paid for these; what is more is
/// shipping's, and only then all lines'. Without units it comes off everything in proportion.
fn take_back(
    effects: &mut Effects,
    step: &Step,
    goods: &mut BTreeMap<ProductId, Left>,
    other: &mut i64,
) {
    let mut units: BTreeMap<ProductId, i64> = BTreeMap::new();
    let mut wanted: BTreeMap<ProductId, i64> = BTreeMap::new();
    for line in &step.lines {
        let Some(left) = goods.get_mut(&line.product) else { continue };
        let back = line.quantity.clamp(0, left.units);
        // the last units take what is left, so that no cent of a share remains
        let worth = if back == left.units {
            left.money
        } else if line.paid > 0 {
            line.paid
        } else {
            share(left.paid, back, left.sold)
        };
        left.units -= back;
        *units.entry(line.product).or_default() += back;
        *wanted.entry(line.product).or_default() += worth;
    }
    let remaining = *other + goods.values().map(|left| left.money).sum::<i64>();
    let mut refund = step.money.clamp(0, remaining.max(0));
    let day = effects.days.entry(step.day).or_default();
    day.units -= units.values().sum::<i64>();
    day.revenue -= refund;
    let mut money: BTreeMap<ProductId, i64> = BTreeMap::new();
    for (product, worth) in &mut wanted {
        *worth = (*worth).min(goods.get(product).map_or(0, |left| left.money));
    }
    refund -= spread(refund, &wanted, goods, &mut money);
    if !units.is_empty() {
        let shipping = refund.min((*other).max(0));
        *other -= shipping;
        refund -= shipping;
    }
    // the rest by what is left of each line and of shipping
    let all = goods.iter().map(|(product, left)| (*product, left.money)).collect();
    let lines = goods.values().map(|left| left.money).sum::<i64>();
    let of_lines = share(refund, lines, lines + (*other).max(0));
    let of_lines = of_lines.max(refund - (*other).max(0));
    *other -= refund - of_lines;
    spread(of_lines, &all, goods, &mut money);
    for product in units.keys().chain(money.keys()) {
        effects.products.entry((step.day, *product)).or_default();
    }
    for (product, units) in units {
        effects.products.entry((step.day, product)).or_default().units -= units;
    }
    for (product, money) in money {
        effects.products.entry((step.day, product)).or_default().revenue -= money;
    }
}

/// Divides at most `amount` by weights, to the last minor unit; answers what was divided. No part
/// is above its weight.
fn spread(
    amount: i64,
    weights: &BTreeMap<ProductId, i64>,
    goods: &mut BTreeMap<ProductId, Left>,
    taken: &mut BTreeMap<ProductId, i64>,
) -> i64 {
    let whole: i64 = weights.values().sum();
    let amount = amount.min(whole);
    let (mut weight_before, mut given) = (0, 0);
    for (product, weight) in weights {
        weight_before += weight;
        let part = share(amount, weight_before, whole) - given;
        given += part;
        *taken.entry(*product).or_default() += part;
        if let Some(left) = goods.get_mut(product) {
            left.money -= part;
        }
    }
    given
}

/// `amount` × `part` / `whole`, rounded down; 0 of nothing.
fn share(amount: i64, part: i64, whole: i64) -> i64 {
    if whole <= 0 {
        return 0;
    }
    let share = i128::from(amount) * i128::from(part) / i128::from(whole);
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
