//! Settings: compiled-in defaults → `souk.toml` → environment (`SOUK_`, `__` between levels) →
//! flags. Unknown keys and impossible values are refused with a sentence before any port opens.
mod load;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};
use souk_storage::DatabaseSettings;
use souk_values::Currency;

pub use load::{Loaded, Sources};

/// A secret: prints as `***`.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    pub fn reveal(&self) -> &str {
        &self.0
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { "***" })
    }
}
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Rules between settings that types cannot say. The sentence names the setting.
pub trait Validate {
    fn validate(&self, settings: &Settings) -> Result<(), String>;
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(pub String);

/// What all services share; a service's own section stands beside it and is read by the service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub data_dir: PathBuf,
    pub database: DatabaseSettings,
    pub bus: BusSettings,
    pub cache: CacheSettings,
    pub grpc: GrpcSettings,
    pub files: FilesSettings,
    pub log: LogSettings,
    pub shop: ShopSettings,
    pub services: BTreeMap<String, ServiceAddress>,
    pub secrets: SecretsSettings,
    pub stop: StopSettings,
    pub audit: AuditSettings,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BusSettings {
    /// `amqp://` or `amqps://`; empty: SQLite in the data directory.
    pub url: Secret,
}
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// `redis://` or `rediss://`; empty: memory.
    pub url: Secret,
}
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcSettings {
    /// Where this process answers gRPC; empty: nowhere (everything in one process).
    pub listen: Option<SocketAddr>,
    pub tls: TlsSettings,
}
/// Whether calls between processes are encrypted, and who shows a certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    #[default]
    Off,
    /// Who answers shows one.
    Tls,
    /// Who calls shows one, too.
    Mutual,
}
/// PEM files; replaced ones count from the next connection on.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    pub mode: TlsMode,
    /// The authorities that are believed.
    pub ca: PathBuf,
    /// The process's own: it names every service of the process.
    pub certificate: PathBuf,
    pub key: PathBuf,
}
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilesSettings {
    /// Folder for pictures and imports; empty: `DATA/files`.
    pub url: String,
}
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    pub level: String,
    /// "text" or "json".
    pub format: String,
    pub otlp_endpoint: String,
    pub sample_ratio: f64,
}
impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: "info,sea_orm_migration=warn".into(),
            format: "text".into(),
            otlp_endpoint: String::new(),
            sample_ratio: 1.0,
        }
    }
}
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShopSettings {
    pub name: String,
    /// ISO 4217; prices without a currency are in it.
    pub currency: String,
    /// Address of the shop as people see it, for links in letters.
    pub public_url: String,
}
impl Default for ShopSettings {
    fn default() -> Self {
        Self {
            name: "Souk".into(),
            currency: "EUR".into(),
            public_url: "http://127.0.0.1:8080".into(),
        }
    }
}
/// How the process stops: not ready at once, then `delay_s` of serving on for load balancers that
/// have not noticed, then at most `drain_s` for requests in flight.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StopSettings {
    pub delay_s: u64,
    pub drain_s: u64,
}
impl Default for StopSettings {
    fn default() -> Self {
        Self { delay_s: 0, drain_s: 10 }
    }
}
/// How long it is kept who did what.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSettings {
    /// Days; 0: for ever.
    pub retention_days: u32,
}
impl Default for AuditSettings {
    fn default() -> Self {
        Self { retention_days: 730 }
    }
}
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceAddress {
    /// `http://host:port`; `https://` with `grpc.tls.mode`, or with a TLS proxy in front of it.
    pub url: String,
}
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsSettings {
    /// Shared by all processes: proves services to one another. Generated into the data directory
    /// by default.
    pub service_token: Secret,
    /// 32 bytes, base64url: the seed of the key that signs access tokens. Generated by default.
    pub signing_key: Secret,
    /// The key before a change: what it signed is believed until it expires. Empty: none.
    pub previous_signing_key: Secret,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            database: DatabaseSettings::default(),
            bus: BusSettings::default(),
            cache: CacheSettings::default(),
            grpc: GrpcSettings::default(),
            files: FilesSettings::default(),
            log: LogSettings::default(),
            shop: ShopSettings::default(),
            services: BTreeMap::new(),
            secrets: SecretsSettings::default(),
            stop: StopSettings::default(),
            audit: AuditSettings::default(),
        }
    }
}

