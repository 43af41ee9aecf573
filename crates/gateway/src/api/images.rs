//! Pictures of products.
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use souk_proto::catalog::v1::{AddImageRequest, GetImageRequest};
use utoipa::ToSchema;

use super::{Answer, products};
use crate::api::products::ProductView;
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::session::ProductsWriter;
use crate::http::{Site, json};

#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the body")]
pub(crate) struct PictureForm {
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// Adds a picture: PNG, JPEG, GIF or WebP, at most 5 MiB and 20 million pixels, as a form's `file`
/// or as the body itself. It is made anew from its pixels: nothing else of the file is kept.
#[utoipa::path(post, path = "/api/products/{key}/images", tag = "products",
    request_body(content = PictureForm, content_type = "multipart/form-data"),
    params(("key" = String, Path, description = "id, SKU or slug"),
        ("If-Match" = Option<String>, Header, description = "ETag that the writer has seen; another one now: 412")),
    responses((status = 200, body = ProductView)), security(("bearer" = [])))]
pub(crate) async fn add(
    State(site): State<Site>,
    _may: ProductsWriter,
    Path(key): Path<String>,
    IfMatch(expected_version): IfMatch,
    request: Request,
) -> Answer<Response> {
    let content = picture(&site, request).await?;
    let content_type = String::new();
    let request = AddImageRequest { key, content_type, content, expected_version };
    let product = site.clients.products.clone().add_image(request).await?.into_inner();
    Ok(products::written(&site, product))
}

/// The file of a form, or the body itself.
pub(crate) async fn picture(site: &Site, request: Request) -> Answer<Vec<u8>> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    if content_type.starts_with("image/") || content_type == "application/octet-stream" {
        return Ok(json::body(request, site).await?.to_vec());
    }
    if !content_type.starts_with("multipart/form-data") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_a_picture",
            "send a form with a file, or the picture itself",
        ));
    }
    let mut form = Multipart::from_request(request, site).await.map_err(Problem::not_parsable)?;
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(form_problem)? {
        if field.name() == Some("file") {
            file = Some(field.bytes().await.map_err(form_problem)?);
        }
    }
    file.map(|bytes| bytes.to_vec()).ok_or_else(|| Problem::field("file", "is required"))
}

/// A form that breaks off, or is larger than its route allows.
pub(crate) fn form_problem(error: axum::extract::multipart::MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(error.status(), "body_too_large", "the file is larger than allowed");
    }
    Problem::not_parsable("the form is broken")
}

/// A stored picture. Its name is made of its content: it never changes.
#[utoipa::path(get, path = "/api/images/{name}", tag = "products",
    params(("name" = String, Path)),
    responses((status = 200, content_type = "image/*", description = "the picture")))]
pub(crate) async fn get(State(site): State<Site>, Path(name): Path<String>) -> Answer<Response> {
    let image = site.clients.products.clone().get_image(GetImageRequest { name }).await?;
    let image = image.into_inner();
    let mut response = Response::new(Body::from(image.content));
    let headers = response.headers_mut();
    if let Ok(media_type) = HeaderValue::from_str(&image.content_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, forever);
    // an SVG opened by itself must not run anything
    let nothing =
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    Ok(response)
}
