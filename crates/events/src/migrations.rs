//! Tables that every service with events has: outbox, outbox_sent, inbox, dead_letter.
use sea_orm_migration::MigrationTrait;

pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    todo!()
}
