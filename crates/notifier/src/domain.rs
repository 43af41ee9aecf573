//! The rules of letters, pure: what a change is, who waits for a digest, when to try again.

pub mod change;
pub mod letter;
pub mod newsletter;
pub mod order;
pub mod pace;
pub mod request;
pub mod retry;
pub mod text;
