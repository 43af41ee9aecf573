//! Messages that were given up, until an admin decides.
use sea_orm_migration::prelude::{
    Alias, ColumnDef, Index, MigrationName, MigrationTrait, SchemaManager, Table,
};
use sea_orm_migration::sea_orm::DbErr;

pub(super) struct DeadLetter;

impl MigrationName for DeadLetter {
    fn name(&self) -> &str {
        "m20261121_000003_events_dead_letter"
    }
}

fn col(name: &'static str) -> ColumnDef {
    ColumnDef::new(Alias::new(name))
}

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
impl MigrationTrait for DeadLetter {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Alias::new("dead_letter"))
                    .col(col("id").uuid().not_null().primary_key())
                    .col(col("queue").text().not_null())
                    .col(col("event_id").uuid().not_null())
                    .col(col("event_type").text().not_null())
                    .col(col("subject").text().not_null())
                    .col(col("partition_key").text().not_null())
                    .col(col("epoch").integer().not_null())
                    .col(col("version").big_integer().not_null())
                    .col(col("time").timestamp_with_time_zone().not_null())
                    .col(col("headers").json_binary().not_null())
                    .col(col("payload").blob().not_null())
                    .col(col("reason").text().not_null())
                    .col(col("attempts").integer().not_null())
                    .col(col("parked_at").timestamp_with_time_zone().not_null())
                    .col(col("status").text().not_null())
                    .col(col("decided_by").text().null())
                    .col(col("decided_at").timestamp_with_time_zone().null())
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_dead_letter_queue")
                    .table(Alias::new("dead_letter"))
                    .col(Alias::new("queue"))
                    .col(Alias::new("event_id"))
                    .col(Alias::new("parked_at"))
                    .unique()
                    .take(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("idx_dead_letter_status_parked_at")
                    .table(Alias::new("dead_letter"))
                    .col(Alias::new("status"))
                    .col(Alias::new("parked_at"))
                    .col(Alias::new("id"))
                    .take(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("dead_letter")).take()).await
    }
}
