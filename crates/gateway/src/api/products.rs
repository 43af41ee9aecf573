//! Products: read by everybody, written by admins.
mod fields;
mod view;

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use souk_proto::catalog::v1::{
    CreateProductRequest, DeleteProductRequest, GetProductRequest, GetProductsRequest,
    ListProductsRequest, Product, ProductKind, RestoreProductRequest, UpdateProductRequest,
    WriteProductsRequest,
};
use souk_rpc::Failure;
use souk_values::ProductId;

pub(crate) use view::{ProductBody, ProductPage, ProductView};

use super::{Answer, idempotency_key};
use crate::api::products::fields::Read;
use crate::api::products::view::{BulkBody, BulkItem, BulkResult, CreatedProduct};
use crate::api::sent::is_silence;
use crate::hot::{HotProduct, Rendered};
use crate::http::Site;
use crate::http::edge::{Peer, render};
use crate::http::json::Fields;
use crate::http::precondition::{IfMatch, tag};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{ProductsWriter, Session};

/// Lists products, newest first by default.
#[utoipa::path(get, path = "/api/products", tag = "products", params(
    ("limit" = Option<u32>, Query, description = "1 to 100, default 24", minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ("sort" = Option<String>, Query, description = "created_at, updated_at, price, name or sku; \"-\" in front turns it round; default -created_at"),
    ("category" = Option<String>, Query, description = "path of a category; those below it count"),
    ("brand" = Option<String>, Query),
    ("q" = Option<String>, Query, description = "words that must all occur in name, SKU, brand, tags or description"),
    ("tag" = Option<Vec<String>>, Query, description = "may repeat: all must be there"),
    ("min_price" = Option<String>, Query, description = "in the shop's currency"),
    ("max_price" = Option<String>, Query, description = "in the shop's currency"),
    ("in_stock" = Option<bool>, Query),
    ("kind" = Option<String>, Query, description = "physical or digital"),
    ("condition" = Option<String>, Query),
    ("active" = Option<bool>, Query, description = "false: hidden ones (admins)"),
    ("include_hidden" = Option<bool>, Query, description = "hidden ones too (admins)"),
), responses((status = 200, body = ProductPage), (status = 304, description = "the client's copy is current")))]
pub(crate) async fn list(
    State(site): State<Site>,
    session: Option<Session>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
    query: Query,
) -> Answer<Response> {
    let fill = site.hot.begin();
    let raw = raw.unwrap_or_default();
    if session.is_none()
        && let Some(hot) = site.hot.list(&raw)
    {
        return Ok(render(&headers, &hot));
    }
    let request = listing(&site, query)?;
    let found = site.clients.products.clone().list_products(request).await;
    let sent_as = |field: &str| (field == "text").then(|| "q".to_owned());
    let found = found.map_err(|status| Problem::from(status).renamed(sent_as))?.into_inner();
    let page = ProductPage::from(found);
    let rendered = Arc::new(rendered(&page, None)?);
    if session.is_none() {
        site.hot.keep_list(fill, &raw, rendered.clone());
    }
    Ok(render(&headers, &rendered))
}

fn listing(site: &Site, mut query: Query) -> Answer<ListProductsRequest> {
    let kind = match query.text("kind").as_deref() {
        None => ProductKind::Unspecified,
        Some("physical") => ProductKind::Physical,
        Some("digital") => ProductKind::Digital,
        Some(_) => {
            query.breaks("kind", "must be physical or digital");
            ProductKind::Unspecified
        }
    };
    let request = ListProductsRequest {
        page: Some(query.page()),
        category: query.text("category").unwrap_or_default(),
        brand: query.text("brand").unwrap_or_default(),
        text: query.text("q").unwrap_or_default(),
        tags: query.texts("tag"),
        min_price_minor: query.price("min_price", site.currency),
        max_price_minor: query.price("max_price", site.currency),
        in_stock: query.boolean("in_stock"),
        active: query.boolean("active"),
        kind: kind.into(),
        condition: query.text("condition").unwrap_or_default(),
        sort: query.text("sort").unwrap_or_default(),
        include_hidden: query.boolean("include_hidden").unwrap_or_default(),
    };
    query.finish()?;
    Ok(request)
}

