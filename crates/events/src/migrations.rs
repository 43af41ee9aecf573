//! Tables that every service with events has: outbox, outbox_sent, outbox_epoch, inbox,
//! dead_letter.
use sea_orm_migration::MigrationTrait;

mod dead_letter;
mod inbox;
mod outbox;

/// In order; names begin with `m20261121_00000N_events_`.
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(outbox::Outbox), Box::new(inbox::Inbox), Box::new(dead_letter::DeadLetter)]
}
