//! The schema, step by step.
mod m20261121_000001_orders_carts;
mod m20261121_000002_orders_rules;
mod m20261121_000003_orders_payments;
mod m20261121_000004_orders_orders;

use sea_orm_migration::MigrationTrait;

pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_orders_carts::Migration),
        Box::new(m20261121_000002_orders_rules::Migration),
        Box::new(m20261121_000003_orders_payments::Migration),
        Box::new(m20261121_000004_orders_orders::Migration),
    ]
}