/// One product by id, SKU or slug. Each answer counts as a view.
#[utoipa::path(get, path = "/api/products/{key}", tag = "products", params(
    ("key" = String, Path, description = "id, SKU or slug; a slash inside is written %2F"),
    ("include_hidden" = Option<bool>, Query, description = "a hidden one too (admins)"),
), responses((status = 200, body = ProductView), (status = 304, description = "the client's copy is current")))]
pub(crate) async fn get(
    State(site): State<Site>,
    session: Option<Session>,
    peer: axum::Extension<Peer>,
    method: http::Method,
    Path(key): Path<String>,
    headers: HeaderMap,
    mut query: Query,
) -> Answer<Response> {
    let include_hidden = query.boolean("include_hidden").unwrap_or_default();
    query.finish()?;
    let hot = match site.hot.product(&key).filter(|_| !include_hidden) {
        Some(hot) => hot,
        None => {
            let fill = site.hot.begin();
            let request = GetProductRequest { key: key.clone(), include_hidden };
            let found = site.clients.products.clone().get_product(request).await?.into_inner();
            let hot = Arc::new(hot_product(found)?);
            if !include_hidden {
                site.hot.keep_product(fill, &key, hot.clone());
            }
            hot
        }
    };
    // HEAD looks without being counted
    if method == http::Method::GET {
        let user = session.as_ref().map(|s| s.user.as_ref());
        site.views.note(hot.id, site.viewers.of(user, &headers, peer.0.0.ip()));
    }
    Ok(render(&headers, &hot.rendered))
}

fn hot_product(product: Product) -> Answer<HotProduct> {
    let id: ProductId = product.id.parse().map_err(|_| Problem::not_found())?;
    let etag = tag(product.version, Some(product.stock_seq));
    let rendered = rendered(&ProductView::from(product), Some(etag))?;
    Ok(HotProduct::new(id, rendered))
}

/// Asks anew for what is about to expire, hundreds in one call.
pub(crate) async fn refresh(site: &Site, products: &[Arc<HotProduct>]) -> Answer<()> {
    for some in products.chunks(REFRESHED_AT_ONCE) {
        let fill = site.hot.begin();
        let request = GetProductsRequest { ids: some.iter().map(|p| p.id.to_string()).collect() };
        let found = site.clients.products.clone().get_products(request).await?.into_inner();
        let before: HashMap<ProductId, &Arc<HotProduct>> = some.iter().map(|p| (p.id, p)).collect();
        for product in found.items {
            let (sku, slug) = (product.sku.clone(), product.slug.clone());
            let new = hot_product(product)?;
            if let Some(before) = before.get(&new.id) {
                let hot = HotProduct::refreshed(before, new.rendered);
                site.hot.refresh(fill, hot, [&sku, &slug]);
            }
        }
    }
    Ok(())
}

const REFRESHED_AT_ONCE: usize = 200;

/// Without a version of its own a body is tagged by its bytes.
fn rendered<T: serde::Serialize>(body: &T, etag: Option<http::HeaderValue>) -> Answer<Rendered> {
    let body = serde_json::to_vec(body).map_err(|e| {
        tracing::error!(error = %e, "answer not rendered");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong")
    })?;
    let etag = etag.unwrap_or_else(|| {
        use sha2::{Digest, Sha256};
        let hash = Sha256::digest(&body);
        let short: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        http::HeaderValue::from_str(&format!("\"{short}\""))
            .unwrap_or_else(|_| http::HeaderValue::from_static("\"0\""))
    });
    Ok(Rendered { body: body.into(), etag })
}

/// Creates a product. Name and price are needed; everything else has a default.
#[utoipa::path(post, path = "/api/products", tag = "products", request_body = ProductBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "repeats the answer of the first request with this key")),
    responses((status = 201, body = CreatedProduct)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: ProductsWriter,
    headers: HeaderMap,
    body: Fields,
) -> Answer<Response> {
    let Read { fields, names, broken } = fields::product(body);
    let idempotency_key = idempotency_key(&headers)?;
    let check_only = !broken.is_empty();
    let request = CreateProductRequest { fields: Some(fields), idempotency_key, check_only };
    let made = site.clients.products.clone().create_product(request).await;
    let made = names.settle(broken, made)?;
    changed(&site, &made);
    let etag = tag(made.version, Some(made.stock_seq));
    let location = format!("/api/products/{}", made.id);
    let body = CreatedProduct { product_id: made.id.clone(), product: made.into() };
    let mut response = super::created(&location, None, &body);
    response.headers_mut().insert(http::header::ETAG, etag);
    Ok(response)
}

/// Changes the given fields of a product; the others stay.
#[utoipa::path(put, path = "/api/products/{key}", tag = "products", request_body = ProductBody,
    params(("key" = String, Path, description = "id, SKU or slug"),
        ("If-Match" = Option<String>, Header, description = "ETag that the writer has seen; another one now: 412")),
    responses((status = 200, body = ProductView)), security(("bearer" = [])))]
pub(crate) async fn put(
    site: State<Site>,
    may: ProductsWriter,
    key: Path<String>,
    seen: IfMatch,
    body: Fields,
) -> Answer<Response> {
    patch(site, may, key, seen, body).await
}

