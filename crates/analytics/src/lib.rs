//! Counts: facts from events, reports.
