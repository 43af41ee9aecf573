//! Settings of analytics: how long details are kept.
use serde::Deserialize;
use souk_service::{Settings, Validate};

use crate::app::Kept;

/// `[analytics]`; `config.default.toml` says the same with a sentence each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Days for which it is known who saw what: 1 to 3660.
    pub viewer_days_kept: u32,
    /// Days for which views are known by the hour: 92 to 3660.
    pub hour_days_kept: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { viewer_days_kept: 400, hour_days_kept: 400 }
    }
}

impl Validate for Config {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        self.check()
    }
}

impl Config {
    fn check(&self) -> Result<(), String> {
        for (name, value, least) in [
            ("viewer_days_kept", self.viewer_days_kept, 1),
            ("hour_days_kept", self.hour_days_kept, 92),
        ] {
            if !(least..=3_660).contains(&value) {
                return Err(format!(
                    "analytics.{name} is {value} but must be between {least} and 3660"
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn kept(&self) -> Kept {
        Kept { viewer_days: self.viewer_days_kept, hour_days: self.hour_days_kept }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_says_what_the_code_does() {
        #[derive(Deserialize)]
        struct File {
            analytics: Config,
        }
        let file: File = toml::from_str(include_str!("../config.default.toml")).unwrap();
        assert_eq!(file.analytics, Config::default());
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn impossible_values_are_refused_with_the_name_of_the_setting() {
        let never = Config { viewer_days_kept: 0, ..Config::default() };
        let sentence = "analytics.viewer_days_kept is 0 but must be between 1 and 3660";
        assert_eq!(never.check(), Err(sentence.to_owned()));
        let short = Config { hour_days_kept: 91, ..Config::default() };
        assert!(short.check().unwrap_err().starts_with("analytics.hour_days_kept is 91"));
        assert!(toml::from_str::<Config>("viewer_days = 5").is_err());
    }
}
