//! Who: people, roles, credentials, sessions, signing keys.
