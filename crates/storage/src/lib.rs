//! Database pools, write transactions, migrations, constraints.
//!
//! One [`Database`] per service: a SQLite file or a PostgreSQL database, the same entities and
//! queries on both.

mod constraint;
mod database;
mod group;
mod migrate;
mod raced;

pub use constraint::{OnConstraint, violated_constraint};
pub use database::{Database, DatabaseSettings, StorageError};
pub use group::{Abandoned, Group};
pub use migrate::{Migrations, migrate, roll_back};
pub use raced::raced;
pub use sea_orm::{DatabaseTransaction as Tx, DbErr};
