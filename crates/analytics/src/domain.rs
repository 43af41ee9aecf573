//! The rules of counting, pure: which hour and day a view belongs to, which windows may be asked for.
pub(crate) mod tally;
pub(crate) mod time;
pub(crate) mod window;
