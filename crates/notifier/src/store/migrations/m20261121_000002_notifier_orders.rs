//! Letters about orders: a row of the ledger is of a product or of an order.
#![allow(
    elided_lifetimes_in_paths,
    reason = "async_trait needs the lifetimes as the trait has them"
)]
use sea_orm::{ConnectionTrait, DatabaseBackend};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, text, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
    uuid_null,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if manager.get_database_backend() == DatabaseBackend::Sqlite {
            // SQLite cannot let a column be empty that may not
            manager.create_table(ledger()).await?;
            let columns = "id, event_id, user_id, recipient, product_id, kind, reason, letter_id, \
                           created_at";
            let copy = format!(
                "INSERT INTO notification_new ({columns}) SELECT {columns} FROM notification"
            );
            db.execute_unprepared(&copy).await?;
            manager.drop_table(Table::drop().table("notification").to_owned()).await?;
            let rename = Table::rename().table("notification_new", "notification").to_owned();
            manager.rename_table(rename).await?;
            for index in ledger_indexes() {
                manager.create_index(index).await?;
            }
        } else {
            let empty = "ALTER TABLE notification ALTER COLUMN product_id DROP NOT NULL";
            db.execute_unprepared(empty).await?;
            add(manager, "notification", uuid_null("order_id")).await?;
        }
        manager.create_index(index("idx_notification_order_id", &["order_id", "id"])).await?;
        add(manager, "letter", boolean("personal").default(false).take()).await?;
        add(manager, "account", timestamp_with_time_zone_null("gone_at")).await?;
        add(manager, "preference", boolean("order_notices").default(true).take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM notification WHERE product_id IS NULL").await?;
        let index =
            Index::drop().name("idx_notification_order_id").table("notification").to_owned();
        manager.drop_index(index).await?;
        for (table, column) in [
            ("notification", "order_id"),
            ("letter", "personal"),
            ("account", "gone_at"),
            ("preference", "order_notices"),
        ] {
            let alter = Table::alter().table(table).drop_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}

async fn add(
    manager: &SchemaManager<'_>,
    table: &'static str,
    column: ColumnDef,
) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}

fn ledger() -> TableCreateStatement {
    Table::create()
        .table("notification_new")
        .col(uuid("id").primary_key())
        .col(uuid("event_id"))
        .col(uuid("user_id"))
        .col(text("recipient"))
        .col(uuid_null("product_id"))
        .col(text("kind"))
        .col(text_null("reason"))
        .col(uuid_null("letter_id"))
        .col(timestamp_with_time_zone("created_at"))
        .col(uuid_null("order_id"))
        .to_owned()
}

/// As they stood.
fn ledger_indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("idx_notification_event_id_user_id", &["event_id", "user_id"]).unique().to_owned(),
        index("idx_notification_letter_id", &["letter_id", "id"]),
        index("idx_notification_product_id", &["product_id", "id"]),
        index("idx_notification_recipient", &["recipient", "id"]),
    ]
}

fn index(name: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table("notification").to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}
