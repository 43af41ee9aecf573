//! All of Souk in one binary.
fn main() {}
