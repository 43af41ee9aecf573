//! The frame of a process: settings, lifecycle, health, and what a service may use.

mod frame;
mod health;
mod house;
mod http;
mod integrity;
mod lock;
mod operations;
mod secrets;
mod settings;
mod standalone;

pub use frame::{Frame, Listener, Parts, Schedule, Serve, Service, Task};
pub use health::{PartHealth, Readiness};
pub use house::{Blueprint, House, ORDER, blueprint};
pub use http::{Lent, serve_http};
pub use integrity::{Found, Invariant};
pub use lock::{DataLock, LockError};
pub use settings::{
    BusSettings, CacheSettings, FilesSettings, GrpcSettings, Loaded, LogSettings, Secret,
    SecretsSettings, ServiceAddress, Settings, SettingsError, ShopSettings, Sources, StopSettings,
    Validate,
};
pub use standalone::{install_tls, main, signal};
