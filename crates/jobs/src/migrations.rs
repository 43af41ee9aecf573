//! Tables `job` and `job_result`.
#![allow(elided_lifetimes_in_paths, reason = "the trait's signature, as async_trait reads it")]

use sea_orm::DbErr;
use sea_orm_migration::prelude::{ForeignKey, ForeignKeyAction, Index, Table};
use sea_orm_migration::schema::{
    big_integer, boolean, integer, json_binary, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

/// For the list of migrations of a service.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(CreateJobs)]
}

struct CreateJobs;

impl MigrationName for CreateJobs {
    fn name(&self) -> &str {
        "m20261121_000001_jobs_job"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateJobs {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let job = Table::create()
            .table("job")
            .col(uuid("id").primary_key())
            .col(text("kind"))
            .col(text("status"))
            .col(json_binary("params"))
            .col(big_integer("done"))
            .col(big_integer("total"))
            .col(text("message"))
            .col(json_binary("counts"))
            .col(json_binary("checkpoint"))
            .col(text("created_by"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("run_at"))
            .col(timestamp_with_time_zone_null("started_at"))
            .col(timestamp_with_time_zone_null("ended_at"))
            .col(integer("attempts"))
            .col(integer("failures"))
            .col(integer("crashes"))
            .col(uuid_null("claim"))
            .col(timestamp_with_time_zone_null("lease_until"))
            .col(boolean("cancel_requested"))
            .to_owned();
        manager.create_table(job).await?;
        // the claim looks for the oldest of the few that wait or run
        let due =
            Index::create().name("idx_job_status").table("job").col("status").col("id").to_owned();
        manager.create_index(due).await?;
        let result = Table::create()
            .table("job_result")
            .col(uuid("job_id"))
            .col(big_integer("position"))
            .col(text("key"))
            .col(text("outcome"))
            .col(text("detail"))
            .primary_key(Index::create().col("job_id").col("position"))
            .foreign_key(
                ForeignKey::create()
                    .from("job_result", "job_id")
                    .to("job", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(result).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("job_result").to_owned()).await?;
        manager.drop_table(Table::drop().table("job").to_owned()).await
    }
}
