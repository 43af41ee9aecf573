//! A product's writable fields out of a body, with the other words that writers may use.
use std::collections::BTreeMap;

use souk_proto::catalog::v1::{OptionalText, ProductFields, ProductKind, StringList, StringMap};

use crate::api::Answer;
use crate::http::json::Fields;
use crate::http::problem::Problem;

/// Under which name the client sent a field that has several.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentNames(BTreeMap<&'static str, &'static str>);

impl SentNames {
    /// A service's refusal in the words of the client.
    pub(crate) fn rename(&self, status: tonic::Status) -> Problem {
        Problem::from(status).renamed(|field| self.of(field))
    }

    pub(crate) fn of(&self, field: &str) -> Option<String> {
        self.0.get(field).map(|sent| (*sent).to_owned())
    }
}

/// Takes all fields; what is of the wrong type or unknown is named at once.
pub(crate) fn product(mut body: Fields) -> Answer<(ProductFields, SentNames)> {
    let mut names = SentNames::default();
    let brand = body.alias(&["brand", "mark", "company"]);
    let stock = body.alias(&["stock", "quantity"]);
    names.0.insert("brand", brand);
    names.0.insert("stock", stock);
    let list = |values| StringList { values };
    let kind = match body.string("kind").as_deref() {
        None => None,
        Some("physical") => Some(ProductKind::Physical),
        Some("digital") => Some(ProductKind::Digital),
        Some(_) => {
            body.breaks("kind", "must be \"physical\" or \"digital\"");
            None
        }
    };
    let or_empty = |text: Option<Option<String>>| text.map(Option::unwrap_or_default);
    let fields = ProductFields {
        sku: body.string("sku"),
        slug: body.string("slug"),
        name: body.string("name"),
        description: body.string("description"),
        brand: body.string(brand),
        category: or_empty(body.string_or_null("category")),
        tags: body.strings("tags").map(list),
        kind: kind.map(i32::from),
        condition: or_empty(body.string_or_null("condition")),
        price: body.decimal("price"),
        old_price: body.decimal_or_null("old_price").map(|text| OptionalText { text }),
        currency: body.string("currency"),
        stock: body.integer(stock),
        active: body.boolean("active"),
        images: body.strings("images").map(list),
        attributes: body
            .string_map("attributes")
            .map(|values| StringMap { values: values.into_iter().collect() }),
        handle: None,
    };
    body.finish()?;
    Ok((fields, names))
}
