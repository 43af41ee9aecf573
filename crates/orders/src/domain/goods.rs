//! A product as a buyer sees it at this moment.
use souk_values::{Money, ProductId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Physical,
    /// Nothing to ship, no stock.
    Digital,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Digital => "digital",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        if text == "digital" { Self::Digital } else { Self::Physical }
    }
}

/// An active product, as catalog says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Goods {
    pub(crate) id: ProductId,
    pub(crate) sku: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    /// First picture; empty: none.
    pub(crate) image: String,
    pub(crate) kind: Kind,
    pub(crate) price: Money,
    /// The product's version: where the price is from.
    pub(crate) version: u64,
    /// What can be bought now; `None`: no limit.
    pub(crate) available: Option<i64>,
    /// Grams of one unit: attribute `weight_g`, else 0.
    pub(crate) weight_g: u64,
    /// Attribute `tax_class`, else "standard".
    pub(crate) tax_class: String,
}
