//! Products as JSON.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_proto::catalog::v1::{ListProductsResponse, Product, ProductKind, WriteResult};
use souk_rpc::Violation;
use souk_values::{Currency, Money};
use utoipa::ToSchema;

use crate::api::sent::SentNames;
use crate::api::{maybe, time};
use crate::http::problem::Problem;

/// A product.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProductView {
    #[schema(example = "prd_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    /// Stock keeping unit: free text, unique.
    sku: String,
    slug: String,
    name: String,
    /// Plain text; of imported files also simple HTML.
    description: String,
    brand: String,
    /// Path of the category, `phones/refurbished`.
    category: Option<String>,
    tags: Vec<String>,
    #[schema(example = "physical")]
    kind: &'static str,
    condition: Option<String>,
    /// Decimal number in `currency`.
    #[schema(example = "39.99")]
    price: String,
    old_price: Option<String>,
    #[schema(example = "EUR")]
    currency: String,
    /// What can be bought now; `null` for digital goods: no limit.
    stock: Option<i64>,
    active: bool,
    images: Vec<String>,
    attributes: BTreeMap<String, String>,
    version: u64,
    created_at: String,
    updated_at: String,
}

impl From<Product> for ProductView {
    fn from(p: Product) -> Self {
        let kind = if p.kind() == ProductKind::Digital { "digital" } else { "physical" };
        let price = p.price.unwrap_or_default();
        let currency = price.currency.parse().unwrap_or(Currency::EUR);
        let decimal = |minor| Money::new(minor, currency).decimal();
        Self {
            kind,
            price: decimal(price.minor),
            old_price: p.old_price_minor.map(decimal),
            currency: price.currency,
            id: p.id,
            sku: p.sku,
            slug: p.slug,
            name: p.name,
            description: p.description,
            brand: p.brand,
            category: maybe(p.category),
            tags: p.tags,
            condition: maybe(p.condition),
            stock: p.stock,
            active: p.active,
            images: p.images,
            attributes: p.attributes.into_iter().collect(),
            version: p.version,
            created_at: time(p.created_at_us),
            updated_at: time(p.updated_at_us),
        }
    }
}

/// Part of a list of products.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProductPage {
    items: Vec<ProductView>,
    /// `cursor` of the next page; `null`: this is the last.
    next_cursor: Option<String>,
}

impl From<ListProductsResponse> for ProductPage {
    fn from(found: ListProductsResponse) -> Self {
        Self {
            items: found.items.into_iter().map(ProductView::from).collect(),
            next_cursor: maybe(found.next_cursor),
        }
    }
}

/// The product, with its id also under the name that the first clients know.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedProduct {
    pub(super) product_id: String,
    #[serde(flatten)]
    pub(super) product: ProductView,
}

/// What a writer may say of a product.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct ProductBody {
    /// Only when creating; default: the id.
    #[schema(nullable = false, min_length = 1, max_length = 500)]
    sku: Option<String>,
    /// Default: made of the name.
    #[schema(nullable = false, min_length = 1, max_length = 200)]
    slug: Option<String>,
    /// Needed to create.
    #[schema(nullable = false, min_length = 1, max_length = 300)]
    name: Option<String>,
    #[schema(nullable = false, max_length = 20000)]
    description: Option<String>,
    #[schema(nullable = false, max_length = 100)]
    brand: Option<String>,
    /// Another word for `brand`.
    #[schema(nullable = false, max_length = 100)]
    mark: Option<String>,
    /// Another word for `brand`.
    #[schema(nullable = false, max_length = 100)]
    company: Option<String>,
    category: Option<String>,
    #[schema(nullable = false)]
    tags: Option<Vec<String>>,
    /// `physical` or `digital`.
    #[schema(nullable = false)]
    kind: Option<String>,
    /// `new`, `like_new`, `good` or `fair`.
    condition: Option<String>,
    /// Needed to create. A number or a string, read exactly.
    #[schema(value_type = Option<Decimal>, nullable = false)]
    price: Option<String>,
    #[schema(value_type = Option<Decimal>)]
    old_price: Option<String>,
    /// ISO 4217; default: the product's, the shop's for a new one.
    #[schema(nullable = false)]
    currency: Option<String>,
    /// A count of what can be bought.
    #[schema(nullable = false, minimum = 0, maximum = 1000000000)]
    stock: Option<i64>,
    /// Another word for `stock`.
    #[schema(nullable = false, minimum = 0, maximum = 1000000000)]
    quantity: Option<i64>,
    #[schema(nullable = false)]
    active: Option<bool>,
    #[schema(nullable = false)]
    images: Option<Vec<String>>,
    #[schema(nullable = false)]
    attributes: Option<BTreeMap<String, String>>,
}

