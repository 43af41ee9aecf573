//! Pictures as strangers send them: good, turned, broken, pretended, far too large.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod drawn;
mod workshop;
