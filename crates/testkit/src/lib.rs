//! Tests only: private servers, houses of services, a fake SES, conformance.

pub mod ses;
