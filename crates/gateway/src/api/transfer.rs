//! Product files in and out.
use std::collections::HashMap;

use axum::Json;
use axum::body::Body;
use axum::extract::multipart::Field;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use souk_proto::catalog::v1::import_products_request::Part;
use souk_proto::catalog::v1::{ExportProductsRequest, ImportOptions, ImportProductsRequest};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use super::{Answer, idempotency_key};
use crate::api::images::form_problem;
use crate::http::Site;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::ProductsWriter;

/// A product file with options; the file comes last.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the body")]
pub(crate) struct ImportForm {
    /// `field=Column` pairs separated by commas, such as `sku=StockCode,price=UnitPrice`; without
    /// it the header decides (Souk's export, Shopify's, or columns named like fields).
    map: Option<String>,
    /// ISO 4217, of prices without one; default: the shop's.
    currency: Option<String>,
    /// `true`: only say what would happen.
    dry_run: Option<String>,
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// The import is stored and will be done, also after a crash.
#[derive(Serialize, ToSchema)]
pub(crate) struct ImportStarted {
    job_id: String,
    /// Where its progress stands.
    job: String,
}

/// Imports products from a CSV file, as a job.
#[utoipa::path(post, path = "/api/admin/products/import", tag = "products",
    request_body(content = ImportForm, content_type = "multipart/form-data"),
    params(("Idempotency-Key" = Option<String>, Header, description = "the same key with the same file answers the same job")),
    responses((status = 202, body = ImportStarted)), security(("bearer" = [])))]
pub(crate) async fn import(
    State(site): State<Site>,
    _may: ProductsWriter,
    headers: HeaderMap,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Answer<Response> {
    let mut options =
        ImportOptions { idempotency_key: idempotency_key(&headers)?, ..ImportOptions::default() };
    let mut form = form.map_err(|_| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_a_form",
            "send a form (multipart/form-data) with a file",
        )
    })?;
    while let Some(mut field) = form.next_field().await.map_err(form_problem)? {
        match field.name().unwrap_or_default() {
            "file" => {
                options.file_name = field.file_name().unwrap_or("upload.csv").to_owned();
                return upload(&site, options, field).await;
            }
            "map" => options.mapping = mapping(&text(&mut field).await?)?,
            "currency" => options.currency = text(&mut field).await?,
            "dry_run" => {
                options.dry_run = match text(&mut field).await?.as_str() {
                    "true" | "1" => true,
                    "false" | "0" | "" => false,
                    _ => return Err(Problem::field("dry_run", "must be true or false")),
                }
            }
            other => {
                let other = other.to_owned();
                return Err(Problem::field(&other, "is not a field of this form"));
            }
        }
    }
    Err(Problem::field("file", "is required"))
}

/// Passes the file on as it arrives: it is never in memory as a whole.
async fn upload(site: &Site, options: ImportOptions, mut file: Field<'_>) -> Answer<Response> {
    let (sender, receiver) = mpsc::channel(4);
    let part = |part| ImportProductsRequest { part: Some(part) };
    let mut client = site.clients.transfer.clone();
    let call = client.import_products(ReceiverStream::new(receiver));
    let send = async move {
        if sender.send(part(Part::Options(options))).await.is_err() {
            return Ok(());
        }
        while let Some(chunk) = file.chunk().await.map_err(form_problem)? {
            for piece in chunk.chunks(256 * 1024) {
                // the other end has made up its mind: its answer says why
                if sender.send(part(Part::Chunk(piece.to_vec()))).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok::<(), Problem>(())
    };
    let (sent, answered) = tokio::join!(send, call);
    sent?;
    let job_id = answered?.into_inner().job_id;
    let started = ImportStarted { job: format!("/api/admin/jobs/{job_id}"), job_id };
    let mut response = (StatusCode::ACCEPTED, Json(&started)).into_response();
    if let Ok(location) = HeaderValue::from_str(&started.job) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn text(field: &mut Field<'_>) -> Answer<String> {
    let name = field.name().unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(form_problem)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > 16 * 1024 {
            return Err(Problem::field(&name, "is too long"));
        }
    }
    String::from_utf8(bytes).map_err(|_| Problem::not_parsable("the form is not UTF-8"))
}

fn mapping(text: &str) -> Answer<HashMap<String, String>> {
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    pairs
        .map(|pair| {
            let (field, column) = pair.split_once('=').ok_or_else(|| {
                Problem::field("map", "must be field=Column pairs separated by commas")
            })?;
            Ok((field.trim().to_owned(), column.trim().to_owned()))
        })
        .collect()
}

/// All products as CSV: Shopify's columns and Souk's own. Importing the file changes nothing.
#[utoipa::path(get, path = "/api/admin/products/export", tag = "products", params(
    ("include_hidden" = Option<bool>, Query, description = "default true"),
), responses((status = 200, body = String, content_type = "text/csv")), security(("bearer" = [])))]
pub(crate) async fn export(
    State(site): State<Site>,
    _may: ProductsWriter,
    mut query: Query,
) -> Answer<Response> {
    let include_hidden = query.boolean("include_hidden").unwrap_or(true);
    query.finish()?;
    let request = ExportProductsRequest { include_hidden };
    let parts = site.clients.transfer.clone().export_products(request).await?.into_inner();
    let bytes = parts.map(|part| part.map(|chunk| bytes::Bytes::from(chunk.content)));
    let mut response = Response::new(Body::from_stream(bytes));
    let headers = response.headers_mut();
    let csv = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, csv);
    let name = HeaderValue::from_static("attachment; filename=\"products.csv\"");
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}
