//! Roles, people, and the keys of requests that made people.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, ForeignKey, Index, MigrationTrait, Query, SchemaManager, Table,
};
use sea_orm_migration::schema::{
    big_integer, binary, boolean, integer_null, json_binary, pk_uuid, string, text,
    timestamp_with_time_zone, uuid,
};
use serde_json::json;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let role = Table::create()
            .table("role")
            .col(string("name").primary_key())
            .col(integer_null("number"))
            .col(json_binary("permissions"))
            .index(Index::create().unique().name("role_number").col("number"))
            .to_owned();
        manager.create_table(role).await?;
        // "*" is every permission there is, also those that come later
        for (name, number, permissions) in [("admin", 1, json!(["*"])), ("customer", 2, json!([]))]
        {
            let seed = Query::insert()
                .into_table("role")
                .columns(["name", "number", "permissions"])
                .values_panic([name.into(), number.into(), permissions.into()])
                .to_owned();
            manager.execute(seed).await?;
        }
        let account = Table::create()
            .table("account")
            .col(pk_uuid("id"))
            .col(string("username"))
            .col(string("username_folded"))
            .col(string("email"))
            .col(string("email_folded"))
            .col(string("full_name"))
            .col(text("search"))
            .col(string("password_hash"))
            .col(string("role"))
            .col(boolean("active"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("updated_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("account_role")
                    .from("account", "role")
                    .to("role", "name"),
            )
            .to_owned();
        manager.create_table(account).await?;
        for column in ["username_folded", "email_folded"] {
            let unique = Index::create()
                .unique()
                .name(format!("account_{column}"))
                .table("account")
                .col(column)
                .to_owned();
            manager.create_index(unique).await?;
        }
        let by_role = Index::create()
            .name("account_role_active")
            .table("account")
            .col("role")
            .col("active")
            .to_owned();
        manager.create_index(by_role).await?;
        let idempotency = Table::create()
            .table("idempotency")
            .col(string("caller"))
            .col(string("key"))
            .col(binary("request_tag"))
            .col(uuid("account_id"))
            .col(timestamp_with_time_zone("created_at"))
            .primary_key(Index::create().col("caller").col("key"))
            .to_owned();
        manager.create_table(idempotency).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["idempotency", "account", "role"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
