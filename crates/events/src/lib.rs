//! Events: envelope, outbox, relay, bus (RabbitMQ or SQLite), consumer, inbox, dead letters.
//!
//! A change and its event are committed together (outbox); one relay a service publishes what is committed and
//! believes only the bus's confirmation; a consumer's effect and its inbox row are committed together, then acknowledged.
//! So: delivered at least once, effective once.

pub mod bus;
pub mod consumer;
pub mod crash;
pub mod dead_letter;
mod envelope;
mod migrations;
pub mod outbox;
mod readable;
pub mod registry;
mod relay;

pub use bus::{Bus, BusError, QueueSpec, Signal};
pub use consumer::{Consumer, HandleError, Handler};
pub use envelope::{Envelope, NewEvent};
pub use migrations::migrations;
pub use outbox::Outbox;
pub use readable::readable;
pub use relay::Relay;
