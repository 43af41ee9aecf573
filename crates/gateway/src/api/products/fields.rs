//! A product's writable fields out of a body, with the other words that writers may use.
use souk_proto::catalog::v1::{OptionalText, ProductFields, ProductKind, StringList, StringMap};
use souk_rpc::Violation;

use crate::api::sent::SentNames;
use crate::http::json::Fields;

/// A body as far as it could be read, and what is broken in it.
pub(crate) struct Read {
    pub(crate) fields: ProductFields,
    pub(crate) names: SentNames,
    pub(crate) broken: Vec<Violation>,
}

/// Takes all fields; what is of the wrong type or unknown is named at once.
pub(crate) fn product(mut body: Fields) -> Read {
    let mut names = SentNames::default();
    let brand = body.alias(&["brand", "mark", "company"]);
    let stock = body.alias(&["stock", "quantity"]);
    names.note("brand", brand);
    names.note("stock", stock);
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
    use souk_proto::catalog::v1::Product;
    use souk_rpc::{Failure, Kind};
    use tonic::{Response, Status};

    use super::*;
    use crate::http::problem::Problem;

    fn refused(read: Read, failure: Failure) -> Problem {
        let answer: Result<Response<Product>, Status> = Err(failure.into());
        read.names.settle(read.broken, answer).unwrap_err()
    }

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
        let problem = refused(read, service);
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
        let problem = refused(read, away);
        assert_eq!((problem.status(), told(&problem).len()), (422, 1));
    }

    #[test]
    fn a_product_that_is_not_there_is_not_there_whatever_the_body() {
        let read = read(r#"{"colour": "red"}"#);
        let unknown = Failure::new(Kind::NotFound, "product_not_found", "no such product");
        let problem = refused(read, unknown);
        assert_eq!(problem.status(), 404);
    }
}
