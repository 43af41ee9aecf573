//! The frame of a process: settings, lifecycle, health, and what a service may use.

mod frame;
mod operations;
mod run;
mod settings;

pub use frame::{Frame, Listener, Parts, Schedule, Service};
pub use run::{House, HouseError};
pub use settings::{Loaded, Secret, Settings, SettingsError, Sources, Validate};
