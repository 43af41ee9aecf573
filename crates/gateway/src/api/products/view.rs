//! Products as JSON.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_proto::catalog::v1::{ListProductsResponse, Product, ProductKind, WriteResult};
use souk_values::{Currency, Money};
use utoipa::ToSchema;

use super::fields::SentNames;
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
    pub(super) fn broken(problem: Problem) -> Self {
        Self { outcome: "failed".to_owned(), problem: Some(problem), ..Self::default() }
    }

    pub(super) fn written(result: WriteResult, names: &SentNames) -> Self {
        let failed = result.outcome == "failed";
        let problem = failed.then(|| {
            let violations = result.errors.into_iter().map(|e| souk_rpc::Violation {
                field: names.of(&e.field).unwrap_or(e.field),
                message: e.message,
            });
            let violations: Vec<_> = violations.collect();
            if violations.is_empty() {
                Problem::new(http::StatusCode::CONFLICT, &result.code, &result.detail)
            } else {
                Problem::fields(violations)
            }
        });
        Self {
            outcome: result.outcome,
            sku: maybe(result.sku),
            id: maybe(result.id),
            version: (!failed).then_some(result.version),
            problem,
        }
    }
}
