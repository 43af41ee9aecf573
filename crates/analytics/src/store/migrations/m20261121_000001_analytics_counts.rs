//! Counts of views and changes, viewers by day, products seen.
#![allow(elided_lifetimes_in_paths, reason = "the trait's signature, as async_trait reads it")]

use sea_orm::{DatabaseBackend, DbErr};
use sea_orm_migration::prelude::{Index, Table, TableCreateStatement};
use sea_orm_migration::schema::{big_integer, big_integer_null, boolean, text, uuid};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261121_000001_analytics_counts"
    }
}

const TABLES: [&str; 6] =
    ["view_hour", "view_day", "viewer_day", "visitor_day", "product_seen", "product_change_day"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sqlite = manager.get_database_backend() == DatabaseBackend::Sqlite;
        for mut table in tables() {
            if sqlite {
                // the key is the table: one tree to write instead of two
                table.extra("WITHOUT ROWID");
            }
            manager.create_table(table).await?;
        }
        for (table, at) in [("view_hour", "hour"), ("view_day", "day")] {
            let of_product = Index::create()
                .name(format!("idx_{table}_product"))
                .table(table)
                .col("product_id")
                .col(at)
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
        Table::create()
            .table("view_hour")
            .col(big_integer("hour"))
            .col(uuid("product_id"))
            .col(big_integer("views"))
            .primary_key(Index::create().col("hour").col("product_id"))
            .to_owned(),
        Table::create()
            .table("view_day")
            .col(big_integer("day"))
            .col(uuid("product_id"))
            .col(big_integer("views"))
            .primary_key(Index::create().col("day").col("product_id"))
            .to_owned(),
        Table::create()
            .table("viewer_day")
            .col(big_integer("day"))
            .col(uuid("product_id"))
            .col(text("viewer"))
            .col(big_integer("views"))
            .col(big_integer("first_at"))
            .col(big_integer("last_at"))
            .primary_key(Index::create().col("day").col("product_id").col("viewer"))
            .to_owned(),
        Table::create()
            .table("visitor_day")
            .col(big_integer("day"))
            .col(text("viewer"))
            .col(big_integer("views"))
            .primary_key(Index::create().col("day").col("viewer"))
            .to_owned(),
        Table::create()
            .table("product_seen")
            .col(uuid("product_id").primary_key())
            .col(text("sku"))
            .col(text("name"))
            .col(boolean("active"))
            .col(big_integer_null("stock"))
            .col(big_integer("epoch"))
            .col(big_integer("version"))
            .col(big_integer("stock_epoch"))
            .col(big_integer("stock_seq"))
            .to_owned(),
        Table::create()
            .table("product_change_day")
            .col(big_integer("day").primary_key())
            .col(big_integer("changes"))
            .to_owned(),
    ]
}