/// What nobody may leave in a secret.
const PLACEHOLDERS: [&str; 6] =
    ["changeme", "change-me", "secret", "password", "example", "placeholder"];

impl Settings {
    /// Rules that types cannot say.
    fn check(&self) -> Result<(), SettingsError> {
        let refuse = |text: String| Err(SettingsError(text));
        if self.shop.currency.parse::<Currency>().is_err() {
            return refuse(format!(
                "shop.currency: {:?} is not an ISO 4217 code",
                self.shop.currency
            ));
        }
        if !["text", "json"].contains(&self.log.format.as_str()) {
            return refuse("log.format must be \"text\" or \"json\"".to_owned());
        }
        if !(0.0..=1.0).contains(&self.log.sample_ratio) {
            return refuse("log.sample_ratio must be between 0 and 1".to_owned());
        }
        let schemes = [
            ("bus.url", self.bus.url.reveal(), ["amqp://", "amqps://"]),
            ("cache.url", self.cache.url.reveal(), ["redis://", "rediss://"]),
            ("shop.public_url", &self.shop.public_url, ["http://", "https://"]),
        ];
        for (name, url, allowed) in schemes {
            if !url.is_empty() && !allowed.iter().any(|scheme| url.starts_with(scheme)) {
                return refuse(format!("{name} must begin with {} or {}", allowed[0], allowed[1]));
            }
        }
        self.check_tls()?;
        if self.audit.retention_days > 36_500 {
            return refuse("audit.retention_days must be at most 36500; 0 is for ever".to_owned());
        }
        if self.stop.drain_s > 600 {
            return refuse("stop.drain_s must be at most 600".to_owned());
        }
        let secrets = [
            ("service_token", &self.secrets.service_token),
            ("signing_key", &self.secrets.signing_key),
            ("previous_signing_key", &self.secrets.previous_signing_key),
        ];
        for (name, secret) in secrets {
            let text = secret.reveal().to_ascii_lowercase();
            let needed = name != "previous_signing_key";
            if needed && self.is_networked() && text.is_empty() {
                return refuse(format!(
                    "secrets.{name} must be set when database.url names a server \
                     (32 random bytes, base64url: `openssl rand -base64 32 | tr '+/' '-_' | tr -d =`)"
                ));
            }
            if PLACEHOLDERS.iter().any(|p| text.contains(p))
                || (!text.is_empty() && text.len() < 32)
            {
                return refuse(format!(
                    "secrets.{name} is a placeholder or too short: at least 32 characters"
                ));
            }
        }
        Ok(())
    }

    /// With TLS all files are named, and no neighbor is called in plain text.
    fn check_tls(&self) -> Result<(), SettingsError> {
        let tls = &self.grpc.tls;
        if tls.mode == TlsMode::Off {
            return Ok(());
        }
        let files = [("ca", &tls.ca), ("certificate", &tls.certificate), ("key", &tls.key)];
        for (name, path) in files {
            if path.as_os_str().is_empty() {
                return Err(SettingsError(format!(
                    "grpc.tls.{name} must be set unless grpc.tls.mode is \"off\" \
                     (`souk certs` makes certificates)"
                )));
            }
        }
        for (name, address) in &self.services {
            if !address.url.is_empty() && !address.url.starts_with("https://") {
                return Err(SettingsError(format!(
                    "services.{name}.url must begin with https:// unless grpc.tls.mode is \"off\""
                )));
            }
        }
        Ok(())
    }

    /// Whether the data lie on a database server: a production installation.
    pub fn is_networked(&self) -> bool {
        self.database.url.starts_with("postgres")
    }

    pub fn files_dir(&self) -> PathBuf {
        if self.files.url.is_empty() {
            self.data_dir.join("files")
        } else {
            PathBuf::from(&self.files.url)
        }
    }
}