/// A decimal number, or a string of one: `39.99` or `"39.99"`.
#[derive(Deserialize, Serialize, ToSchema)]
#[allow(dead_code, reason = "describes a field of bodies")]
#[serde(untagged)]
pub(crate) enum Decimal {
    Text(String),
    Number(f64),
}

/// Products to create or update, by SKU.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct BulkBody {
    #[schema(min_items = 1, max_items = 500)]
    items: Vec<ProductBody>,
}

/// What became of each item, in order.
#[derive(Serialize, ToSchema)]
pub(crate) struct BulkResult {
    pub(super) items: Vec<BulkItem>,
}

#[derive(Serialize, ToSchema, Default)]
pub(crate) struct BulkItem {
    /// `created`, `updated`, `unchanged` or `failed`.
    outcome: String,
    sku: Option<String>,
    id: Option<String>,
    version: Option<u64>,
    /// Why it failed.
    problem: Option<Problem>,
}

impl BulkItem {
    /// `own`: what this gateway found broken; then the service has only checked the item.
    pub(super) fn of(result: WriteResult, names: &SentNames, own: Vec<Violation>) -> Self {
        let failed = result.outcome == "failed" || !own.is_empty();
        let problem = failed.then(|| {
            let theirs = result.errors.into_iter();
            let theirs = theirs.map(|e| Violation { field: e.field, message: e.message });
            let broken = names.together(own, theirs);
            let problem = if broken.is_empty() {
                Problem::new(http::StatusCode::CONFLICT, &result.code, &result.detail)
            } else {
                Problem::fields(broken)
            };
            problem.traced()
        });
        Self {
            outcome: if failed { "failed".to_owned() } else { result.outcome },
            sku: maybe(result.sku),
            id: maybe(result.id),
            version: (!failed).then_some(result.version),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_proto::catalog::v1::FieldProblem;

    use super::*;

    fn failed(errors: &[(&str, &str)]) -> WriteResult {
        let problem = |&(field, message): &(&str, &str)| FieldProblem {
            field: field.to_owned(),
            message: message.to_owned(),
        };
        let errors = errors.iter().map(problem).collect();
        let (outcome, code) = ("failed".to_owned(), "sku_taken".to_owned());
        WriteResult { outcome, code, errors, ..WriteResult::default() }
    }

    async fn item(result: WriteResult, own: Vec<Violation>) -> serde_json::Value {
        let mut names = SentNames::default();
        names.note("stock", "quantity");
        let request_id = Some("req-1".into());
        let context = souk_rpc::CallContext { request_id, ..souk_rpc::CallContext::default() };
        let item = async { serde_json::to_value(BulkItem::of(result, &names, own)).unwrap() };
        souk_rpc::scope(context, item).await
    }

    #[tokio::test]
    async fn an_item_names_what_gateway_and_service_find_broken() {
        let own = || vec![Violation::new("price", "must be a number")];
        let service = failed(&[("price", "is required"), ("stock", "must not be negative")]);
        let item = item(service, own()).await;
        assert_eq!((&item["outcome"], &item["version"]), (&"failed".into(), &().into()));
        assert_eq!(item["problem"]["errors"][0]["message"], "must be a number");
        assert_eq!(item["problem"]["errors"][1]["field"], "quantity");
        assert_eq!(item["problem"]["errors"].as_array().unwrap().len(), 2);
        assert_eq!(item["problem"]["trace_id"], "req-1");
    }

    #[tokio::test]
    async fn an_item_that_only_the_gateway_finds_broken_has_failed() {
        let checked = WriteResult { outcome: "checked".to_owned(), ..WriteResult::default() };
        let item = item(checked, vec![Violation::new("colour", "is no field")]).await;
        assert_eq!(item["outcome"], "failed");
        assert_eq!(item["problem"]["code"], "invalid_fields");
    }

    #[tokio::test]
    async fn a_conflict_of_an_item_can_be_traced_too() {
        let item = item(failed(&[]), Vec::new()).await;
        assert_eq!(
            (&item["problem"]["status"], &item["problem"]["code"]),
            (&409.into(), &"sku_taken".into())
        );
        assert_eq!(item["problem"]["trace_id"], "req-1");
    }
}
