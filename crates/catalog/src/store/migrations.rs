//! The ordered list of the catalogue's migrations.
mod m20261121_000001_catalog_products;
mod m20261121_000002_catalog_stock;

use sea_orm_migration::MigrationTrait;

pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_catalog_products::Migration),
        Box::new(m20261121_000002_catalog_stock::Migration),
    ]
}
