//! The frame of a process: settings, lifecycle, health, and what a service may use.

mod descriptors;
mod frame;
mod health;
mod house;
mod http;
mod integrity;
mod lock;
mod operations;
pub mod personal;
mod secrets;
mod settings;
mod standalone;
mod tls;

pub use frame::{Frame, Listener, Parts, Schedule, Serve, Service, Task};
pub use health::{PartHealth, Readiness};
pub use house::{Blueprint, House, ORDER, blueprint};
pub use http::{HttpBounds, Lent, serve_http};
pub use integrity::{Found, Invariant};
pub use lock::{DataLock, LockError};
pub use settings::{
    AuditSettings, BusSettings, CacheSettings, FilesSettings, GrpcSettings, Loaded, LogSettings,
    Secret, SecretsSettings, ServiceAddress, Settings, SettingsError, ShopSettings, Sources,
    StopSettings, TlsMode, TlsSettings, Validate,
};
pub use standalone::{install_tls, main, signal};
pub use tls::tls;
