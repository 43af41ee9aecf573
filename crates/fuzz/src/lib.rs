//! What strangers send, thrown at what reads it first. A target takes bytes, and panics when
//! something is read that must not be, or does not come out as it went in.

mod event;
mod letter_header;
mod token;

pub use event::event;
pub use letter_header::letter_header;
pub use souk_catalog::fuzz::product_file;
pub use souk_gateway::fuzz::{cookies, query};
pub use token::access_token;

/// A target, its name, and seeds that no file can hold.
pub struct Target {
    /// Also of its folder in `corpus/` and of its program in `libfuzzer/targets/`.
    pub name: &'static str,
    pub run: fn(&[u8]),
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target { name: "access_token", run: access_token, seeds: token::seeds },
    Target { name: "cookies", run: cookies, seeds: none },
    Target { name: "event", run: event, seeds: none },
    Target { name: "letter_header", run: letter_header, seeds: none },
    Target { name: "product_file", run: product_file, seeds: none },
    Target { name: "query", run: query, seeds: none },
];

fn none() -> Vec<Vec<u8>> {
    Vec::new()
}
