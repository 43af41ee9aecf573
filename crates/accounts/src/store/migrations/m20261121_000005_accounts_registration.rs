//! What waits for a code or a link: people who want to become customers, new passwords, new
//! addresses.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, ForeignKey, ForeignKeyAction, Index, MigrationTrait, SchemaManager,
    Table,
};
use sea_orm_migration::schema::{
    big_integer, binary, pk_uuid, string, timestamp_with_time_zone, timestamp_with_time_zone_null,
    uuid_null,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let registration = Table::create()
            .table("registration")
            .col(pk_uuid("id"))
            .col(string("username"))
            .col(string("username_folded"))
            .col(string("email"))
            .col(string("email_folded"))
            .col(string("full_name"))
            .col(string("password_hash"))
            .col(uuid_null("mail_request"))
            .col(big_integer("tries"))
            .col(big_integer("resends"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone("last_mail_at"))
            .to_owned();
        manager.create_table(registration).await?;
        let by_name = Index::create()
            .unique()
            .name("registration_username_folded")
            .table("registration")
            .col("username_folded")
            .to_owned();
        manager.create_index(by_name).await?;
        let password_reset = Table::create()
            .table("password_reset")
            .col(pk_uuid("id"))
            .col(uuid_null("account_id"))
            .col(binary("token_hash"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("password_reset_account")
                    .from("password_reset", "account_id")
                    .to("account", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(password_reset).await?;
        let by_token = Index::create()
            .unique()
            .name("password_reset_token_hash")
            .table("password_reset")
            .col("token_hash")
            .to_owned();
        manager.create_index(by_token).await?;
        let email_change = Table::create()
            .table("email_change")
            .col(pk_uuid("account_id"))
            .col(string("email"))
            .col(string("email_folded"))
            .col(uuid_null("mail_request"))
            .col(big_integer("tries"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("email_change_account")
                    .from("email_change", "account_id")
                    .to("account", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(email_change).await?;
        for (table, column) in [
            ("registration", "email_folded"),
            ("registration", "expires_at"),
            ("password_reset", "account_id"),
            ("password_reset", "expires_at"),
            ("email_change", "expires_at"),
        ] {
            let index = Index::create()
                .name(format!("{table}_{column}"))
                .table(table)
                .col(column)
                .to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["email_change", "password_reset", "registration"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
