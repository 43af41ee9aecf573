//! Whom this service asks, in jobs only: every service that keeps something of people.

pub(crate) mod keeper;
