//! Keys of programs, and the role of those who keep the catalogue.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Expr, ExprTrait, ForeignKey, ForeignKeyAction, Index,
    MigrationTrait, Query, SchemaManager, Table,
};
use sea_orm_migration::schema::{
    binary, json_binary, pk_uuid, string, timestamp_with_time_zone, timestamp_with_time_zone_null,
    uuid,
};
use serde_json::json;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const CATALOG_ADMIN: &str = "catalog_admin";

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let api_key = Table::create()
            .table("api_key")
            .col(pk_uuid("id"))
            .col(uuid("account_id"))
            .col(string("name"))
            .col(string("prefix"))
            .col(binary("hash"))
            .col(json_binary("scopes"))
            .col(uuid("session_id"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone_null("last_used_at"))
            .col(timestamp_with_time_zone_null("revoked_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("api_key_account")
                    .from("api_key", "account_id")
                    .to("account", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(api_key).await?;
        for column in ["hash", "session_id"] {
            let unique = Index::create()
                .unique()
                .name(format!("api_key_{column}"))
                .table("api_key")
                .col(column)
                .to_owned();
            manager.create_index(unique).await?;
        }
        let by_account = Index::create()
            .name("api_key_account_id")
            .table("api_key")
            .col("account_id")
            .to_owned();
        manager.create_index(by_account).await?;
        let permissions =
            json!(["products.write", "stock.read", "stock.write", "stats.read", "notices.receive"]);
        let seed = Query::insert()
            .into_table("role")
            .columns(["name", "permissions"])
            .values_panic([CATALOG_ADMIN.into(), permissions.into()])
            .to_owned();
        manager.execute(seed).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let demoted = Query::update()
            .table("account")
            .value("role", "customer")
            .and_where(Expr::col("role").eq(CATALOG_ADMIN))
            .to_owned();
        manager.execute(demoted).await?;
        let role = Query::delete()
            .from_table("role")
            .and_where(Expr::col("name").eq(CATALOG_ADMIN))
            .to_owned();
        manager.execute(role).await?;
        manager.drop_table(Table::drop().table("api_key").to_owned()).await
    }
}
