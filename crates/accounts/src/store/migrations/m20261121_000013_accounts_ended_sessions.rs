//! Which sessions ended, for as long as access tokens of them may be about: also those whose account is
//! removed, and those of programs' keys.

use sea_orm_migration::prelude::{
    DbErr, DeriveMigrationName, Expr, ExprTrait, Index, MigrationTrait, Query, SchemaManager, Table,
};
use sea_orm_migration::schema::{pk_uuid, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const TABLE: &str = "ended_session";

#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(TABLE)
            .col(pk_uuid("session_id"))
            .col(timestamp_with_time_zone("ended_at"))
            .to_owned();
        manager.create_table(table).await?;
        let in_order = Index::create()
            .name("ended_session_ended_at")
            .table(TABLE)
            .col("ended_at")
            .col("session_id")
            .to_owned();
        manager.create_index(in_order).await?;
        // what ended before; the old ones are forgotten within the hour
        let ended = Query::select()
            .columns(["id", "ended_at"])
            .from("session")
            .and_where(Expr::col("ended_at").is_not_null())
            .to_owned();
        let mut seed = Query::insert();
        seed.into_table(TABLE).columns(["session_id", "ended_at"]);
        let seed = seed.select_from(ended).map_err(|error| DbErr::Custom(error.to_string()))?;
        manager.execute(seed.to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(TABLE).to_owned()).await
    }
}
