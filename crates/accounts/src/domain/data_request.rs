//! What people may ask of all that is kept of them.

use chrono::TimeDelta;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file with everything.
    Export,
    /// The end of everything that names them.
    Erasure,
}

impl Kind {
    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Erasure => "erasure",
        }
    }

    /// The kind of its job.
    pub(crate) fn job(self) -> &'static str {
        match self {
            Self::Export => "export_person",
            Self::Erasure => "erase_person",
        }
    }
}

/// Exports of one person in [`WINDOW`].
pub(crate) const EXPORTS: u64 = 3;
pub(crate) const WINDOW: TimeDelta = TimeDelta::days(1);
