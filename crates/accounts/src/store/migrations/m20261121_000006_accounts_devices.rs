//! Sessions become devices: a name, a network, how long they last without a visit, and the secret of
//! a browser's cookie.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table,
};
use sea_orm_migration::schema::{binary_null, boolean, string, timestamp_with_time_zone_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const SECRET: &str = "session_secret_hash";

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time, and no unique one
        for (table, column) in [
            ("session", string("device").default("").to_owned()),
            ("session", string("network").default("").to_owned()),
            // what was opened before was promised to last
            ("session", boolean("remember").default(true).to_owned()),
            ("session", binary_null("secret_hash").to_owned()),
            ("session", timestamp_with_time_zone_null("second_factor_at").to_owned()),
            ("account", timestamp_with_time_zone_null("last_login_at").to_owned()),
        ] {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        let by_secret =
            Index::create().name(SECRET).table("session").col("secret_hash").unique().to_owned();
        manager.create_index(by_secret).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(SECRET).table("session").to_owned()).await?;
        for (table, column) in [
            ("account", "last_login_at"),
            ("session", "second_factor_at"),
            ("session", "secret_hash"),
            ("session", "remember"),
            ("session", "network"),
            ("session", "device"),
        ] {
            let alter = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}
