//! Where goods and bills go, and what a buyer says at the checkout.
use std::fmt;

use serde::{Deserialize, Serialize};
use souk_values::is_country;

use super::card::looks_like_card;

/// A field's name and what it must be.
pub(crate) type Broken = Vec<(String, String)>;

/// Longest note to the shop, in characters.
pub(crate) const NOTE_MAX: usize = 1_000;

/// A postal address, checked. An order keeps its own copy.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) company: String,
    pub(crate) line1: String,
    pub(crate) line2: String,
    pub(crate) city: String,
    pub(crate) region: String,
    pub(crate) postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: String,
    pub(crate) phone: String,
}

/// Personal: a log shows the country only.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.country)
    }
}

impl Address {
    /// Trims every field; names each broken one as `prefix.field`.
    pub(crate) fn checked(mut self, prefix: &str, broken: &mut Broken) -> Self {
        let fields: [(&str, &mut String, usize, usize); 8] = [
            ("name", &mut self.name, 1, 200),
            ("company", &mut self.company, 0, 200),
            ("line1", &mut self.line1, 1, 200),
            ("line2", &mut self.line2, 0, 200),
            ("city", &mut self.city, 1, 100),
            ("region", &mut self.region, 0, 100),
            ("postal_code", &mut self.postal_code, 0, 20),
            ("phone", &mut self.phone, 0, 40),
        ];
        for (field, text, least, most) in fields {
            *text = text.trim().to_owned();
            if let Err(must) = check_line(text, least, most) {
                broken.push((format!("{prefix}.{field}"), must));
            }
        }
        self.country = self.country.trim().to_ascii_uppercase();
        if !is_country(&self.country) {
            let must = "must be a country code of ISO 3166-1, such as DE";
            broken.push((format!("{prefix}.country"), must.to_owned()));
        }
        self
    }
}

/// One line of text with so many characters and no card number in it.
pub(crate) fn check_line(text: &str, least: usize, most: usize) -> Result<(), String> {
    // bytes first: counting 100 kB of characters is wasted
    let length = if text.len() > 4 * most { usize::MAX } else { text.chars().count() };
    if length < least || length > most {
        return Err(match least {
            0 => format!("must have at most {most} characters"),
            _ => format!("must have {least} to {most} characters"),
        });
    }
    if text.chars().any(char::is_control) {
        return Err("must be one line of printable characters".to_owned());
    }
    check_card(text)
}

/// Card numbers belong in the payment form only.
pub(crate) fn check_card(text: &str) -> Result<(), String> {
    if looks_like_card(text) { Err("must not hold a card number".to_owned()) } else { Ok(()) }
}

/// Several lines: blanks and line breaks are fine, other control characters are not.
pub(crate) fn check_text(text: &str, most: usize) -> Result<(), String> {
    if text.len() > 4 * most || text.chars().count() > most {
        return Err(format!("must have at most {most} characters"));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err("must hold printable characters only".to_owned());
    }
    check_card(text)
}

/// An address as the buyer gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    None,
    Written(Address),
    /// An id of the buyer's address book.
    Kept(String),
}

/// What a buyer says at the checkout, checked by [`Checkout::checked`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkout {
    /// Of a guest's cart that is merged first; empty: none.
    pub(crate) guest_secret: String,
    pub(crate) shipping_address: Place,
    /// `None`: as shipping.
    pub(crate) billing_address: Place,
    /// Code; empty: the cheapest that fits.
    pub(crate) shipping_method: String,
    /// Token; empty: the default test method.
    pub(crate) payment_method: String,
    /// As typed; empty: none.
    pub(crate) coupon: String,
    pub(crate) note: String,
    /// What the buyer saw.
    pub(crate) cart_version: Option<i64>,
}

impl Checkout {
    /// Everything that can be told without looking anything up; all broken fields at once.
    pub(crate) fn checked(mut self) -> Result<Self, Broken> {
        let mut broken = Broken::new();
        self.shipping_address =
            checked_place(self.shipping_address, "shipping_address", &mut broken);
        self.billing_address = checked_place(self.billing_address, "billing_address", &mut broken);
        for (field, text, most) in [
            ("shipping_method", &mut self.shipping_method, 40),
            ("payment_method", &mut self.payment_method, 100),
            ("coupon", &mut self.coupon, 40),
        ] {
            *text = text.trim().to_owned();
            if let Err(must) = check_line(text, 0, most) {
                broken.push((field.to_owned(), must));
            }
        }
        self.note = self.note.trim().to_owned();
        if let Err(must) = check_text(&self.note, NOTE_MAX) {
            broken.push(("note".to_owned(), must));
        }
        if broken.is_empty() { Ok(self) } else { Err(broken) }
    }
}

fn checked_place(place: Place, field: &str, broken: &mut Broken) -> Place {
    match place {
        Place::None => Place::None,
        Place::Written(address) => Place::Written(address.checked(field, broken)),
        Place::Kept(id) => {
            if let Err(must) = check_line(&id, 1, 40) {
                broken.push((format!("{field}_id"), must));
            }
            Place::Kept(id)
        }
    }
}

#[cfg(test)]
mod tests;
