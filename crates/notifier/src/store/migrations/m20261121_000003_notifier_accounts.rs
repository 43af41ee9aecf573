//! Letters of accounts: what they say is asked of accounts when they are sent, and is in no table.
#![allow(
    elided_lifetimes_in_paths,
    reason = "async_trait needs the lifetimes as the trait has them"
)]
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text_null, timestamp_with_time_zone_null, uuid_null};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column a statement
        for column in [
            uuid_null("request_id"),
            text_null("kind"),
            timestamp_with_time_zone_null("expires_at"),
        ] {
            let alter = Table::alter().table("letter").add_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["request_id", "kind", "expires_at"] {
            let alter = Table::alter().table("letter").drop_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}
