//! The tables of two owners.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, string};
use souk_storage::Migrations;

struct Things;

impl MigrationName for Things {
    fn name(&self) -> &str {
        "m20260101_000001_things"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Things {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table("thing").col(big_integer("id").primary_key()).col(string("code"));
        manager
            .create_table(table.col(string("place")).col(big_integer("count")).to_owned())
            .await?;
        for (name, column) in [("thing_code", "code"), ("thing_place", "place")] {
            let mut index = Index::create();
            manager
                .create_index(index.name(name).table("thing").col(column).unique().to_owned())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("thing").to_owned()).await
    }
}

struct Rest;

impl MigrationName for Rest {
    fn name(&self) -> &str {
        "m20260101_000002_rest"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Rest {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table.table("rest").col(big_integer("id").primary_key());
        manager.create_table(table.to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("rest").to_owned()).await
    }
}

struct Broken;

impl MigrationName for Broken {
    fn name(&self) -> &str {
        "m20260101_000003_broken"
    }
}

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Broken {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("CREATE TABLE half (id INTEGER)").await?;
        Err(DbErr::Custom("broken on the way".to_owned()))
    }
}

pub(crate) fn things() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Things)]
}

pub(crate) fn rest() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Rest)]
}

pub(crate) fn broken() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(Broken)]
}

pub(crate) const ALL: [Migrations; 2] = [things, rest];

/// The one number that a query answers.
pub(crate) async fn number(db: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?.unwrap();
    row.try_get_by_index(0)
}

pub(crate) async fn has(db: &DatabaseConnection, table: &str) -> bool {
    number(db, &format!("SELECT count(*) FROM {table}")).await.is_ok()
}

pub(crate) async fn put(db: &impl ConnectionTrait, values: &str) -> Result<(), DbErr> {
    let sql = format!("INSERT INTO thing (id, code, place, count) VALUES ({values})");
    db.execute_unprepared(&sql).await.map(|_| ())
}
