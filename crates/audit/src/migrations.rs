//! Tables `audit_entry`, `audit_head` and `audit_stone`.
#![allow(elided_lifetimes_in_paths, reason = "the trait's signature, as async_trait reads it")]

use sea_orm::{DbErr, ExprTrait};
use sea_orm_migration::prelude::{Alias, ConditionalStatement, Expr, Index, Query, Table};
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, integer, text, text_null, uuid,
};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::chain::GENESIS;

/// For the list of migrations of a service.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(CreateAudit)]
}

struct CreateAudit;

impl MigrationName for CreateAudit {
    fn name(&self) -> &str {
        "m20261122_000001_audit_entry"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateAudit {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let entry = Table::create()
            .table("audit_entry")
            .col(uuid("id").primary_key())
            .col(big_integer_null("seq"))
            // a number, and texts instead of JSON: the same bytes on both databases
            .col(big_integer("at_us"))
            .col(text("actor"))
            .col(text("via"))
            .col(text_null("address"))
            .col(text("action"))
            .col(text("target"))
            .col(text("outcome"))
            .col(text("reason"))
            .col(text("trace_id"))
            .col(text_null("changes"))
            .col(blob("digest"))
            .col(blob_null("salt"))
            .col(blob_null("prev"))
            .col(blob_null("hash"))
            .to_owned();
        manager.create_table(entry).await?;
        let seq = Index::create()
            .name("idx_audit_entry_seq")
            .table("audit_entry")
            .col("seq")
            .unique()
            .to_owned();
        manager.create_index(seq).await?;
        // nearly empty: what waits to be sealed
        let unsealed = Index::create()
            .name("idx_audit_entry_unsealed")
            .table("audit_entry")
            .col("id")
            .and_where(Expr::col(Alias::new("seq")).is_null())
            .to_owned();
        manager.create_index(unsealed).await?;
        for (name, column) in [
            ("idx_audit_entry_actor", "actor"),
            ("idx_audit_entry_target", "target"),
            ("idx_audit_entry_action", "action"),
        ] {
            let index =
                Index::create().name(name).table("audit_entry").col(column).col("id").to_owned();
            manager.create_index(index).await?;
        }
        for table in ["audit_head", "audit_stone"] {
            let place = Table::create()
                .table(table)
                .col(integer("id").primary_key())
                .col(big_integer("seq"))
                .col(blob("hash"))
                .col(big_integer("at_us"))
                .check(Expr::cust("id = 1"))
                .to_owned();
            manager.create_table(place).await?;
        }
        let head = Query::insert()
            .into_table("audit_head")
            .columns(["id", "seq", "hash", "at_us"])
            .values_panic([1.into(), 0_i64.into(), GENESIS.to_vec().into(), 0_i64.into()])
            .to_owned();
        manager.execute(head).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["audit_stone", "audit_head", "audit_entry"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
