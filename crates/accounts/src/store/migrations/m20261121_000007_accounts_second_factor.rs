//! Second factors and their recovery codes.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index,
    MigrationTrait, SchemaManager, Table,
};
use sea_orm_migration::schema::{
    big_integer, binary, pk_uuid, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let second_factor = Table::create()
            .table("second_factor")
            .col(pk_uuid("account_id"))
            .col(binary("sealed_secret"))
            .col(timestamp_with_time_zone("begun_at"))
            .col(timestamp_with_time_zone_null("confirmed_at"))
            .col(big_integer("last_step"))
            .foreign_key(&mut of_account("second_factor"))
            .to_owned();
        manager.create_table(second_factor).await?;
        let recovery_code = Table::create()
            .table("recovery_code")
            .col(binary("tag").primary_key())
            .col(uuid("account_id"))
            .col(timestamp_with_time_zone_null("used_at"))
            .foreign_key(&mut of_account("recovery_code"))
            .to_owned();
        manager.create_table(recovery_code).await?;
        let by_account = Index::create()
            .name("recovery_code_account_id")
            .table("recovery_code")
            .col("account_id")
            .to_owned();
        manager.create_index(by_account).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["recovery_code", "second_factor"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn of_account(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_account"))
        .from(table, "account_id")
        .to("account", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}
