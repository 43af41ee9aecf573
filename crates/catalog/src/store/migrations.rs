//! The ordered list of the catalogue's migrations.
mod m20261121_000001_catalog_products;

use sea_orm_migration::MigrationTrait;

pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m20261121_000001_catalog_products::Migration)]
}
