//! Demand against stock: for how long stock lasts, and what deserves a look.

/// Stock for fewer days is little.
const FEW_DAYS: f64 = 7.0;
/// Stock for more days is much.
const MANY_DAYS: f64 = 180.0;
/// So many looks at what is sold out are demand.
const LOOKS: i64 = 10;
/// Fewer pieces are never much stock.
const MANY_PIECES: i64 = 10;

pub(crate) const WANTED_AND_SHORT: &str = "high_demand_low_stock";
pub(crate) const HARDLY_WANTED: &str = "low_demand_high_stock";

/// What a product's window looked like. `stock` is none for what never runs out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand {
    views: i64,
    stock: Option<i64>,
    pub(crate) cover_days: Option<f64>,
}

impl Demand {
    /// Of a window of so many days.
    pub(crate) fn new(views: i64, units: i64, stock: Option<i64>, days: f64) -> Self {
        let cover_days =
            stock.filter(|_| units > 0).map(|stock| stock.max(0) as f64 * days / units as f64);
        Self { views, stock, cover_days }
    }

    /// One of two words, or none.
    pub(crate) fn signal(&self) -> &'static str {
        let Some(stock) = self.stock else { return "" };
        let (short, idle) = match self.cover_days {
            Some(days) => (days < FEW_DAYS, days > MANY_DAYS),
            None => (stock <= 0 && self.views >= LOOKS, self.views < stock),
        };
        if short {
            WANTED_AND_SHORT
        } else if idle && stock >= MANY_PIECES {
            HARDLY_WANTED
        } else {
            ""
        }
    }
}

/// `part` of `whole` in millionths; 0 of nothing, and never below it.
pub(crate) fn ppm(part: i64, whole: i64) -> u64 {
    if whole <= 0 || part <= 0 {
        return 0;
    }
    let ppm = i128::from(part) * 1_000_000 / i128::from(whole);
    u64::try_from(ppm).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_lasts_as_long_as_it_sells() {
        let cover = |units, stock| Demand::new(0, units, stock, 30.0).cover_days;
        assert_eq!(cover(30, Some(10)), Some(10.0));
        assert_eq!(cover(60, Some(0)), Some(0.0));
        assert_eq!(cover(0, Some(10)), None);
        assert_eq!(cover(-2, Some(10)), None);
        assert_eq!(cover(30, None), None);
    }

    #[test]
    fn what_is_wanted_and_short_and_what_lies_around_is_named() {
        let signal = |views, units, stock| Demand::new(views, units, stock, 30.0).signal();
        assert_eq!(signal(100, 30, Some(6)), WANTED_AND_SHORT);
        assert_eq!(signal(100, 30, Some(7)), "");
        assert_eq!(signal(10, 0, Some(0)), WANTED_AND_SHORT);
        assert_eq!(signal(9, 0, Some(0)), "");
        assert_eq!(signal(0, 1, Some(9)), "", "a handful is never much");
        assert_eq!(signal(5, 0, Some(10)), HARDLY_WANTED);
        assert_eq!(signal(50, 0, Some(10)), "");
        assert_eq!(signal(500, 1, Some(10)), HARDLY_WANTED);
        assert_eq!(signal(0, 0, None), "");
    }

    #[test]
    fn shares_are_millionths() {
        assert_eq!(ppm(1, 3), 333_333);
        assert_eq!(ppm(5, 0), 0);
        assert_eq!(ppm(-1, 5), 0);
        assert_eq!(ppm(i64::MAX, 1), u64::MAX);
    }
}
