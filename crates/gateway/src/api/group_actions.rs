//! One action over many accounts, as a job.
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::StartGroupActionRequest;
use utoipa::ToSchema;

use super::sent::SentNames;
use super::{Answer, time};
use crate::http::Site;
use crate::http::json::Fields;
use crate::http::session::UsersWriter;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct GroupActionBody {
    /// `activate`, `deactivate`, `block` (7 days), `delete`, `delete_inactive` or `send_test_mail`.
    #[schema(example = "deactivate")]
    action: String,
    /// 1 to 10,000 accounts; none for `delete_inactive`.
    #[schema(nullable = false)]
    ids: Option<Vec<String>>,
    /// Seconds in which it can be cancelled before it begins; default: the setting of the action.
    #[schema(nullable = false, minimum = 0)]
    delay_s: Option<i64>,
}

/// The action is stored and will be done, also after a crash.
#[derive(Serialize, ToSchema)]
pub(crate) struct GroupActionStarted {
    job_id: String,
    /// When it begins; until then cancelling leaves everything as it is.
    run_at: String,
    /// Where its progress stands; DELETE cancels.
    status_url: String,
}

/// Does something with many accounts.
#[utoipa::path(post, path = "/api/admin/users/actions", tag = "users",
    request_body = GroupActionBody,
    responses((status = 202, body = GroupActionStarted)), security(("bearer" = [])))]
pub(crate) async fn start(
    State(site): State<Site>,
    _may: UsersWriter,
    mut body: Fields,
) -> Answer<Response> {
    let mut names = SentNames::default();
    names.note("user_ids", "ids");
    let action = body.required("action");
    let user_ids = body.strings("ids").unwrap_or_default();
    let delay = body.integer("delay_s");
    let delay_s = delay.and_then(|delay| u32::try_from(delay).ok());
    if delay.is_some() && delay_s.is_none() {
        body.breaks("delay_s", "must be a number of seconds that is not negative");
    }
    body.finish()?;
    let request = StartGroupActionRequest { action, user_ids, delay_s };
    let started = site.clients.group_actions.clone().start_group_action(request).await;
    let started = names.settle(Vec::new(), started)?;
    let view = GroupActionStarted {
        status_url: format!("/api/admin/jobs/{}", started.job_id),
        run_at: time(started.run_at_us),
        job_id: started.job_id,
    };
    let mut response = (StatusCode::ACCEPTED, Json(&view)).into_response();
    if let Ok(location) = HeaderValue::from_str(&view.status_url) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
