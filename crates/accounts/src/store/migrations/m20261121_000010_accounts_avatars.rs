//! Small pictures of people.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, Index, MigrationTrait, SchemaManager,
    Table,
};
use sea_orm_migration::schema::{
    big_integer, binary_null, pk_uuid, string_null, timestamp_with_time_zone,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let avatar = Table::create()
            .table("avatar")
            .col(pk_uuid("account_id"))
            .col(string_null("chosen"))
            .col(string_null("picture"))
            .col(binary_null("content"))
            .col(string_null("media_type"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("avatar_account")
                    .from("avatar", "account_id")
                    .to("account", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(avatar).await?;
        let by_picture = Index::create()
            .unique()
            .name("avatar_picture")
            .table("avatar")
            .col("picture")
            .to_owned();
        manager.create_index(by_picture).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("avatar").to_owned()).await
    }
}
