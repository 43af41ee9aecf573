//! Newsletters, and which of them a letter is.
#![allow(
    elided_lifetimes_in_paths,
    reason = "async_trait needs the lifetimes as the trait has them"
)]
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, json_binary_null, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const BY_NEWSLETTER: &str = "idx_letter_newsletter_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let newsletter = Table::create()
            .table("newsletter")
            .col(uuid("id").primary_key())
            .col(text("subject"))
            .col(text("text"))
            .col(boolean("with_products"))
            .col(json_binary_null("products"))
            .col(text("status"))
            .col(big_integer("version"))
            .col(text("created_by"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .col(uuid_null("job_id"))
            .col(timestamp_with_time_zone_null("sent_at"))
            .to_owned();
        manager.create_table(newsletter).await?;
        let column =
            Table::alter().table("letter").add_column(uuid_null("newsletter_id")).to_owned();
        manager.alter_table(column).await?;
        let index = Index::create()
            .name(BY_NEWSLETTER)
            .table("letter")
            .col("newsletter_id")
            .col("status")
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name(BY_NEWSLETTER).table("letter").to_owned();
        manager.drop_index(index).await?;
        let column = Table::alter().table("letter").drop_column("newsletter_id").to_owned();
        manager.alter_table(column).await?;
        manager.drop_table(Table::drop().table("newsletter").to_owned()).await
    }
}
