//! Crash points: `SOUK_CRASH_AT=outbox.published:3` kills the process (SIGKILL) the third time it passes that point.
//! For proving that nothing is lost (`cargo xtask prove`); costs one load of an atomic when unset.

/// Dies here if told so. Names: `outbox.committed`, `relay.published`, `relay.confirmed`, `consumer.committed`,
/// `mail.sending`, `mail.sent`.
pub fn point(_name: &'static str) {
    todo!()
}
