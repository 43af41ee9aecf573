//! The rules of counting, pure: which hour and day a view belongs to, which windows can be asked,
//! what an order adds to the sales.
pub(crate) mod demand;
pub(crate) mod sale;
pub(crate) mod tally;
pub(crate) mod time;
pub(crate) mod window;
