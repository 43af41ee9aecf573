//! A product's writable fields out of a body, with the other words that writers may use.
use std::collections::BTreeMap;

use souk_proto::catalog::v1::{
    OptionalText, Product, ProductFields, ProductKind, StringList, StringMap,
};
use souk_rpc::{Failure, Kind, Violation};
use tonic::{Response, Status};

use crate::api::Answer;
use crate::http::json::Fields;
use crate::http::problem::Problem;

/// A body as far as it could be read, and what is broken in it.
pub(crate) struct Read {
    pub(crate) fields: ProductFields,
    pub(crate) names: SentNames,
    pub(crate) broken: Vec<Violation>,
}

impl Read {
    /// Only a body in which nothing is broken.
    pub(crate) fn fine(self) -> Answer<(ProductFields, SentNames)> {
        if self.broken.is_empty() {
            Ok((self.fields, self.names))
        } else {
            Err(Problem::fields(self.broken))
        }
    }
}

/// Under which name the client sent a field that has several.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentNames(BTreeMap<&'static str, &'static str>);

impl SentNames {
    /// A service's refusal in the words of the client.
    pub(crate) fn rename(&self, status: Status) -> Problem {
        Problem::from(status).renamed(|field| self.of(field))
    }

    /// The service's answer, with what this gateway found broken before it asked: the client is
    /// told everything at once. With something broken the service was only asked to check.
    pub(crate) fn settle(
        &self,
        own: Vec<Violation>,
        answer: Result<Response<Product>, Status>,
    ) -> Answer<Product> {
        if own.is_empty() {
            return answer.map(Response::into_inner).map_err(|status| self.rename(status));
        }
        let mut broken = own;
        match answer.map_err(Failure::from) {
            Ok(_) => {}
            Err(failure) => match failure.kind {
                Kind::Invalid => {
                    for Violation { field, message } in failure.violations {
                        let field = self.of(&field).unwrap_or(field);
                        if !broken.iter().any(|v| v.field == field) {
                            broken.push(Violation { field, message });
                        }
                    }
                }
                // what was found here is true without the service
                Kind::Exhausted | Kind::Timeout | Kind::Unavailable | Kind::Internal => {}
                _ => return Err(failure.into()),
            },
        }
        Err(Problem::fields(broken))
    }

    pub(crate) fn of(&self, field: &str) -> Option<String> {
        self.0.get(field).map(|sent| (*sent).to_owned())
    }
}

/// Takes all fields; what is of the wrong type or unknown is named at once.
pub(crate) fn product(mut body: Fields) -> Read {
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
    Read { fields, names, broken: body.violations() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Read {
        product(Fields::parse(body.as_bytes()).unwrap())
    }

    fn told(problem: &Problem) -> Vec<(String, String)> {
        let json = serde_json::to_value(problem).unwrap();
        let text = |v: &serde_json::Value| v.as_str().unwrap().to_owned();
        let errors = json["errors"].as_array().unwrap().iter();
        errors.map(|e| (text(&e["field"]), text(&e["message"]))).collect()
    }

    #[test]
    fn what_gateway_and_service_find_broken_is_told_at_once() {
        let read = read(r#"{"quantity": -3, "mark": "x\ny", "price": true, "colour": "red"}"#);
        assert_eq!(read.fields.stock, Some(-3));
        let service = Failure::invalid(vec![
            Violation::new("name", "is required"),
            Violation::new("price", "is required"),
            Violation::new("brand", "must be one line"),
            Violation::new("stock", "must not be negative"),
        ]);
        let problem = read.names.settle(read.broken, Err(service.into())).unwrap_err();
        assert_eq!(problem.status(), 422);
        let pair = |f: &str, m: &str| (f.to_owned(), m.to_owned());
        assert_eq!(
            told(&problem),
            [
                pair("price", "must be a number or a string such as \"39.99\""),
                pair("colour", "is not a field of this request"),
                pair("name", "is required"),
                pair("mark", "must be one line"),
                pair("quantity", "must not be negative"),
            ]
        );
    }

    #[test]
    fn what_the_gateway_finds_is_told_also_when_the_service_is_away() {
        let read = read(r#"{"colour": "red"}"#);
        let away = Failure::new(Kind::Unavailable, "service_unavailable", "away");
        let problem = read.names.settle(read.broken, Err(away.into())).unwrap_err();
        assert_eq!((problem.status(), told(&problem).len()), (422, 1));
    }

    #[test]
    fn a_product_that_is_not_there_is_not_there_whatever_the_body() {
        let read = read(r#"{"colour": "red"}"#);
        let unknown = Failure::new(Kind::NotFound, "product_not_found", "no such product");
        let problem = read.names.settle(read.broken, Err(unknown.into())).unwrap_err();
        assert_eq!(problem.status(), 404);
    }
}
