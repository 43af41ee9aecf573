//! The tables of this service, in the order in which they came to be.

use sea_orm_migration::MigrationTrait;

mod m20261121_000001_accounts_people;
mod m20261121_000002_accounts_sessions;
mod m20261121_000003_accounts_addresses;

pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_accounts_people::Migration),
        Box::new(m20261121_000002_accounts_sessions::Migration),
        Box::new(m20261121_000003_accounts_addresses::Migration),
    ]
}
