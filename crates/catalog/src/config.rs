//! Settings of the catalogue.
use chrono::TimeDelta;
use serde::Deserialize;
use souk_service::{Settings, Validate};

use crate::app::stock::StockRules;

/// `[catalog]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long an order's reservation is held, in seconds: 10 to 86400.
    pub reservation_ttl: u32,
    /// At or below so many that can be bought a product's stock is low: 0 (never) to 1000000000. A
    /// product has a threshold of its own by its attribute `low_stock_at`.
    pub low_stock: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { reservation_ttl: 900, low_stock: 5 }
    }
}

impl Validate for Config {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        self.check()
    }
}

impl Config {
    pub(crate) fn stock_rules(&self) -> StockRules {
        StockRules {
            ttl: TimeDelta::seconds(self.reservation_ttl.into()),
            low: self.low_stock.into(),
        }
    }

    fn check(&self) -> Result<(), String> {
        for (name, value, least, most) in [
            ("reservation_ttl", self.reservation_ttl, 10, 86_400),
            ("low_stock", self.low_stock, 0, 1_000_000_000),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "catalog.{name} is {value} but must be between {least} and {most}"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_values_are_refused_with_the_name_of_the_setting() {
        assert_eq!(Config::default().check(), Ok(()));
        for (ttl, low, sentence) in [
            (9, 5, "catalog.reservation_ttl is 9 but must be between 10 and 86400"),
            (86_401, 5, "catalog.reservation_ttl is 86401 but must be between 10 and 86400"),
            (
                900,
                1_000_000_001,
                "catalog.low_stock is 1000000001 but must be between 0 and 1000000000",
            ),
        ] {
            let config = Config { reservation_ttl: ttl, low_stock: low };
            assert_eq!(config.check(), Err(sentence.to_owned()));
        }
        assert!(toml::from_str::<Config>("reservation_tll = 5").is_err());
    }
}
