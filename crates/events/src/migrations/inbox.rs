//! What each consumer has done.
use sea_orm_migration::prelude::{
    Alias, ColumnDef, Index, MigrationName, MigrationTrait, SchemaManager, Table,
};
use sea_orm_migration::sea_orm::DbErr;

pub(super) struct Inbox;

impl MigrationName for Inbox {
    fn name(&self) -> &str {
        "m20261121_000002_events_inbox"
    }
}

fn col(name: &'static str) -> ColumnDef {
    ColumnDef::new(Alias::new(name))
}

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
impl MigrationTrait for Inbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut key = Index::create();
        key.col(Alias::new("consumer")).col(Alias::new("source")).col(Alias::new("event_id"));
        manager
            .create_table(
                Table::create()
                    .table(Alias::new("inbox"))
                    .col(col("consumer").text().not_null())
                    .col(col("source").text().not_null())
                    .col(col("event_id").uuid().not_null())
                    .col(col("received_at").timestamp_with_time_zone().not_null())
                    .col(col("attempts").integer().not_null().default(0))
                    .col(col("done_at").timestamp_with_time_zone().null())
                    .primary_key(key.primary())
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_inbox_consumer_received_at")
                    .table(Alias::new("inbox"))
                    .col(Alias::new("consumer"))
                    .col(Alias::new("received_at"))
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("inbox")).take()).await
    }
}
