//! What waits to be published, what was published, and the epoch that a restored backup raises.
use sea_orm_migration::prelude::{
    Alias, ColumnDef, ConditionalStatement, Expr, Index, MigrationName, MigrationTrait, Query,
    SchemaManager, Table, TableCreateStatement,
};
use sea_orm_migration::sea_orm::{DbErr, ExprTrait};

pub(super) struct Outbox;

impl MigrationName for Outbox {
    fn name(&self) -> &str {
        "m20261121_000001_events_outbox"
    }
}

fn col(name: &'static str) -> ColumnDef {
    ColumnDef::new(Alias::new(name))
}

/// What both tables have beside their key.
fn message(table: &'static str) -> TableCreateStatement {
    let mut create = Table::create();
    create
        .table(Alias::new(table))
        .col(col("event_id").uuid().not_null())
        .col(col("type").text().not_null())
        .col(col("subject").text().not_null())
        .col(col("partition_key").text().not_null())
        .col(col("epoch").integer().not_null())
        .col(col("version").big_integer().not_null())
        .col(col("headers").json_binary().not_null())
        .col(col("payload").blob().not_null())
        .col(col("created_at").timestamp_with_time_zone().not_null())
        .col(col("attempts").integer().not_null().default(0))
        .col(col("last_error").text().null());
    create
}

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths, reason = "the signature of the trait, as async_trait needs it")]
impl MigrationTrait for Outbox {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                message("outbox")
                    .col(col("seq").big_integer().not_null().auto_increment().primary_key())
                    .col(col("next_at").timestamp_with_time_zone().not_null())
                    // a message that no broker takes must fail the change, not wait for ever
                    .check(Expr::cust("length(payload) <= 65536"))
                    .take(),
            )
            .await?;
        manager
            .create_table(
                message("outbox_sent")
                    .col(col("seq").big_integer().not_null().primary_key())
                    .col(col("sent_at").timestamp_with_time_zone().not_null())
                    .take(),
            )
            .await?;
        for (name, table, column, unique) in [
            ("idx_outbox_event_id", "outbox", "event_id", true),
            ("idx_outbox_sent_event_id", "outbox_sent", "event_id", true),
            ("idx_outbox_sent_sent_at", "outbox_sent", "sent_at", false),
        ] {
            let mut index = Index::create();
            index.name(name).table(Alias::new(table)).col(Alias::new(column));
            if unique {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        // empty as long as nothing fails: finds the failed row that holds back the later ones of
        // its key
        manager
            .create_index(
                Index::create()
                    .name("idx_outbox_failed")
                    .table(Alias::new("outbox"))
                    .col(Alias::new("partition_key"))
                    .col(Alias::new("seq"))
                    .and_where(Expr::col(Alias::new("attempts")).gt(0))
                    .take(),
            )
            .await?;
        epoch(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["outbox_epoch", "outbox_sent", "outbox"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).take()).await?;
        }
        Ok(())
    }
}

async fn epoch(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Alias::new("outbox_epoch");
    manager
        .create_table(
            Table::create()
                .table(table.clone())
                .col(col("id").integer().not_null().primary_key())
                .col(col("epoch").integer().not_null())
                .check(Expr::cust("id = 1"))
                .take(),
        )
        .await?;
    let first = Query::insert()
        .into_table(table)
        .columns([Alias::new("id"), Alias::new("epoch")])
        .values_panic([1.into(), 1.into()])
        .take();
    manager.execute(first).await
}
