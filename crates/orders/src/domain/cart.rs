//! A cart, what its owner saw of it, and what changed since.
use std::collections::HashMap;

use souk_values::{CartId, Currency, Money, ProductId, UserId};

use crate::domain::goods::{Goods, Kind};
use crate::domain::pricing::TooLarge;

/// Most units of one line that a request may ask for.
pub(crate) const MAX_QUANTITY: i64 = 1_000_000;
/// Lines that a cart holds.
pub(crate) const MAX_LINES: usize = 2_000;

/// Whose cart: a user has one, a guest knows its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    User(UserId),
    Guest(SecretHash),
}

/// SHA-256 of a guest's secret: all that is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SecretHash(pub(crate) [u8; 32]);

/// A cart with its lines in the order in which they were first added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cart {
    pub(crate) id: CartId,
    pub(crate) version: i64,
    /// Of the first line that was there at the last look; `None`: there is none.
    pub(crate) currency: Option<Currency>,
    pub(crate) lines: Vec<Line>,
}

/// One product in a cart, as its owner saw it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    /// Unit price, minor units.
    pub(crate) seen_price: i64,
    pub(crate) seen_currency: Currency,
    /// The product's version that this price is of.
    pub(crate) seen_version: u64,
    /// It was unavailable at the last look.
    pub(crate) gone: bool,
    /// What was there at the last look, if that was less than wanted.
    pub(crate) short_at: Option<i64>,
    pub(crate) sku: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) kind: Kind,
    pub(crate) position: i64,
}

impl Line {
    /// A line of these goods as they are now.
    pub(crate) fn of(goods: &Goods, quantity: i64, position: i64) -> Self {
        Self {
            product_id: goods.id,
            quantity,
            seen_price: goods.price.minor,
            seen_currency: goods.price.currency,
            seen_version: goods.version,
            gone: false,
            short_at: goods.available.filter(|there| *there < quantity),
            sku: goods.sku.clone(),
            slug: goods.slug.clone(),
            name: goods.name.clone(),
            image: goods.image.clone(),
            kind: goods.kind,
            position,
        }
    }

    /// What the buyer saw of one unit.
    pub(crate) fn seen(&self) -> Money {
        Money::new(self.seen_price, self.seen_currency)
    }
}

impl Cart {
    pub(crate) fn new(id: CartId, version: i64, lines: Vec<Line>) -> Self {
        let currency = lines.iter().find(|line| !line.gone).map(|line| line.seen_currency);
        Self { id, version, currency, lines }
    }

    pub(crate) fn line(&self, product: ProductId) -> Option<&Line> {
        self.lines.iter().find(|line| line.product_id == product)
    }

    /// The line that `key` names: a product's id, SKU or slug, tried in this order.
    pub(crate) fn named(&self, key: &str) -> Option<&Line> {
        let by = |fits: fn(&Line, &str) -> bool| self.lines.iter().find(|line| fits(line, key));
        let id = key.parse().ok().and_then(|id| self.line(id));
        id.or_else(|| by(|line, key| line.sku == key)).or_else(|| by(|line, key| line.slug == key))
    }

    /// Puts more of these goods into the cart; answers the line with what is added.
    pub(crate) fn add(&mut self, goods: &Goods, quantity: i64) -> Result<Line, Misfit> {
        let before = self.line(goods.id).map_or(0, |line| line.quantity);
        let wanted = before.saturating_add(quantity);
        self.put(goods, wanted).map(|line| Line { quantity, ..line })
    }

