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
mod api_key;
mod audit;
mod avatar;
mod block;
mod brake;
mod change;
mod check;
mod data_request;
mod devices;
mod email_change;
mod ended_sessions;
mod everything;
mod first_admin;
mod grace;
mod group_action;
mod house;
mod housekeeping;
mod idle;
mod imported_hash;
mod known_device;
mod login;
mod mailed;
mod newsletter;
mod password;
mod people;
mod race;
mod refresh;
mod registration;
mod reset;
mod resume;
mod roles;
mod rotation;
mod second_factor;
mod second_factor_required;
mod told;
mod won_back;

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
