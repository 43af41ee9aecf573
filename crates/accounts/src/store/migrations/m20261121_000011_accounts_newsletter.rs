//! Who may be sent the newsletter.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Index, MigrationTrait, SchemaManager, Table,
};
use sea_orm_migration::schema::{
    big_integer, binary_null, pk_uuid, string, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLE: &str = "newsletter_subscriber";

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let subscriber = Table::create()
            .table(TABLE)
            .col(pk_uuid("id"))
            .col(string("email"))
            .col(string("email_folded"))
            .col(string("status"))
            .col(string("how"))
            .col(string("text_version"))
            .col(binary_null("token_hash"))
            .col(uuid_null("mail_request"))
            .col(timestamp_with_time_zone_null("expires_at"))
            .col(big_integer("letters"))
            .col(timestamp_with_time_zone("letters_since"))
            .col(timestamp_with_time_zone("asked_at"))
            .col(timestamp_with_time_zone_null("confirmed_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(string("ended_by"))
            .to_owned();
        manager.create_table(subscriber).await?;
        for column in ["email_folded", "token_hash"] {
            let unique = Index::create()
                .unique()
                .name(format!("{TABLE}_{column}"))
                .table(TABLE)
                .col(column)
                .to_owned();
            manager.create_index(unique).await?;
        }
        let by_status = Index::create()
            .name(format!("{TABLE}_status"))
            .table(TABLE)
            .col("status")
            .col("id")
            .to_owned();
        manager.create_index(by_status).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
