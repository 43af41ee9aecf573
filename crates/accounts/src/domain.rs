//! The rules about people and sessions: pure, without input, output or clock.

pub(crate) mod account;
pub(crate) mod address;
pub(crate) mod api_key;
pub(crate) mod avatar;
pub(crate) mod block;
pub(crate) mod brake;
pub(crate) mod code;
pub(crate) mod common_password;
pub(crate) mod data_request;
pub(crate) mod device;
pub(crate) mod group_action;
pub(crate) mod mail;
pub(crate) mod newsletter;
pub(crate) mod registration;
pub(crate) mod role;
pub(crate) mod second_factor;
pub(crate) mod session;
pub(crate) mod word;
