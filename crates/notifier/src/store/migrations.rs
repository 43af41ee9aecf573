//! The ordered list of migrations.
use sea_orm_migration::MigrationTrait;

mod m20261121_000001_notifier_letters;
mod m20261121_000002_notifier_orders;
mod m20261121_000003_notifier_accounts;
mod m20261121_000004_notifier_newsletters;

pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_notifier_letters::Migration),
        Box::new(m20261121_000002_notifier_orders::Migration),
        Box::new(m20261121_000003_notifier_accounts::Migration),
        Box::new(m20261121_000004_notifier_newsletters::Migration),
    ]
}
