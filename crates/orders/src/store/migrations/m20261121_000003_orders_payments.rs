//! Payments in our books, webhooks that came, differences; and the books of the test provider.
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, json_binary_null, string, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("payment")
                    .col(uuid("order_id").primary_key())
                    .col(string("provider"))
                    .col(string("reference"))
                    .col(string("state"))
                    .col(big_integer("amount"))
                    .col(string("currency"))
                    .col(big_integer("captured"))
                    .col(big_integer("refunded"))
                    .col(string("brand"))
                    .col(string("last4"))
                    .col(string("decline_code"))
                    .col(text("action_url"))
                    .col(string("method"))
                    .col(integer("attempt"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .check(Expr::col("captured").gte(0))
                    .check(Expr::col("amount").gte(Expr::col("captured")))
                    .check(Expr::col("captured").gte(Expr::col("refunded")))
                    .to_owned(),
            )
            .await?;
        index(manager, "payment_created_at", "payment", &["created_at"]).await?;
        manager
            .create_table(
                Table::create()
                    .table("webhook_inbox")
                    .col(string("provider"))
                    .col(string("event_id"))
                    .col(string("reference"))
                    .col(integer("attempts"))
                    .col(timestamp_with_time_zone("received_at"))
                    .col(timestamp_with_time_zone_null("due_at"))
                    .primary_key(Index::create().col("provider").col("event_id"))
                    .to_owned(),
            )
            .await?;
        index(manager, "webhook_inbox_due_at", "webhook_inbox", &["due_at"]).await?;
        manager
            .create_table(
                Table::create()
                    .table("payment_difference")
                    .col(string("kind"))
                    .col(string("order_id"))
                    .col(string("reference"))
                    .col(text("detail"))
                    .col(string("action"))
                    .col(boolean("open"))
                    .col(timestamp_with_time_zone("found_at"))
                    .primary_key(Index::create().col("kind").col("order_id").col("reference"))
                    .to_owned(),
            )
            .await?;
        test_provider(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            "test_webhook",
            "test_call",
            "test_refund",
            "test_payment",
            "test_card",
            "payment_difference",
            "webhook_inbox",
            "payment",
        ];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn test_provider(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    manager
        .create_table(
            Table::create()
                .table("test_card")
                .col(string("token").primary_key())
                .col(string("user_id"))
                .col(string("brand"))
                .col(string("last4"))
                .col(integer("exp_month"))
                .col(integer("exp_year"))
                .col(string("behaviour"))
                .col(timestamp_with_time_zone("created_at"))
                .to_owned(),
        )
        .await?;
    index(manager, "test_card_user_id", "test_card", &["user_id"]).await?;
    manager
        .create_table(
            Table::create()
                .table("test_payment")
                .col(string("reference").primary_key())
                .col(string("order_id"))
                .col(string("user_id"))
                .col(string("state"))
                .col(big_integer("amount"))
                .col(string("currency"))
                .col(big_integer("captured"))
                .col(big_integer("refunded"))
                .col(string("brand"))
                .col(string("last4"))
                .col(string("decline_code"))
                .col(text("action_url"))
                .col(string("behaviour"))
                .col(timestamp_with_time_zone("created_at"))
                .to_owned(),
        )
        .await?;
    index(manager, "test_payment_order_id", "test_payment", &["order_id"]).await?;
    index(manager, "test_payment_created_at", "test_payment", &["created_at", "reference"]).await?;
    manager
        .create_table(
            Table::create()
                .table("test_refund")
                .col(uuid("id").primary_key())
                .col(string("reference"))
                .col(big_integer("amount"))
                .col(timestamp_with_time_zone("created_at"))
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("test_call")
                .col(string("key").primary_key())
                .col(text("fingerprint"))
                .col(json_binary_null("answer"))
                .col(timestamp_with_time_zone("created_at"))
                .to_owned(),
        )
        .await?;
    manager
        .create_table(
            Table::create()
                .table("test_webhook")
                .col(string("event_id").primary_key())
                .col(string("reference"))
                .col(integer("attempts"))
                .col(timestamp_with_time_zone("due_at"))
                .to_owned(),
        )
        .await?;
    index(manager, "test_webhook_due_at", "test_webhook", &["due_at"]).await
}

async fn index(
    manager: &SchemaManager<'_>,
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index.to_owned()).await
}
