//! Letters, the ledger of who was told what, and what decides whom to tell when.
#![allow(
    elided_lifetimes_in_paths,
    reason = "async_trait needs the lifetimes as the trait has them"
)]
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer, json_binary, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [changes(), letters(), notifications(), preferences(), paces(), accounts()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["account", "pace", "preference", "notification", "letter", "change"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn changes() -> TableCreateStatement {
    Table::create()
        .table("change")
        .col(uuid("event_id").primary_key())
        .col(json_binary("told"))
        .col(timestamp_with_time_zone("at"))
        .to_owned()
}

fn letters() -> TableCreateStatement {
    Table::create()
        .table("letter")
        .col(uuid("id").primary_key())
        .col(uuid("user_id"))
        .col(text("recipient"))
        .col(boolean("digest"))
        .col(integer("notifications"))
        .col(text_null("subject"))
        .col(text_null("text"))
        .col(text_null("html"))
        .col(text_null("trace"))
        .col(text("status"))
        .col(integer("attempts"))
        .col(timestamp_with_time_zone_null("next_at"))
        .col(text_null("provider_id"))
        .col(text_null("reason"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("sent_at"))
        .to_owned()
}

fn notifications() -> TableCreateStatement {
    Table::create()
        .table("notification")
        .col(uuid("id").primary_key())
        .col(uuid("event_id"))
        .col(uuid("user_id"))
        .col(text("recipient"))
        .col(uuid("product_id"))
        .col(text("kind"))
        .col(text_null("reason"))
        .col(uuid_null("letter_id"))
        .col(timestamp_with_time_zone("created_at"))
        .to_owned()
}

fn preferences() -> TableCreateStatement {
    Table::create()
        .table("preference")
        .col(uuid("user_id").primary_key())
        .col(boolean("product_notices"))
        .col(timestamp_with_time_zone("updated_at"))
        .to_owned()
}

fn paces() -> TableCreateStatement {
    Table::create()
        .table("pace")
        .col(uuid("user_id").primary_key())
        .col(timestamp_with_time_zone("since"))
        .col(integer("taken"))
        .to_owned()
}

fn accounts() -> TableCreateStatement {
    Table::create()
        .table("account")
        .col(uuid("user_id").primary_key())
        .col(big_integer("epoch"))
        .col(big_integer("version"))
        .col(timestamp_with_time_zone_null("closed_at"))
        .to_owned()
}

fn indexes() -> Vec<IndexCreateStatement> {
    let index = |name: &str, table: &'static str, columns: &[&'static str]| {
        let mut index = Index::create().name(name).table(table).to_owned();
        for column in columns {
            index.col(*column);
        }
        index
    };
    let unique =
        index("idx_notification_event_id_user_id", "notification", &["event_id", "user_id"])
            .unique()
            .to_owned();
    vec![
        unique,
        index("idx_notification_letter_id", "notification", &["letter_id", "id"]),
        index("idx_notification_product_id", "notification", &["product_id", "id"]),
        index("idx_notification_recipient", "notification", &["recipient", "id"]),
        // settled letters have no next_at
        index("idx_letter_next_at", "letter", &["next_at"]),
        index("idx_letter_user_id", "letter", &["user_id", "status"]),
        index("idx_letter_status", "letter", &["status", "id"]),
    ]
}
