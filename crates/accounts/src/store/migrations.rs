//! The tables of this service, in the order in which they came to be.

use sea_orm_migration::MigrationTrait;

mod m20261121_000001_accounts_people;
mod m20261121_000002_accounts_sessions;
mod m20261121_000003_accounts_addresses;
mod m20261121_000004_accounts_mail;
mod m20261121_000005_accounts_registration;
mod m20261121_000006_accounts_devices;
mod m20261121_000007_accounts_second_factor;
mod m20261121_000008_accounts_blocks;
mod m20261121_000009_accounts_api_keys;
mod m20261121_000010_accounts_avatars;
mod m20261121_000011_accounts_newsletter;
mod m20261121_000012_accounts_data_requests;
mod m20261121_000013_accounts_ended_sessions;
mod m20261122_000014_accounts_known_devices;

pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_accounts_people::Migration),
        Box::new(m20261121_000002_accounts_sessions::Migration),
        Box::new(m20261121_000003_accounts_addresses::Migration),
        Box::new(m20261121_000004_accounts_mail::Migration),
        Box::new(m20261121_000005_accounts_registration::Migration),
        Box::new(m20261121_000006_accounts_devices::Migration),
        Box::new(m20261121_000007_accounts_second_factor::Migration),
        Box::new(m20261121_000008_accounts_blocks::Migration),
        Box::new(m20261121_000009_accounts_api_keys::Migration),
        Box::new(m20261121_000010_accounts_avatars::Migration),
        Box::new(m20261121_000011_accounts_newsletter::Migration),
        Box::new(m20261121_000012_accounts_data_requests::Migration),
        Box::new(m20261121_000013_accounts_ended_sessions::Migration),
        Box::new(m20261122_000014_accounts_known_devices::Migration),
    ]
}
