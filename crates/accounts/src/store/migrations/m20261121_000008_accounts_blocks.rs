//! Blocks of accounts and networks, and the failed logins of networks by the minute.

use sea_orm_migration::prelude::{
    ConditionalStatement, DbErr, DeriveMigrationName, Expr, ExprTrait, ForeignKey,
    ForeignKeyAction, Index, MigrationTrait, SchemaManager, Table,
};
use sea_orm_migration::schema::{
    big_integer, pk_uuid, string, string_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let block = Table::create()
            .table("block")
            .col(pk_uuid("id"))
            .col(uuid_null("account_id"))
            .col(string_null("network"))
            .col(string("reason"))
            .col(string("created_by"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("until"))
            .col(timestamp_with_time_zone_null("lifted_at"))
            .col(string_null("lifted_by"))
            .foreign_key(
                ForeignKey::create()
                    .name("block_account")
                    .from("block", "account_id")
                    .to("account", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(block).await?;
        // one block that holds for each account and each network; past ones may be many
        for column in ["account_id", "network"] {
            let one = Index::create()
                .unique()
                .name(format!("block_{column}"))
                .table("block")
                .col(column)
                .and_where(Expr::col("lifted_at").is_null())
                .to_owned();
            manager.create_index(one).await?;
        }
        let to_lift = Index::create()
            .name("block_until")
            .table("block")
            .col("until")
            .and_where(Expr::col("lifted_at").is_null())
            .to_owned();
        manager.create_index(to_lift).await?;
        let network = Table::create()
            .table("login_network")
            .col(string("network"))
            .col(big_integer("minute"))
            .col(big_integer("failures"))
            .primary_key(Index::create().col("network").col("minute"))
            .to_owned();
        manager.create_table(network).await?;
        let by_minute = Index::create()
            .name("login_network_minute")
            .table("login_network")
            .col("minute")
            .to_owned();
        manager.create_index(by_minute).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["login_network", "block"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
