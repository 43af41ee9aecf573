//! The service through its generated clients, behind the same stack as in production, on both
//! databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod account;
mod address;
mod change;
mod check;
mod first_admin;
mod house;
mod housekeeping;
mod login;
mod people;
mod race;
mod refresh;

/// Runs each test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&crate::house::House::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let house = crate::house::House::postgres().await;
                super::$test(&house).await;
                house.demolish().await;
            })*
        }
    };
}
pub(crate) use on_both;
