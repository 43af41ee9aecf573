//! What the audit keeps of a changed rule: its fields before and after.
use std::fmt::Display;

use souk_audit::NewEntry;
use souk_values::{Currency, Money};

use crate::domain::coupon::{Coupon, Gift};
use crate::domain::shipping::Method;
use crate::domain::tax::{Rate, Settings};

/// A rule as a list of fields, always the same ones in the same order.
pub(super) trait Fields {
    /// "coupon/SUMMER": the noun is the first half of the action.
    fn target(&self) -> String;
    fn fields(&self) -> Vec<(&'static str, String)>;
}

/// `None` before: created; `None` after: deleted.
pub(super) fn of<T: Fields>(before: Option<&T>, after: Option<&T>) -> NewEntry {
    let target = after.or(before).map(Fields::target).unwrap_or_default();
    let noun = target.split('/').next().unwrap_or_default();
    let did = match (before, after) {
        (None, _) => "created",
        (_, None) => "deleted",
        _ => "changed",
    };
    let entry = NewEntry::new(&format!("{noun}.{did}"), target.clone());
    let (old, new) = (before.map(Fields::fields), after.map(Fields::fields));
    let names = new.as_ref().or(old.as_ref()).into_iter().flatten().map(|(name, _)| *name);
    let names: Vec<&'static str> = names.collect();
    let value = |of: &Option<Vec<(&'static str, String)>>, at: usize| {
        let found = of.as_ref().and_then(|fields| fields.get(at));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    names
        .into_iter()
        .enumerate()
        .fold(entry, |entry, (at, name)| entry.change(name, value(&old, at), value(&new, at)))
}

fn maybe(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn money(minor: Option<i64>, currency: Currency) -> String {
    maybe(minor.map(|minor| Money::new(minor, currency)))
}

impl Fields for Method {
    fn target(&self) -> String {
        format!("shipping_method/{}", self.code)
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("name", self.name.clone()),
            ("kind", self.kind.as_str().to_owned()),
            ("price", money(Some(self.price), self.currency)),
            ("step_price", money(Some(self.step_price), self.currency)),
            ("step_g", self.step_g.to_string()),
            ("free_above", money(self.free_above, self.currency)),
            ("max_weight_g", maybe(self.max_weight_g)),
            ("countries", self.countries.join(", ")),
            ("active", self.active.to_string()),
        ]
    }
}

impl Fields for Rate {
    fn target(&self) -> String {
        format!("tax_rate/{}/{}", self.country, self.class)
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![("rate_ppm", self.rate_ppm.to_string())]
    }
}

impl Fields for Settings {
    fn target(&self) -> String {
        "tax_settings".to_owned()
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            ("prices_include_tax", self.prices_include_tax.to_string()),
            ("default_country", self.default_country.clone()),
        ]
    }
}

impl Fields for Coupon {
    fn target(&self) -> String {
        format!("coupon/{}", self.code)
    }
    fn fields(&self) -> Vec<(&'static str, String)> {
        let worth = match self.gift {
            Gift::Percent(ppm) => format!("{ppm} ppm"),
            Gift::Amount(minor) => money(Some(minor), self.currency),
            Gift::FreeShipping => String::new(),
        };
        vec![
            ("kind", self.gift.as_str().to_owned()),
            ("worth", worth),
            ("minimum", money(self.minimum, self.currency)),
            ("starts_at", maybe(self.starts_at.map(|at| at.to_rfc3339()))),
            ("ends_at", maybe(self.ends_at.map(|at| at.to_rfc3339()))),
            ("total_limit", maybe(self.total_limit)),
            ("customer_limit", maybe(self.customer_limit)),
            ("active", self.active.to_string()),
        ]
    }
}
