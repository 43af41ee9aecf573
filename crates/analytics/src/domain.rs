//! The rules of counting, pure: which hour and day a view belongs to, which windows can be asked.
pub(crate) mod tally;
pub(crate) mod time;
pub(crate) mod window;
