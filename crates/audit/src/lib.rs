//! Who did what: entries written in the transaction of the change they tell of, sealed in order
//! into a hash chain that a changed, missing or swapped row breaks.

mod audit;
mod brake;
mod chain;
mod entry;
mod migrations;
mod notes;
mod retention;
mod seal;
mod store;
mod verify;

pub use audit::Audit;
pub use entry::{Change, Entry, Filter, NewEntry, Outcome};
pub use migrations::migrations;
pub use verify::Verdict;
