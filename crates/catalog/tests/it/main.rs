//! The catalogue in a house of its own, through its generated clients, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod audit;
mod batch;
mod category;
mod check;
mod crash;
mod demo;
mod door;
mod event;
mod export;
mod files;
mod idempotency;
mod image;
mod import;
mod list;
mod paging;
mod product;
mod shop;
mod shopify;
mod stock;
mod stock_door;
mod stock_low;
mod stock_order;
mod stock_product;
mod stock_race;

/// Runs each test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let shop = crate::shop::Shop::sqlite().await;
                super::$test(&shop).await;
                shop.close().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let shop = crate::shop::Shop::postgres().await;
                super::$test(&shop).await;
                shop.close().await;
            })*
        }
    };
}
pub(crate) use on_both;
