//! Sessions, their refresh tokens, and the brake on guessing.

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
        let session = Table::create()
            .table("session")
            .col(pk_uuid("id"))
            .col(uuid("account_id"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("last_used_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("session_account")
                    .from("session", "account_id")
                    .to("account", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(session).await?;
        for column in ["account_id", "expires_at", "ended_at"] {
            let index = Index::create()
                .name(format!("session_{column}"))
                .table("session")
                .col(column)
                .to_owned();
            manager.create_index(index).await?;
        }
        let refresh_token = Table::create()
            .table("refresh_token")
            .col(binary("hash").primary_key())
            .col(uuid("session_id"))
            .col(timestamp_with_time_zone("issued_at"))
            .col(timestamp_with_time_zone_null("used_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("refresh_token_session")
                    .from("refresh_token", "session_id")
                    .to("session", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(refresh_token).await?;
        let by_session = Index::create()
            .name("refresh_token_session_id")
            .table("refresh_token")
            .col("session_id")
            .to_owned();
        manager.create_index(by_session).await?;
        let brake = Table::create()
            .table("login_brake")
            .col(string("subject").primary_key())
            .col(big_integer("failures"))
            .col(timestamp_with_time_zone("until"))
            .to_owned();
        manager.create_table(brake).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["login_brake", "refresh_token", "session"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
