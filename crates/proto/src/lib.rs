//! Generated messages, clients and servers of every contract in `proto/`; no logic.
//!
//! Nothing here is in git: `build.rs` makes it from the `.proto` files, whose comments are the
//! documentation.
#![allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::disallowed_methods,
    reason = "generated code"
)]

mod masked;

include!(concat!(env!("OUT_DIR"), "/souk.rs"));
pub use souk::*;

/// The compiled `FileDescriptorSet` of all contracts.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/souk.descriptors.bin"));
