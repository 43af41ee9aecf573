//! What people ask of all that is kept of them, and the files that were made of it.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, Index, MigrationTrait, SchemaManager,
    Table,
};
use sea_orm_migration::schema::{
    big_integer, binary, pk_uuid, string, timestamp_with_time_zone, timestamp_with_time_zone_null,
    uuid,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // no foreign key to the account: that somebody was erased is known when they are gone
        let request = Table::create()
            .table("data_request")
            .col(pk_uuid("job_id"))
            .col(uuid("account_id"))
            .col(string("kind"))
            .col(string("created_by"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("ready_at"))
            .col(timestamp_with_time_zone_null("expires_at"))
            .col(big_integer("bytes"))
            .col(big_integer("parts"))
            .to_owned();
        manager.create_table(request).await?;
        let by_account = Index::create()
            .name("data_request_account_id")
            .table("data_request")
            .col("account_id")
            .col("kind")
            .col("created_at")
            .to_owned();
        manager.create_index(by_account).await?;
        let part = Table::create()
            .table("export_part")
            .col(uuid("job_id"))
            .col(big_integer("position"))
            .col(binary("sealed"))
            .primary_key(Index::create().col("job_id").col("position"))
            .foreign_key(
                ForeignKey::create()
                    .name("export_part_request")
                    .from("export_part", "job_id")
                    .to("data_request", "job_id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(part).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["export_part", "data_request"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
