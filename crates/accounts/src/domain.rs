//! The rules about people and sessions: pure, without input, output or clock.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod brake;
pub(crate) mod role;
pub(crate) mod session;
