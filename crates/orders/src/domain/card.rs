//! Card numbers where none belongs: every text that comes with an order passes here.
pub(crate) use souk_values::{looks_like_card, passes_luhn};
