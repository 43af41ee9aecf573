//! Tests only: a shop to play in, the real program as a process, back ends of one's own, what is
//! said to the log, a fake SES, a fake Stripe.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests only: a stage that cannot be set ends the test at once"
)]

pub mod client;
pub mod ground;
pub mod letter;
pub mod log;
pub mod odd;
pub mod people;
mod ports;
pub mod process;
pub mod ses;
pub mod shop;
mod split;
pub mod storehouse;
pub mod stripe;
pub mod tap;
mod wait;

pub use client::{Answer, Client};
pub use ground::{Ground, Running};
pub use ports::free_address;
pub use process::{Process, ProcessPlan};
pub use shop::{Shop, ShopPlan};
pub use storehouse::{Backend, Storehouse};
pub use wait::{eventually, until_some};

/// Makes two tests of each journey: `default::name` and `servers::name`.
///
/// A journey is an `async fn name(backend: Backend)`.
#[macro_export]
macro_rules! journeys {
    ($($name:ident),+ $(,)?) => {
        mod default {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                Box::pin(super::$name($crate::Backend::Default)).await;
            })+
        }
        mod servers {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                Box::pin(super::$name($crate::Backend::Servers)).await;
            })+
        }
    };
}
