//! Tax rates by country and class.
use std::collections::BTreeMap;

use souk_values::is_country;

use super::address::Broken;

/// Of products that say nothing else.
pub(crate) const STANDARD: &str = "standard";
/// Of shipping; where there is none, [`STANDARD`] counts.
pub(crate) const SHIPPING: &str = "shipping";
/// Any country that has no rate of its own for a class.
pub(crate) const ELSEWHERE: &str = "*";
/// 100 %.
pub(crate) const MAX_PPM: u32 = 1_000_000;

/// One rate. 190,000 ppm are 19 %.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// ISO 3166-1 alpha-2, or [`ELSEWHERE`].
    pub(crate) country: String,
    pub(crate) class: String,
    pub(crate) rate_ppm: u32,
    pub(crate) version: i64,
}

impl Rate {
    pub(crate) fn checked(mut self) -> Result<Self, Broken> {
        let mut broken = Broken::new();
        self.country = self.country.trim().to_ascii_uppercase();
        self.class = self.class.trim().to_ascii_lowercase();
        if self.country != ELSEWHERE && !is_country(&self.country) {
            broken.push(("country".to_owned(), "must be a country code such as DE, or *".into()));
        }
        if !is_code(&self.class) {
            broken.push(("class".to_owned(), CODE_MUST.to_owned()));
        }
        if self.rate_ppm > MAX_PPM {
            broken.push(("rate".to_owned(), "must be at most 100".to_owned()));
        }
        if broken.is_empty() { Ok(self) } else { Err(broken) }
    }
}

pub(crate) const CODE_MUST: &str = "must be 1 to 40 of a-z, 0-9, hyphen and underscore";

/// `[a-z0-9_-]{1,40}`.
pub(crate) fn is_code(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(fine)
}

/// How the shop's prices are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) prices_include_tax: bool,
    /// Of carts without an address; empty: [`ELSEWHERE`].
    pub(crate) default_country: String,
    pub(crate) version: i64,
}

impl Settings {
    pub(crate) fn checked(mut self) -> Result<Self, Broken> {
        self.default_country = self.default_country.trim().to_ascii_uppercase();
        if !self.default_country.is_empty() && !is_country(&self.default_country) {
            let must = "must be a country code such as DE, or empty".to_owned();
            return Err(vec![("default_country".to_owned(), must)]);
        }
        Ok(self)
    }
}

/// All rates of the shop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rates(BTreeMap<(String, String), u32>);

impl Rates {
    pub(crate) fn new(rates: impl IntoIterator<Item = Rate>) -> Self {
        Self(rates.into_iter().map(|r| ((r.country, r.class), r.rate_ppm)).collect())
    }

    /// Of goods of a class: the country's, else the one for elsewhere, else 0.
    pub(crate) fn of(&self, country: &str, class: &str) -> u32 {
        self.own(country, class).or_else(|| self.own(ELSEWHERE, class)).unwrap_or_default()
    }

    /// Of shipping: the country's own rates count before those for elsewhere.
    pub(crate) fn of_shipping(&self, country: &str) -> u32 {
        let classes = |country| self.own(country, SHIPPING).or_else(|| self.own(country, STANDARD));
        classes(country).or_else(|| classes(ELSEWHERE)).unwrap_or_default()
    }

    fn own(&self, country: &str, class: &str) -> Option<u32> {
        self.0.get(&(country.to_owned(), class.to_owned())).copied()
    }
}

/// The tax that is contained in `gross`, half up.
pub(crate) fn contained(gross: i64, rate_ppm: u32) -> i64 {
    share(gross, i64::from(rate_ppm), i64::from(MAX_PPM) + i64::from(rate_ppm))
}

/// The tax that comes on top of `net`, half up.
pub(crate) fn on_top(net: i64, rate_ppm: u32) -> i64 {
    share(net, i64::from(rate_ppm), i64::from(MAX_PPM))
}

/// `amount × part / whole`, rounded half up, for a part that is not greater than the whole; none of
/// the three is negative.
pub(crate) fn share(amount: i64, part: i64, whole: i64) -> i64 {
    let (amount, part, whole) = (i128::from(amount), i128::from(part), i128::from(whole));
    let rounded = (2 * amount * part + whole) / (2 * whole);
    // not greater than the amount, so it fits
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates() -> Rates {
        let rate = |country: &str, class: &str, rate_ppm| Rate {
            country: country.to_owned(),
            class: class.to_owned(),
            rate_ppm,
            version: 1,
        };
        Rates::new([
            rate("DE", "standard", 190_000),
            rate("DE", "reduced", 70_000),
            rate("FR", "standard", 200_000),
            rate("FR", "shipping", 50_000),
            rate("*", "standard", 10_000),
            rate("*", "shipping", 20_000),
            rate("*", "books", 30_000),
        ])
    }

    #[test]
    fn a_rate_is_the_countrys_else_that_of_elsewhere_else_nothing() {
        let rates = rates();
        let of = |country, class| rates.of(country, class);
        assert_eq!((of("DE", "standard"), of("DE", "reduced")), (190_000, 70_000));
        assert_eq!((of("DE", "books"), of("US", "standard")), (30_000, 10_000));
        assert_eq!((of("US", "reduced"), of("", "standard"), of("DE", "none")), (0, 10_000, 0));
        assert_eq!(Rates::default().of("DE", "standard"), 0);
    }

    #[test]
    fn shipping_has_its_own_class_else_the_standard_one() {
        let rates = rates();
        let of = |country| rates.of_shipping(country);
        assert_eq!((of("DE"), of("FR"), of("US"), of("")), (190_000, 50_000, 20_000, 20_000));
        assert_eq!(Rates::default().of_shipping("DE"), 0);
    }

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!([share(1, 1, 2), share(1, 1, 3), share(2, 1, 3), share(3, 1, 2)], [1, 0, 1, 2]);
        assert_eq!(share(i64::MAX, 1_000_000, 1_000_000), i64::MAX);
        assert_eq!((contained(11_900, 190_000), on_top(10_000, 190_000)), (1_900, 1_900));
        assert_eq!((contained(100, 0), on_top(100, 0), contained(0, 190_000)), (0, 0, 0));
    }

    #[test]
    fn every_broken_field_of_a_rate_is_named() {
        let rate = Rate {
            country: "XX".into(),
            class: "Best Class".into(),
            rate_ppm: 1_000_001,
            version: 0,
        };
        let fields: Vec<String> = rate.checked().unwrap_err().into_iter().map(|b| b.0).collect();
        assert_eq!(fields, ["country", "class", "rate"]);
        let fine =
            Rate { country: "de".into(), class: "Books".into(), rate_ppm: 1_000_000, version: 0 };
        let fine = fine.checked().unwrap();
        assert_eq!((fine.country.as_str(), fine.class.as_str()), ("DE", "books"));
        let settings = |country: &str| Settings {
            prices_include_tax: true,
            default_country: country.to_owned(),
            version: 1,
        };
        assert!(settings("Germany").checked().is_err());
        assert_eq!(settings(" de").checked().unwrap().default_country, "DE");
        assert_eq!(settings("").checked().unwrap().default_country, "");
    }
}
