//! Address books.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, Index, MigrationTrait, SchemaManager,
    Table,
};
use sea_orm_migration::schema::{
    big_integer, boolean, pk_uuid, string, timestamp_with_time_zone, uuid,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut address = Table::create();
        address.table("address").col(pk_uuid("id")).col(uuid("account_id"));
        for column in [
            "label",
            "name",
            "company",
            "line1",
            "line2",
            "city",
            "region",
            "postal_code",
            "country",
            "phone",
        ] {
            address.col(string(column));
        }
        address
            .col(boolean("is_default"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("address_account")
                    .from("address", "account_id")
                    .to("account", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            );
        manager.create_table(address).await?;
        let by_account = Index::create()
            .name("address_account_id")
            .table("address")
            .col("account_id")
            .to_owned();
        manager.create_index(by_account).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("address").to_owned()).await
    }
}
