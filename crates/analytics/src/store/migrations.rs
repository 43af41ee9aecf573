//! The ordered migrations of analytics.
mod m20261121_000001_analytics_counts;
mod m20261121_000002_analytics_sales;

use sea_orm_migration::MigrationTrait;

/// The ordered migrations of the service's own tables.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_analytics_counts::Migration),
        Box::new(m20261121_000002_analytics_sales::Migration),
    ]
}