/// The same as PUT.
#[utoipa::path(patch, path = "/api/products/{key}", tag = "products", request_body = ProductBody,
    params(("key" = String, Path, description = "id, SKU or slug"),
        ("If-Match" = Option<String>, Header, description = "ETag that the writer has seen; another one now: 412")),
    responses((status = 200, body = ProductView)), security(("bearer" = [])))]
pub(crate) async fn patch(
    State(site): State<Site>,
    _may: ProductsWriter,
    Path(key): Path<String>,
    IfMatch(expected_version): IfMatch,
    body: Fields,
) -> Answer<Response> {
    if body.is_empty() {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no_fields",
            "say at least one field to change",
        ));
    }
    let Read { fields, names, broken } = fields::product(body);
    let check_only = !broken.is_empty();
    let fields = Some(fields);
    let request = UpdateProductRequest { key, fields, expected_version, check_only };
    let product = site.clients.products.clone().update_product(request).await;
    let product = names.settle(broken, product)?;
    Ok(written(&site, product))
}

/// Hides a product; orders keep their copy of it.
#[utoipa::path(delete, path = "/api/products/{key}", tag = "products",
    params(("key" = String, Path, description = "id, SKU or slug"),
        ("If-Match" = Option<String>, Header, description = "ETag that the writer has seen; another one now: 412")),
    responses((status = 200, body = ProductView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _may: ProductsWriter,
    Path(key): Path<String>,
    IfMatch(expected_version): IfMatch,
) -> Answer<Response> {
    let request = DeleteProductRequest { key, expected_version };
    let product = site.clients.products.clone().delete_product(request).await?.into_inner();
    Ok(written(&site, product))
}

/// Shows a hidden product again.
#[utoipa::path(post, path = "/api/products/{key}/restore", tag = "products",
    params(("key" = String, Path, description = "id, SKU or slug"),
        ("If-Match" = Option<String>, Header, description = "ETag that the writer has seen; another one now: 412")),
    responses((status = 200, body = ProductView)), security(("bearer" = [])))]
pub(crate) async fn restore(
    State(site): State<Site>,
    _may: ProductsWriter,
    Path(key): Path<String>,
    IfMatch(expected_version): IfMatch,
) -> Answer<Response> {
    let request = RestoreProductRequest { key, expected_version };
    let product = site.clients.products.clone().restore_product(request).await?.into_inner();
    Ok(written(&site, product))
}

/// Creates or updates up to 500 products by SKU; each item succeeds or fails by itself.
#[utoipa::path(post, path = "/api/admin/products/bulk", tag = "products", request_body = BulkBody,
    responses((status = 200, body = BulkResult)), security(("bearer" = [])))]
pub(crate) async fn bulk(
    State(site): State<Site>,
    _may: ProductsWriter,
    mut body: Fields,
) -> Answer<Json<BulkResult>> {
    let items = body.objects("items");
    if items.is_none() {
        body.breaks("items", "is required");
    }
    body.finish()?;
    let (mut wanted, mut check_only, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for (place, item) in (0..).zip(items.unwrap_or_default()) {
        let Read { fields, names, broken } = fields::product(Fields::new(item));
        if !broken.is_empty() {
            check_only.push(place);
        }
        wanted.push(fields);
        sent.push((names, broken));
    }
    let nothing_to_write = !wanted.is_empty() && check_only.len() == wanted.len();
    let request = WriteProductsRequest { items: wanted, check_only };
    let answer = site.clients.products.clone().write_products(request).await;
    let results = match answer.map_err(Failure::from) {
        Ok(answer) => answer.into_inner().results,
        Err(failure) if nothing_to_write && is_silence(failure.kind) => Vec::new(),
        Err(failure) => return Err(failure.into()),
    };
    for result in &results {
        if let Ok(id) = result.id.parse() {
            site.hot.drop_product(id, &[&result.sku]);
        }
    }
    let mut results = results.into_iter();
    let items = sent
        .into_iter()
        .map(|(names, own)| BulkItem::of(results.next().unwrap_or_default(), &names, own))
        .collect();
    Ok(Json(BulkResult { items }))
}

/// The answer to a change; this gateway's own memory forgets the product before it is given.
pub(crate) fn written(site: &Site, product: Product) -> Response {
    changed(site, &product);
    let etag = tag(product.version, Some(product.stock_seq));
    let mut response = Json(ProductView::from(product)).into_response();
    response.headers_mut().insert(http::header::ETAG, etag);
    response.map(Body::new)
}

fn changed(site: &Site, product: &Product) {
    if let Ok(id) = product.id.parse() {
        site.hot.drop_product(id, &[&product.sku, &product.slug]);
    }
}
