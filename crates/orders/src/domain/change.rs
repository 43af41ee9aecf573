//! Why an order is not placed as the buyer saw it.
use std::collections::BTreeMap;
use std::fmt;

/// A refusal with a machine-readable code, a sentence and facts by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `out_of_stock`, `price_changed`, `product_gone`, `cart_changed`, `coupon_…`.
    pub(crate) code: &'static str,
    pub(crate) sentence: String,
    /// `available`, `product_id`, `unit_price`, ….
    pub(crate) facts: BTreeMap<String, String>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), facts: BTreeMap::new() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.insert(name.to_owned(), value.to_string());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}
