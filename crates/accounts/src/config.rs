//! The section `[accounts]`: lifetimes of tokens, and what a password hash costs.

use serde::Deserialize;
use souk_service::{Settings, Validate};

/// Settings of this service; `config.default.toml` says the same with a sentence each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long an access token is good, in minutes: 1 to 60.
    pub access_token_minutes: u32,
    /// How long a session lasts without a new login, in days: 1 to 365.
    pub refresh_token_days: u32,
    pub argon2: Argon2Config,
}

/// The cost of one Argon2id hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Argon2Config {
    /// Memory in KiB: 64 to 1048576.
    pub memory_kib: u32,
    /// Passes over the memory: 1 to 64.
    pub iterations: u32,
    /// Lanes: 1 to 16.
    pub parallelism: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { access_token_minutes: 10, refresh_token_days: 30, argon2: Argon2Config::default() }
    }
}

impl Default for Argon2Config {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl Validate for Config {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        self.check()
    }
}

impl Config {
    fn check(&self) -> Result<(), String> {
        let argon2 = &self.argon2;
        for (name, value, least, most) in [
            ("access_token_minutes", self.access_token_minutes, 1, 60),
            ("refresh_token_days", self.refresh_token_days, 1, 365),
            ("argon2.memory_kib", argon2.memory_kib, 64, 1_048_576),
            ("argon2.iterations", argon2.iterations, 1, 64),
            ("argon2.parallelism", argon2.parallelism, 1, 16),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!(
                    "accounts.{name} is {value} but must be between {least} and {most}"
                ));
            }
        }
        if argon2.memory_kib < 8 * argon2.parallelism {
            return Err(format!(
                "accounts.argon2.memory_kib must be at least {} for {} lanes",
                8 * argon2.parallelism,
                argon2.parallelism
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_says_what_the_code_does() {
        #[derive(Deserialize)]
        struct File {
            accounts: Config,
        }
        let file: File = toml::from_str(include_str!("../config.default.toml")).unwrap();
        assert_eq!(file.accounts, Config::default());
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn impossible_values_are_refused_with_the_name_of_the_setting() {
        let long = Config { access_token_minutes: 61, ..Config::default() };
        let sentence = "accounts.access_token_minutes is 61 but must be between 1 and 60";
        assert_eq!(long.check(), Err(sentence.to_owned()));
        let weak = Argon2Config { memory_kib: 8, ..Argon2Config::default() };
        let weak = Config { argon2: weak, ..Config::default() };
        assert!(weak.check().unwrap_err().contains("accounts.argon2.memory_kib"));
        let wide = Argon2Config { memory_kib: 64, iterations: 1, parallelism: 16 };
        let wide = Config { argon2: wide, ..Config::default() };
        assert!(wide.check().unwrap_err().contains("at least 128"));
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(toml::from_str::<Config>("acess_token_minutes = 5").is_err());
    }
}
