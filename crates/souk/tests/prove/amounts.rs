//! How much is done: a little with every test run, the full counts when asked for.
use rand::RngExt;

/// Whether the full counts were asked for.
pub(crate) fn is_full() -> bool {
    std::env::var_os("SOUK_PROVE").is_some_and(|amount| amount == "full")
}

/// `short` unless the full counts were asked for.
pub(crate) fn amount(short: u32, full: u32) -> u32 {
    if is_full() { full } else { short }
}

/// Kills of each kind.
pub(crate) fn kills() -> u32 {
    amount(2, 20)
}

/// Any number from `least` to `most`.
pub(crate) fn between(least: u64, most: u64) -> u64 {
    rand::rng().random_range(least..=most)
}
