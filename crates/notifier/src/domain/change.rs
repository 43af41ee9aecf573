//! What a letter to administrators tells of one change of a product, its stock or an order: kept
//! small, because an import makes many.
use std::fmt;

use serde::{Deserialize, Serialize};
use souk_values::{OrderId, ProductId};

use super::text::one_line;

/// Characters of a printed value; more is cut.
const VALUE_LIMIT: usize = 300;
/// Changed fields that are told; more are counted.
const FIELD_LIMIT: usize = 40;
/// Characters of a name in a letter; more is cut.
const NAME_LIMIT: usize = 120;

/// What a change is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Product(ProductId),
    Order(OrderId),
}

impl Subject {
    pub fn product(self) -> Option<ProductId> {
        if let Self::Product(id) = self { Some(id) } else { None }
    }

    pub fn order(self) -> Option<OrderId> {
        if let Self::Order(id) = self { Some(id) } else { None }
    }
}

/// What people can mute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    Products,
    Orders,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Created,
    Changed,
    Deleted,
    Restored,
    /// Little can be bought.
    StockLow,
    /// A new order.
    OrderConfirmed,
    /// An order needs a person.
    OrderReview,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Changed,
        Self::Deleted,
        Self::Restored,
        Self::StockLow,
        Self::OrderConfirmed,
        Self::OrderReview,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Restored => "restored",
            Self::StockLow => "low",
            Self::OrderConfirmed => "confirmed",
            Self::OrderReview => "review",
        }
    }

    /// As the ledger names it.
    pub fn event(self) -> &'static str {
        match self {
            Self::Created => "product.created",
            Self::Changed => "product.changed",
            Self::Deleted => "product.deleted",
            Self::Restored => "product.restored",
            Self::StockLow => "stock.low",
            Self::OrderConfirmed => "order.confirmed",
            Self::OrderReview => "order.review",
        }
    }

    /// Whether it is a change of a product's fields.
    pub fn is_product_change(self) -> bool {
        matches!(self, Self::Created | Self::Changed | Self::Deleted | Self::Restored)
    }

    /// What mutes it; nothing mutes what needs a person.
    pub fn topic(self) -> Option<Topic> {
        match self {
            Self::OrderConfirmed => Some(Topic::Orders),
            Self::OrderReview => None,
            _ => Some(Topic::Products),
        }
    }

    /// Reads both spellings.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text || k.event() == text)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One field, printed. Empty: there was none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    #[serde(rename = "f")]
    pub field: String,
    #[serde(rename = "o", default, skip_serializing_if = "String::is_empty")]
    pub old: String,
    #[serde(rename = "n", default, skip_serializing_if = "String::is_empty")]
    pub new: String,
}

/// The part of a change that letters tell; every text on one line and of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// Of an order: its total.
    pub sku: String,
    /// Of an order: its number.
    pub name: String,
    /// Who did it: a name if it is known, else an id or a service's name; empty: nobody is named.
    pub actor: String,
    pub fields: Vec<FieldChange>,
    /// Changed fields that found no place in `fields`.
    #[serde(skip_serializing_if = "is_none")]
    pub more: usize,
}

fn is_none(more: &usize) -> bool {
    *more == 0
}

impl Change {
    /// Cuts everything to its bound.
    pub fn new(sku: &str, name: &str, actor: &str, fields: Vec<FieldChange>) -> Self {
        let more = fields.len().saturating_sub(FIELD_LIMIT);
        let told = fields.into_iter().take(FIELD_LIMIT).map(|f| FieldChange {
            field: one_line(&f.field, NAME_LIMIT),
            old: one_line(&f.old, VALUE_LIMIT),
            new: one_line(&f.new, VALUE_LIMIT),
        });
        Self {
            sku: one_line(sku, NAME_LIMIT),
            name: one_line(name, NAME_LIMIT),
            actor: one_line(actor, NAME_LIMIT),
            fields: told.collect(),
            more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_of_a_change_has_a_bound() {
        let field = FieldChange {
            field: "description".into(),
            old: String::new(),
            new: "line\n".repeat(1000),
        };
        let change = Change::new(&"s".repeat(500), "a\r\nb", "usr_1", vec![field; 60]);
        assert_eq!(change.name, "a  b");
        assert_eq!(change.sku.chars().count(), NAME_LIMIT);
        assert_eq!((change.fields.len(), change.more), (FIELD_LIMIT, 20));
        assert_eq!(change.fields[0].new.chars().count(), VALUE_LIMIT);
    }

    #[test]
    fn kinds_read_both_spellings() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            assert_eq!(Kind::parse(kind.event()), Some(kind));
        }
        assert_eq!(Kind::parse("moved"), None);
    }
}
