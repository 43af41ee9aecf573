//! How goods reach their buyer, and what that costs.
mod choice;

use souk_values::{Currency, is_country};

pub(crate) use choice::{NoChoice, choose, offers};

use super::address::{Broken, check_line};
use super::tax::{CODE_MUST, is_code};

/// A price is at most so many minor units.
pub(crate) const MAX_PRICE: i64 = 1_000_000_000_000;
/// A thousand tons.
const MAX_WEIGHT_G: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Flat,
    /// By begun steps of weight.
    ByWeight,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::ByWeight => "by_weight",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "flat" => Some(Self::Flat),
            "by_weight" => Some(Self::ByWeight),
            _ => None,
        }
    }
}

/// A shipping method of the shop; amounts in minor units of its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// `[a-z0-9_-]{1,40}`.
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) currency: Currency,
    /// Flat: the price. By weight: of the first step.
    pub(crate) price: i64,
    /// By weight: of each further begun step.
    pub(crate) step_price: i64,
    /// By weight: grams of one step, at least 1.
    pub(crate) step_g: u64,
    /// Goods after discount that cost so much or more ship free.
    pub(crate) free_above: Option<i64>,
    pub(crate) max_weight_g: Option<u64>,
    /// Empty: everywhere.
    pub(crate) countries: Vec<String>,
    pub(crate) active: bool,
    pub(crate) version: i64,
}

/// What is to be shipped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel<'a> {
    pub(crate) currency: Currency,
    pub(crate) weight_g: u64,
    /// Where to; empty: not said.
    pub(crate) country: &'a str,
}

/// Why a method does not ship a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    Inactive,
    Currency,
    TooHeavy,
    /// It needs to know the country, and nobody said it.
    CountryUnknown,
    Country,
}

impl Misfit {
    /// Of the field that names the method.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Inactive => "is not offered",
            Self::Currency => "is not offered in the cart's currency",
            Self::TooHeavy => "does not carry so much weight",
            Self::CountryUnknown => "needs a shipping address",
            Self::Country => "does not ship to this country",
        }
    }
}

impl Method {
    /// All broken fields at once.
    pub(crate) fn checked(mut self) -> Result<Self, Broken> {
        let mut broken = Broken::new();
        let mut breaks = |field: &str, must: &str| broken.push((field.to_owned(), must.to_owned()));
        if !is_code(&self.code) {
            breaks("code", CODE_MUST);
        }
        self.name = self.name.trim().to_owned();
        if let Err(must) = check_line(&self.name, 1, 100) {
            breaks("name", &must);
        }
        let amounts = [
            ("price", Some(self.price)),
            ("step_price", Some(self.step_price)),
            ("free_above", self.free_above),
        ];
        for (field, amount) in amounts {
            if amount.is_some_and(|amount| !(0..=MAX_PRICE).contains(&amount)) {
                breaks(field, "must not be negative or so large");
            }
        }
        if self.kind == Kind::ByWeight && !(1..=MAX_WEIGHT_G).contains(&self.step_g) {
            breaks("step_g", "must be 1 to 1000000000 grams");
        }
        if self.max_weight_g.is_some_and(|g| g > MAX_WEIGHT_G) {
            breaks("max_weight_g", "must be at most 1000000000 grams");
        }
        if self.countries.len() > 300 {
            breaks("countries", "must be at most 300");
        }
        for country in &mut self.countries {
            *country = country.trim().to_ascii_uppercase();
        }
        if !self.countries.iter().all(|country| is_country(country)) {
            breaks("countries", "must be country codes such as DE");
        }
        self.countries.sort();
        self.countries.dedup();
        if self.kind == Kind::Flat {
            (self.step_price, self.step_g) = (0, 0);
        }
        if broken.is_empty() { Ok(self) } else { Err(broken) }
    }

    /// Whether it ships this parcel.
    pub(crate) fn fits(&self, parcel: &Parcel<'_>) -> Result<(), Misfit> {
        if !self.active {
            return Err(Misfit::Inactive);
        }
        if self.currency != parcel.currency {
            return Err(Misfit::Currency);
        }
        if self.max_weight_g.is_some_and(|most| parcel.weight_g > most) {
            return Err(Misfit::TooHeavy);
        }
        if self.countries.is_empty() {
            Ok(())
        } else if parcel.country.is_empty() {
            Err(Misfit::CountryUnknown)
        } else if self.countries.iter().any(|country| country == parcel.country) {
            Ok(())
        } else {
            Err(Misfit::Country)
        }
    }

    /// Before tax if prices hold none. `goods`: what they cost after discount. `None`: no number
    /// holds it.
    pub(crate) fn price(&self, goods: i64, weight_g: u64) -> Option<i64> {
        if self.free_above.is_some_and(|least| goods >= least) {
            return Some(0);
        }
        match self.kind {
            Kind::Flat => Some(self.price),
            Kind::ByWeight => {
                let further = weight_g.div_ceil(self.step_g.max(1)).saturating_sub(1);
                let further = i64::try_from(further).ok()?;
                self.step_price.checked_mul(further)?.checked_add(self.price)
            }
        }
    }
}

/// What the weights of lines sum up to. `None`: no number holds it.
pub(crate) fn weight(lines: impl IntoIterator<Item = (u64, i64)>) -> Option<u64> {
    lines.into_iter().try_fold(0_u64, |sum, (weight_g, quantity)| {
        sum.checked_add(weight_g.checked_mul(u64::try_from(quantity).ok()?)?)
    })
}

#[cfg(test)]
mod tests;
