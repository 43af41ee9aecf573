//! Small pictures of people: one of the set that ships with Souk, or their own.
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{
    Avatar, GetAvatarPictureRequest, GetAvatarRequest, GetMyAvatarRequest, ListAvatarsRequest,
    RemoveAvatarRequest, RemoveMyAvatarRequest, SetMyAvatarRequest,
};
use utoipa::ToSchema;

use super::images::{PictureForm, picture};
use super::{Answer, maybe, tagged};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::precondition::IfMatch;
use crate::http::problem::Problem;
use crate::http::session::{Session, UsersReader, UsersWriter, as_nobody};

/// One of the set.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShippedAvatarView {
    #[schema(example = "fox")]
    name: String,
    #[schema(example = "/api/avatars/fox.svg")]
    url: String,
}

/// The whole set.
#[derive(Serialize, ToSchema)]
pub(crate) struct AvatarList {
    items: Vec<ShippedAvatarView>,
}

/// How somebody is seen; all `null` without a picture.
#[derive(Serialize, ToSchema)]
pub(crate) struct AvatarView {
    /// One of the set.
    #[schema(example = "fox")]
    avatar: Option<String>,
    /// It is a picture of their own.
    uploaded: bool,
    /// Another one with every upload.
    #[schema(example = "/api/avatars/fox.svg")]
    url: Option<String>,
    version: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct AvatarBody {
    /// A name of `GET /api/avatars`.
    #[schema(example = "fox")]
    avatar: String,
}

impl From<Avatar> for AvatarView {
    fn from(a: Avatar) -> Self {
        Self {
            uploaded: a.chosen.is_empty() && !a.picture.is_empty(),
            avatar: maybe(a.chosen),
            url: maybe(a.picture).map(|picture| url(&picture)),
            version: a.version,
        }
    }
}

fn url(picture: &str) -> String {
    format!("/api/avatars/{picture}")
}

fn view(avatar: Avatar) -> Response {
    tagged(StatusCode::OK, avatar.version, &AvatarView::from(avatar))
}

/// The avatars that ship with Souk.
#[utoipa::path(get, path = "/api/avatars", tag = "me",
    responses((status = 200, body = AvatarList)))]
pub(crate) async fn list(State(site): State<Site>) -> Answer<Json<AvatarList>> {
    let mut avatars = site.clients.avatars.clone();
    let found = as_nobody(avatars.list_avatars(ListAvatarsRequest {})).await?.into_inner();
    let shipped = |name: String| ShippedAvatarView { url: url(&format!("{name}.svg")), name };
    Ok(Json(AvatarList { items: found.names.into_iter().map(shipped).collect() }))
}

/// An avatar as a picture.
#[utoipa::path(get, path = "/api/avatars/{picture}", tag = "me",
    params(("picture" = String, Path)),
    responses((status = 200, content_type = "image/*", description = "the picture")))]
pub(crate) async fn picture_of(
    State(site): State<Site>,
    Path(picture): Path<String>,
) -> Answer<Response> {
    let mut avatars = site.clients.avatars.clone();
    let request = GetAvatarPictureRequest { picture };
    let found = as_nobody(avatars.get_avatar_picture(request)).await?.into_inner();
    let mut response = Response::new(Body::from(found.content));
    let headers = response.headers_mut();
    if let Ok(media_type) = HeaderValue::from_str(&found.content_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    // somebody's own goes when they go: no cache keeps it for long
    let kept =
        if found.ships { "public, max-age=31536000, immutable" } else { "public, max-age=3600" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    // an SVG opened by itself must not run anything
    let nothing = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    Ok(response)
}

/// Your avatar.
#[utoipa::path(get, path = "/api/me/avatar", tag = "me",
    responses((status = 200, body = AvatarView)), security(("bearer" = [])))]
pub(crate) async fn get(State(site): State<Site>, _session: Session) -> Answer<Response> {
    let found = site.clients.avatars.clone().get_my_avatar(GetMyAvatarRequest {}).await?;
    Ok(view(found.into_inner()))
}

/// Chooses one of the set, or uploads a PNG, JPEG, GIF or WebP picture (at most 5 MiB and 20 million
/// pixels), as a form's `file` or as the body itself. Its middle is kept, 256 pixels a side, without
/// anything else that was in the file.
#[utoipa::path(put, path = "/api/me/avatar", tag = "me",
    request_body(content((AvatarBody = "application/json"), (PictureForm = "multipart/form-data"))),
    params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = AvatarView),
        (status = 413, description = "picture_too_large, body_too_large", body = Problem),
        (status = 415, description = "not_a_picture", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn put(
    State(site): State<Site>,
    _session: Session,
    IfMatch(expected_version): IfMatch,
    request: Request,
) -> Answer<Response> {
    let wish = if is_json(request.headers()) {
        let mut body = Fields::from_request(request, &site).await?;
        let avatar = body.required("avatar");
        body.finish()?;
        SetMyAvatarRequest { avatar, expected_version, ..SetMyAvatarRequest::default() }
    } else {
        let content = picture(&site, request).await?;
        if content.is_empty() {
            return Err(Problem::field("file", "is empty"));
        }
        SetMyAvatarRequest { content, expected_version, ..SetMyAvatarRequest::default() }
    };
    let set = site.clients.avatars.clone().set_my_avatar(wish).await?;
    Ok(view(set.into_inner()))
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media.is_some_and(|media| media.to_ascii_lowercase().starts_with("application/json"))
}

/// Takes your avatar away.
#[utoipa::path(delete, path = "/api/me/avatar", tag = "me",
    params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = AvatarView)), security(("bearer" = [])))]
pub(crate) async fn remove(
    State(site): State<Site>,
    _session: Session,
    IfMatch(expected_version): IfMatch,
) -> Answer<Response> {
    let request = RemoveMyAvatarRequest { expected_version };
    let left = site.clients.avatars.clone().remove_my_avatar(request).await?;
    Ok(view(left.into_inner()))
}

/// Somebody's avatar.
#[utoipa::path(get, path = "/api/users/{id}/avatar", tag = "users",
    params(("id" = String, Path)),
    responses((status = 200, body = AvatarView)), security(("bearer" = [])))]
pub(crate) async fn get_of_user(
    State(site): State<Site>,
    _may: UsersReader,
    Path(user_id): Path<String>,
) -> Answer<Response> {
    let request = GetAvatarRequest { user_id };
    let found = site.clients.avatars.clone().get_avatar(request).await?;
    Ok(view(found.into_inner()))
}

/// Takes somebody's avatar away, whatever it shows.
#[utoipa::path(delete, path = "/api/users/{id}/avatar", tag = "users",
    params(("id" = String, Path)),
    responses((status = 200, body = AvatarView)), security(("bearer" = [])))]
pub(crate) async fn remove_of_user(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(user_id): Path<String>,
) -> Answer<Response> {
    let request = RemoveAvatarRequest { user_id };
    let left = site.clients.avatars.clone().remove_avatar(request).await?;
    Ok(view(left.into_inner()))
}
