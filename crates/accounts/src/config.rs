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
    /// Minutes without a visit after which a session ends that is not remembered: 1 to 1440.
    pub idle_minutes: u32,
    /// How long a session of somebody who holds any permission lasts, in hours: 1 to 168.
    pub staff_session_hours: u32,
    /// Live sessions of one account: 1 to 50.
    pub max_devices: u32,
    /// Days for which a device is known without another login on it: 1 to 365.
    pub known_device_days: u32,
    /// Whether those who hold any permission must have a second factor.
    pub admin_second_factor: AdminSecondFactor,
    pub registration: Registration,
    /// Days for which deactivated accounts are kept from `delete_inactive`: 0 to 3650.
    pub inactive_kept_days: u32,
    pub group_actions: GroupActions,
    pub personal_data: PersonalData,
    pub brake: Brake,
    pub argon2: Argon2Config,
}

/// Actions over many accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupActions {
    pub delay_s: Delays,
}

/// Seconds before an action begins, in which it can be cancelled: 0 to 86400.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delays {
    pub activate: u32,
    pub deactivate: u32,
    pub block: u32,
    pub delete: u32,
    pub delete_inactive: u32,
    pub send_test_mail: u32,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            activate: 0,
            deactivate: 10,
            block: 10,
            delete: 60,
            delete_inactive: 60,
            send_test_mail: 0,
        }
    }
}

/// What people may ask of all that is kept of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PersonalData {
    /// Days for which the file with everything is there: 1 to 90.
    pub export_kept_days: u32,
    /// Seconds before an erasure begins, in which it can be taken back: 0 to 7776000.
    pub erasure_delay_s: u32,
    /// Seconds until it is asked again whether somebody may be erased: 1 to 86400.
    pub recheck_s: u32,
    /// Seconds until what was on its way meanwhile is erased, too; 0: nobody looks; to 86400.
    pub second_look_s: u32,
}

impl Default for PersonalData {
    fn default() -> Self {
        Self { export_kept_days: 7, erasure_delay_s: 604_800, recheck_s: 3_600, second_look_s: 60 }
    }
}

/// What becomes of those who guess passwords.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Brake {
    /// Whether a network with more than 300 failed logins in an hour is blocked for an hour.
    pub network_block: bool,
}

impl Default for Brake {
    fn default() -> Self {
        Self { network_block: true }
    }
}

/// Whether admins must have a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminSecondFactor {
    /// Where the people are in a database on a server.
    Auto,
    Off,
    Required,
}

impl AdminSecondFactor {
    /// `networked`: the database is on a server.
    pub(crate) fn is_required(self, networked: bool) -> bool {
        match self {
            Self::Auto => networked,
            Self::Off => false,
            Self::Required => true,
        }
    }
}

/// How people become customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// By the code that is mailed to their address.
    Code,
    /// At once.
    Open,
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
        Self {
            access_token_minutes: 10,
            refresh_token_days: 30,
            idle_minutes: 30,
            staff_session_hours: 12,
            max_devices: 3,
            known_device_days: 180,
            admin_second_factor: AdminSecondFactor::Auto,
            registration: Registration::Code,
            inactive_kept_days: 0,
            group_actions: GroupActions::default(),
            personal_data: PersonalData::default(),
            brake: Brake::default(),
            argon2: Argon2Config::default(),
        }
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
    /// Seconds for which a device is known without another login on it.
    pub(crate) fn known_device_s(&self) -> u32 {
        self.known_device_days * 86_400
    }

    fn check(&self) -> Result<(), String> {
        let argon2 = &self.argon2;
        let delays = &self.group_actions.delay_s;
        let personal = &self.personal_data;
        for (name, value, least, most) in [
            ("access_token_minutes", self.access_token_minutes, 1, 60),
            ("refresh_token_days", self.refresh_token_days, 1, 365),
            ("idle_minutes", self.idle_minutes, 1, 1440),
            ("staff_session_hours", self.staff_session_hours, 1, 168),
            ("max_devices", self.max_devices, 1, 50),
            ("known_device_days", self.known_device_days, 1, 365),
            ("inactive_kept_days", self.inactive_kept_days, 0, 3650),
            ("group_actions.delay_s.activate", delays.activate, 0, 86_400),
            ("group_actions.delay_s.deactivate", delays.deactivate, 0, 86_400),
            ("group_actions.delay_s.block", delays.block, 0, 86_400),
            ("group_actions.delay_s.delete", delays.delete, 0, 86_400),
            ("group_actions.delay_s.delete_inactive", delays.delete_inactive, 0, 86_400),
            ("group_actions.delay_s.send_test_mail", delays.send_test_mail, 0, 86_400),
            ("personal_data.export_kept_days", personal.export_kept_days, 1, 90),
            ("personal_data.erasure_delay_s", personal.erasure_delay_s, 0, 7_776_000),
            ("personal_data.recheck_s", personal.recheck_s, 1, 86_400),
            ("personal_data.second_look_s", personal.second_look_s, 0, 86_400),
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
        for days in [0, 366] {
            let long = Config { known_device_days: days, ..Config::default() };
            assert!(long.check().unwrap_err().contains("accounts.known_device_days is"));
        }
        let delay_s = Delays { delete: 86_401, ..Delays::default() };
        let slow = Config { group_actions: GroupActions { delay_s }, ..Config::default() };
        assert!(slow.check().unwrap_err().contains("accounts.group_actions.delay_s.delete is"));
        let wide = Argon2Config { memory_kib: 64, iterations: 1, parallelism: 16 };
        let wide = Config { argon2: wide, ..Config::default() };
        assert!(wide.check().unwrap_err().contains("at least 128"));
    }

    #[test]
    fn admins_need_a_second_factor_where_the_setting_or_the_database_says_so() {
        for (word, on_a_server, on_a_laptop) in
            [("auto", true, false), ("off", false, false), ("required", true, true)]
        {
            let text = format!("admin_second_factor = \"{word}\"");
            let setting = toml::from_str::<Config>(&text).unwrap().admin_second_factor;
            let required = [setting.is_required(true), setting.is_required(false)];
            assert_eq!(required, [on_a_server, on_a_laptop], "{word}");
        }
        assert!(toml::from_str::<Config>("admin_second_factor = \"maybe\"").is_err());
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(toml::from_str::<Config>("acess_token_minutes = 5").is_err());
    }
}