    /// Puts exactly so many of these goods into the cart; answers the line.
    pub(crate) fn put(&mut self, goods: &Goods, quantity: i64) -> Result<Line, Misfit> {
        if quantity > MAX_QUANTITY {
            return Err(Misfit::TooMany);
        }
        if let Some(available) = goods.available
            && quantity > available
        {
            return Err(Misfit::OutOfStock { available });
        }
        let price = goods.price.currency;
        if let Some(cart) = self.currency
            && cart != price
        {
            return Err(Misfit::CurrencyMismatch { cart, goods: price });
        }
        if self.lines.len() >= MAX_LINES && self.line(goods.id).is_none() {
            return Err(Misfit::Full);
        }
        self.currency = Some(price);
        if let Some(line) = self.lines.iter_mut().find(|line| line.product_id == goods.id) {
            line.quantity = quantity;
            return Ok(line.clone());
        }
        let line = Line::of(goods, quantity, self.next_position());
        self.lines.push(line.clone());
        Ok(line)
    }

    /// The place behind all lines.
    pub(crate) fn next_position(&self) -> i64 {
        self.lines.iter().map(|line| line.position).max().unwrap_or(0).saturating_add(1)
    }
}

/// Why something does not go into a cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// More than [`MAX_QUANTITY`].
    TooMany,
    OutOfStock {
        available: i64,
    },
    CurrencyMismatch {
        cart: Currency,
        goods: Currency,
    },
    /// It holds [`MAX_LINES`].
    Full,
}

/// What is different since the last look at a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It cost this before.
    Price { old: i64 },
    /// Nobody can buy it any more.
    Unavailable,
    /// Less is there than wanted, or still less than before.
    Short,
}

/// A line as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineNow {
    /// What is seen by this look, to be remembered.
    pub(crate) line: Line,
    /// 0 of what cannot be bought.
    pub(crate) total: i64,
    /// `None`: no limit.
    pub(crate) available: Option<i64>,
    pub(crate) changes: Vec<Change>,
    /// Something is seen that was not seen before, told or not.
    pub(crate) new: bool,
}

/// A cart as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) lines: Vec<LineNow>,
    pub(crate) total: i64,
    pub(crate) currency: Currency,
}

impl Look {
    pub(crate) fn changed(&self) -> bool {
        self.lines.iter().any(|line| !line.changes.is_empty())
    }

    /// Lines of which something new was seen.
    pub(crate) fn news(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.new).map(|line| &line.line)
    }
}

/// Looks at a cart: `goods` are those of its products that are active now, `empty` is the currency
/// of a cart that holds nothing.
pub(crate) fn look(
    cart: &Cart,
    goods: &HashMap<ProductId, Goods>,
    empty: Currency,
) -> Result<Look, TooLarge> {
    let first = cart.lines.iter().find_map(|line| goods.get(&line.product_id));
    let currency = first.map(|goods| goods.price.currency).or(cart.currency).unwrap_or(empty);
    let mut total = 0_i64;
    let mut lines = Vec::with_capacity(cart.lines.len());
    for line in &cart.lines {
        // a product that is sold in another currency now cannot be bought with the others
        let there = goods.get(&line.product_id).filter(|g| g.price.currency == currency);
        let now = match there {
            Some(goods) => present(line, goods)?,
            None => absent(line),
        };
        total = total.checked_add(now.total).ok_or(TooLarge)?;
        lines.push(now);
    }
    Ok(Look { lines, total, currency })
}

fn present(old: &Line, goods: &Goods) -> Result<LineNow, TooLarge> {
    let line = Line::of(goods, old.quantity, old.position);
    let mut changes = Vec::new();
    if line.seen() != old.seen() {
        changes.push(Change::Price { old: old.seen_price });
    }
    if line.short_at.is_some_and(|now| old.short_at.is_none_or(|before| now < before)) {
        changes.push(Change::Short);
    }
    let total = goods.price.minor.checked_mul(line.quantity).ok_or(TooLarge)?;
    let new = line != *old;
    Ok(LineNow { total, available: goods.available, changes, new, line })
}

fn absent(old: &Line) -> LineNow {
    let changes = if old.gone { Vec::new() } else { vec![Change::Unavailable] };
    let line = Line { gone: true, short_at: None, ..old.clone() };
    LineNow { total: 0, available: Some(0), changes, new: line != *old, line }
}

#[cfg(test)]
mod tests;
