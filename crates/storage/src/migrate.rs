//! Bringing a schema up to date, one runner among replicas.
use sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationTrait, MigratorTraitSelf};

use crate::Database;

/// The ordered migrations of one owner of tables. Names are unique within a service's database.
pub type Migrations = fn() -> Vec<Box<dyn MigrationTrait>>;

/// Any number, the same in all replicas: the lock under which migrations run on PostgreSQL.
const LOCK: i64 = 0x736f_756b;

struct Migrator<'a>(&'a [Migrations]);

#[async_trait::async_trait]
impl MigratorTraitSelf for Migrator<'_> {
    fn migrations(&self) -> Vec<Box<dyn MigrationTrait>> {
        self.0.iter().flat_map(|list| list()).collect()
    }
}

/// Applies what is pending, in one transaction; a second start changes nothing.
pub async fn migrate(db: &Database, lists: &[Migrations]) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    if db.is_postgres() {
        // replicas that start together wait here; the transaction's end gives the lock back
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    Migrator(lists).up(&tx, None).await?;
    tx.commit().await
}

/// Takes every migration back, newest first.
pub async fn roll_back(db: &Database, lists: &[Migrations]) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    Migrator(lists).down(&tx, None).await?;
    tx.commit().await
}
