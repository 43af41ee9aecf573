//! Gathering settings from their layers and handing each part to its owner.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;
use souk_storage::DatabaseSettings;

use super::{Settings, SettingsError};

/// Sections that belong to one service each; a process that lacks the service leaves them unread.
const SERVICES: [&str; 6] = ["gateway", "catalog", "accounts", "orders", "notifier", "analytics"];
/// Top-level sections that operators know by these names, and the service that reads them.
const LENT: [(&str, &str); 4] =
    [("mail", "notifier"), ("ses", "notifier"), ("payments", "orders"), ("stripe", "orders")];
/// Variables with the prefix that are no settings.
const RESERVED: [&str; 3] = ["admin_", "test_", "prove"];
const RESERVED_EXACT: [&str; 2] = ["url", "crash_at"];

/// Where settings come from, weakest first: compiled-in defaults, `file`, the environment, `flags`.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`; must exist when given. Without it, `souk.toml` in the working directory is read
    /// if there is one.
    pub file: Option<PathBuf>,
    /// Whether `SOUK_…` variables count.
    pub environment: bool,
    /// (`gateway.listen`, value) of the command line, and of tests.
    pub flags: Vec<(String, String)>,
}

/// All settings, read and typed so far as the shared part goes.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    sections: Dict,
}

impl Sources {
    /// Reads all layers. Fails on unknown keys and on values of the wrong type.
    pub fn load(&self) -> Result<Loaded, SettingsError> {
        let mut figment = Figment::from(Serialized::defaults(Settings::default()));
        match &self.file {
            Some(file) if !file.is_file() => {
                return Err(SettingsError(format!("{} does not exist", file.display())));
            }
            Some(file) => figment = figment.merge(Toml::file_exact(file)),
            None if Path::new("souk.toml").is_file() => {
                figment = figment.merge(Toml::file_exact("souk.toml"));
            }
            None => {}
        }
        if self.environment {
            let known = |key: &figment::value::UncasedStr| {
                let key = key.as_str().to_ascii_lowercase();
                !RESERVED_EXACT.contains(&key.as_str())
                    && !RESERVED.iter().any(|r| key.starts_with(r) && !key.contains("__"))
            };
            figment = figment.merge(Env::prefixed("SOUK_").filter(known).split("__"));
        }
        for (key, value) in &self.flags {
            let value: Value =
                value.parse().unwrap_or_else(|e: std::convert::Infallible| match e {});
            figment = figment.merge((key.as_str(), value));
        }
        let all: Dict = figment.extract().map_err(|e| sentence(&e, ""))?;
        Loaded::sort(all)
    }
}

impl Loaded {
    fn sort(all: Dict) -> Result<Self, SettingsError> {
        let mut sections = Dict::new();
        let mut shared = Dict::new();
        for (key, value) in all {
            if SERVICES.contains(&key.as_str()) || LENT.iter().any(|(name, _)| *name == key) {
                sections.insert(key, value);
            } else {
                shared.insert(key, value);
            }
        }
        for (name, owner) in LENT {
            let Some(value) = sections.remove(name) else { continue };
            let section =
                sections.entry(owner.to_owned()).or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, dict) = section {
                merge(dict, name, value);
            }
        }
        let settings: Settings = typed(shared, "")?;
        settings.check()?;
        Ok(Self { settings, sections })
    }

    /// A service's own section; defaults fill what is not set.
    pub fn section<T: DeserializeOwned>(&self, service: &str) -> Result<T, SettingsError> {
        let mut dict = self.dict(service)?;
        dict.remove("database");
        typed(dict, service)
    }

    /// `<service>.database` over the shared `database`.
    pub fn database(&self, service: &str) -> Result<DatabaseSettings, SettingsError> {
        match self.dict(service)?.remove("database") {
            Some(Value::Dict(_, own)) => {
                let mut merged: DatabaseSettings = typed(own, &format!("{service}.database"))?;
                if merged.url.is_empty() {
                    merged.url.clone_from(&self.settings.database.url);
                }
                if merged.replica_url.is_empty() {
                    merged.replica_url.clone_from(&self.settings.database.replica_url);
                }
                Ok(merged)
            }
            Some(_) => Err(SettingsError(format!("{service}.database must be a section"))),
            None => Ok(self.settings.database.clone()),
        }
    }

    fn dict(&self, service: &str) -> Result<Dict, SettingsError> {
        match self.sections.get(service) {
            Some(Value::Dict(_, dict)) => Ok(dict.clone()),
            Some(_) => Err(SettingsError(format!("{service} must be a section"))),
            None => Ok(Dict::new()),
        }
    }

    /// Names of the service sections that are set.
    pub fn section_names(&self) -> BTreeSet<&str> {
        self.sections.keys().map(String::as_str).collect()
    }

    /// Everything that was set, as JSON, secrets hidden.
    pub fn shown(&self) -> serde_json::Value {
        let mut all = serde_json::to_value(&self.settings).unwrap_or_default();
        if let Some(map) = all.as_object_mut() {
            for (name, value) in &self.sections {
                map.insert(name.clone(), serde_json::to_value(value).unwrap_or_default());
            }
        }
        hide(&mut all, "");
        all
    }
}

/// Lays a lent section under what the owner's own section says of the same name.
fn merge(dict: &mut Dict, name: &str, value: Value) {
    match (dict.remove(name), value) {
        (Some(Value::Dict(tag, own)), Value::Dict(_, mut lent)) => {
            lent.extend(own);
            dict.insert(name.to_owned(), Value::Dict(tag, lent));
        }
        (_, value) => {
            dict.insert(name.to_owned(), value);
        }
    }
}

fn typed<T: DeserializeOwned>(dict: Dict, section: &str) -> Result<T, SettingsError> {
    Figment::from(Serialized::globals(dict)).extract().map_err(|e| sentence(&e, section))
}

/// One sentence: which key, and what is wrong with it.
fn sentence(error: &figment::Error, section: &str) -> SettingsError {
    let each = error.clone().into_iter().map(|e| {
        let mut key: Vec<&str> = if section.is_empty() { vec![] } else { vec![section] };
        key.extend(e.path.iter().map(String::as_str));
        if key.is_empty() { e.kind.to_string() } else { format!("{}: {}", key.join("."), e.kind) }
    });
    SettingsError(each.collect::<Vec<_>>().join("; "))
}

/// Hides what may be a secret: by name, and passwords inside URLs.
fn hide(value: &mut serde_json::Value, name: &str) {
    use serde_json::Value as Json;
    let secret_name = ["secret", "password", "token", "key"].iter().any(|w| name.contains(w));
    match value {
        Json::Object(map) => map.iter_mut().for_each(|(k, v)| hide(v, k)),
        Json::Array(items) => items.iter_mut().for_each(|v| hide(v, name)),
        Json::String(text) if secret_name && !text.is_empty() => *text = "***".to_owned(),
        Json::String(text) => {
            if let Some((scheme, rest)) = text.split_once("://")
                && let Some((login, host)) = rest.rsplit_once('@')
            {
                let user = login.split(':').next().unwrap_or_default();
                *text = format!("{scheme}://{user}:***@{host}");
            }
        }
        _ => {}
    }
}
