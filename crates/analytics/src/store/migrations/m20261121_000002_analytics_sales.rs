//! Sales: the steps of orders that were heard of, what they come to, and the sums of days.
#![allow(elided_lifetimes_in_paths, reason = "the trait's signature, as async_trait reads it")]

use sea_orm::{DatabaseBackend, DbErr};
use sea_orm_migration::prelude::{Index, Table, TableCreateStatement};
use sea_orm_migration::schema::{big_integer, json_binary, text, uuid};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000002_analytics_sales"
    }
}

const TABLES: [&str; 6] =
    ["sale_order", "sale_step", "order_sale", "product_sale", "order_day", "product_day"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sqlite = manager.get_database_backend() == DatabaseBackend::Sqlite;
        for mut table in tables() {
            if sqlite {
                table.extra("WITHOUT ROWID");
            }
            manager.create_table(table).await?;
        }
        let by_day =
            Index::create().name("idx_order_sale_day").table("order_sale").col("day").to_owned();
        manager.create_index(by_day).await?;
        for table in ["product_sale", "product_day"] {
            let of_product = Index::create()
                .name(format!("idx_{table}_product"))
                .table(table)
                .col("product_id")
                .col("day")
                .to_owned();
            manager.create_index(of_product).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES.into_iter().rev() {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn tables() -> [TableCreateStatement; 6] {
    [
        // its row is the lock under which an order is counted
        Table::create()
            .table("sale_order")
            .col(uuid("order_id").primary_key())
            .col(uuid("user_id"))
            .col(big_integer("steps"))
            .to_owned(),
        Table::create()
            .table("sale_step")
            .col(uuid("order_id"))
            .col(big_integer("version"))
            .col(big_integer("epoch"))
            .col(json_binary("told"))
            .primary_key(Index::create().col("order_id").col("version"))
            .to_owned(),
        figures("order_sale")
            .col(uuid("order_id"))
            .primary_key(Index::create().col("order_id").col("day"))
            .to_owned(),
        figures("product_sale")
            .col(uuid("order_id"))
            .col(uuid("product_id"))
            .primary_key(Index::create().col("order_id").col("day").col("product_id"))
            .to_owned(),
        figures("order_day").primary_key(Index::create().col("day").col("currency")).to_owned(),
        figures("product_day")
            .col(uuid("product_id"))
            .primary_key(Index::create().col("day").col("product_id").col("currency"))
            .to_owned(),
    ]
}

fn figures(table: &'static str) -> TableCreateStatement {
    Table::create()
        .table(table)
        .col(big_integer("day"))
        .col(text("currency"))
        .col(big_integer("orders"))
        .col(big_integer("units"))
        .col(big_integer("revenue"))
        .to_owned()
}
