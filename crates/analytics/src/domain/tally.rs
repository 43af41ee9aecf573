//! A batch of views counted up before it meets the database.
use std::collections::{BTreeMap, HashMap};

use souk_values::ProductId;

use super::time::{DAY_US, day_of, hour_of};

/// One product page seen by one viewer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) product: ProductId,
    pub(crate) viewer: &'a str,
    pub(crate) at_us: i64,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ViewError {
    #[error("product_id is not a product's id")]
    Product,
    #[error("viewer must be 1 to 64 printable ASCII characters")]
    Viewer,
}

impl<'a> View<'a> {
    /// A time that cannot be (before 1970, or more than a day after the event that tells of it) is
    /// replaced by the event's: the view happened, its clock was wrong.
    pub(crate) fn parse(
        product_id: &str,
        viewer: &'a str,
        at_us: i64,
        told_us: i64,
    ) -> Result<Self, ViewError> {
        let product = product_id.parse().map_err(|_| ViewError::Product)?;
        let printable = viewer.bytes().all(|b| b.is_ascii_graphic());
        if viewer.is_empty() || viewer.len() > 64 || !printable {
            return Err(ViewError::Viewer);
        }
        let possible = 0..=told_us.saturating_add(DAY_US);
        let at_us = if possible.contains(&at_us) { at_us } else { told_us };
        Ok(Self { product, viewer, at_us })
    }
}

/// What one viewer did with one product on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) views: i64,
    pub(crate) first_us: i64,
    pub(crate) last_us: i64,
}

/// Counts by every key that has a table.
#[derive(Debug, Default)]
pub(crate) struct Tally<'a> {
    /// Views by hour and product.
    pub(crate) hours: BTreeMap<i64, HashMap<ProductId, i64>>,
    pub(crate) days: BTreeMap<i64, Day<'a>>,
}

/// What happened on one day.
#[derive(Debug, Default)]
pub(crate) struct Day<'a> {
    pub(crate) views: HashMap<ProductId, i64>,
    pub(crate) viewers: HashMap<(ProductId, &'a str), Visit>,
    /// Views by viewer, of whatever product.
    pub(crate) visitors: HashMap<&'a str, i64>,
}

impl<'a> Tally<'a> {
    pub(crate) fn add(&mut self, view: View<'a>) {
        let View { product, viewer, at_us } = view;
        let hour = self.hours.entry(hour_of(at_us)).or_default();
        *hour.entry(product).or_default() += 1;
        let day = self.days.entry(day_of(at_us)).or_default();
        *day.views.entry(product).or_default() += 1;
        *day.visitors.entry(viewer).or_default() += 1;
        let visit = day.viewers.entry((product, viewer));
        let visit = visit.or_insert(Visit { views: 0, first_us: at_us, last_us: at_us });
        visit.views += 1;
        visit.first_us = visit.first_us.min(at_us);
        visit.last_us = visit.last_us.max(at_us);
    }
}

#[cfg(test)]
mod tests {
    use super::super::time::HOUR_US;
    use super::*;

    #[test]
    fn views_are_counted_by_hour_day_and_viewer() {
        let product = ProductId::new();
        let mut tally = Tally::default();
        for (viewer, at_us) in [("a", 5), ("a", 2), ("b", HOUR_US), ("a", DAY_US)] {
            tally.add(View { product, viewer, at_us });
        }
        assert_eq!(tally.hours[&0][&product], 2);
        assert_eq!(tally.hours[&1][&product], 1);
        assert_eq!(tally.days[&0].views[&product], 3);
        assert_eq!(tally.days[&1].views[&product], 1);
        assert_eq!(tally.days[&0].visitors["a"], 2);
        let visit = Visit { views: 2, first_us: 2, last_us: 5 };
        assert_eq!(tally.days[&0].viewers[&(product, "a")], visit);
        assert_eq!(tally.days[&0].viewers.len(), 2);
    }

    #[test]
    fn impossible_times_become_the_time_of_the_event() {
        let id = ProductId::new().to_string();
        let told = 40 * DAY_US;
        let at = |at_us| View::parse(&id, "vis_1", at_us, told).unwrap().at_us;
        assert_eq!(at(told + DAY_US), told + DAY_US);
        assert_eq!(at(told + DAY_US + 1), told);
        assert_eq!(at(i64::MAX), told);
        assert_eq!(at(-1), told);
        assert_eq!(at(3), 3);
    }

    #[test]
    fn bad_ids_and_viewers_are_refused() {
        let id = ProductId::new().to_string();
        assert_eq!(View::parse("prd_1", "a", 1, 1).unwrap_err(), ViewError::Product);
        for bad in ["", &"x".repeat(65), "a b", "a\0", "ä"] {
            assert_eq!(View::parse(&id, bad, 1, 1).unwrap_err(), ViewError::Viewer, "{bad:?}");
        }
        assert!(View::parse(&id, &"x".repeat(64), 1, 1).is_ok());
    }
}
