//! Who may not come in: accounts, addresses, networks.
use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::DateTime;
use serde::{Deserialize, Serialize};
use souk_proto::accounts::v1::{Block, CreateBlockRequest, LiftBlockRequest, ListBlocksRequest};
use utoipa::ToSchema;

use super::sent::SentNames;
use super::{Answer, created, maybe, maybe_time, time};
use crate::http::Site;
use crate::http::edge::Peer;
use crate::http::json::Fields;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::session::{UsersReader, UsersWriter};

const DAY_US: i64 = 86_400_000_000;
/// A hundred years: longer is until lifted.
const MOST_DAYS: i64 = 36_500;

#[derive(Serialize, ToSchema)]
pub(crate) struct BlockView {
    #[schema(example = "blk_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1")]
    id: String,
    /// An account, or `network`.
    user_id: Option<String>,
    #[schema(example = "203.0.113.0/24")]
    network: Option<String>,
    reason: String,
    created_at: String,
    /// `null`: until lifted.
    until: Option<String>,
    /// An account, or `brake`.
    created_by: String,
    lifted_at: Option<String>,
    /// An account, or `end`.
    lifted_by: Option<String>,
}

impl From<Block> for BlockView {
    fn from(b: Block) -> Self {
        Self {
            id: b.id,
            user_id: maybe(b.user_id),
            network: maybe(b.network),
            reason: b.reason,
            created_at: time(b.created_at_us),
            until: maybe_time(b.until_us),
            created_by: b.created_by,
            lifted_at: maybe_time(b.lifted_at_us),
            lifted_by: maybe(b.lifted_by),
        }
    }
}

/// Part of the blocks.
#[derive(Serialize, ToSchema)]
pub(crate) struct BlockPage {
    items: Vec<BlockView>,
    next_cursor: Option<String>,
}

/// One of `user_id`, `address` and `network`; `until`, `days`, or neither: until lifted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct BlockBody {
    #[schema(nullable = false)]
    user_id: Option<String>,
    #[schema(nullable = false, example = "198.51.100.7")]
    address: Option<String>,
    /// Not wider than /8, or /32 of IPv6.
    #[schema(nullable = false, example = "203.0.113.0/24")]
    network: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
    /// RFC 3339.
    #[schema(nullable = false)]
    until: Option<String>,
    #[schema(nullable = false, minimum = 1)]
    days: Option<i64>,
}

/// Blocks, newest first.
#[utoipa::path(get, path = "/api/admin/blocks", tag = "users", params(
    ("limit" = Option<u32>, Query, minimum = 1, maximum = 100),
    ("cursor" = Option<String>, Query),
    ("ended" = Option<bool>, Query, description = "the past ones instead; default false"),
), responses((status = 200, body = BlockPage)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _may: UsersReader,
    mut query: Query,
) -> Answer<Json<BlockPage>> {
    let request = ListBlocksRequest {
        page: Some(query.page()),
        ended: query.boolean("ended").unwrap_or_default(),
    };
    query.finish()?;
    let found = site.clients.blocks.clone().list_blocks(request).await?.into_inner();
    Ok(Json(BlockPage {
        items: found.items.into_iter().map(BlockView::from).collect(),
        next_cursor: maybe(found.next_cursor),
    }))
}

/// Blocks an account, whose sessions end at once, or a network, which gets no answer but this. It is
/// lifted by itself at its end.
#[utoipa::path(post, path = "/api/admin/blocks", tag = "users", request_body = BlockBody,
    responses((status = 201, body = BlockView),
        (status = 409, description = "blocked_already with `block_id`; last_admin", body = Problem)),
    security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _may: UsersWriter,
    peer: axum::Extension<Peer>,
    mut body: Fields,
) -> Answer<Response> {
    let mut names = SentNames::default();
    let mut request = block(&mut body, &mut names, site.verifier.now() * 1_000_000);
    body.finish()?;
    request.caller_address = peer.0.0.ip().to_canonical().to_string();
    let made = site.clients.blocks.clone().create_block(request).await;
    let made = names.settle(Vec::new(), made)?;
    let location = format!("/api/admin/blocks/{}", made.id);
    Ok(created(&location, None, &BlockView::from(made)))
}

fn block(body: &mut Fields, names: &mut SentNames, now_us: i64) -> CreateBlockRequest {
    let place = body.alias(&["network", "address"]);
    let (user_id, network) = (body.string("user_id"), body.string(place));
    match (&user_id, &network) {
        (None, None) => body.breaks("user_id", "is required, or address, or network"),
        (Some(_), Some(_)) => body.breaks(place, "another block: this one is for user_id"),
        _ => {}
    }
    let end = body.alias(&["until", "days"]);
    names.note("network", place);
    names.note("until_us", end);
    let until_us = if end == "days" {
        body.integer("days").and_then(|days| {
            let fits = (1..=MOST_DAYS).contains(&days);
            if !fits {
                body.breaks("days", format!("must be between 1 and {MOST_DAYS}"));
            }
            fits.then(|| now_us + days * DAY_US)
        })
    } else {
        body.string("until").and_then(|text| {
            let at = DateTime::parse_from_rfc3339(&text).ok().map(|at| at.timestamp_micros());
            let at = at.filter(|us| *us > now_us);
            if at.is_none() {
                body.breaks("until", "must be a time to come such as 2026-11-21T08:00:00Z");
            }
            at
        })
    };
    CreateBlockRequest {
        user_id: user_id.unwrap_or_default(),
        network: network.unwrap_or_default(),
        reason: body.required("reason"),
        until_us: until_us.unwrap_or_default(),
        caller_address: String::new(),
    }
}

/// Lifts a block before its end.
#[utoipa::path(delete, path = "/api/admin/blocks/{id}", tag = "users",
    params(("id" = String, Path)),
    responses((status = 200, body = BlockView)), security(("bearer" = [])))]
pub(crate) async fn lift(
    State(site): State<Site>,
    _may: UsersWriter,
    Path(id): Path<String>,
) -> Answer<Json<BlockView>> {
    let lifted = site.clients.blocks.clone().lift_block(LiftBlockRequest { id }).await?;
    Ok(Json(lifted.into_inner().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000_000;

    fn read(text: &str) -> Result<CreateBlockRequest, Vec<String>> {
        let mut body = Fields::parse(text.as_bytes()).unwrap();
        let request = block(&mut body, &mut SentNames::default(), NOW);
        let broken: Vec<_> = body.violations().into_iter().map(|v| v.field).collect();
        if broken.is_empty() { Ok(request) } else { Err(broken) }
    }

    #[test]
    fn a_block_is_for_one_thing_and_has_one_end() {
        let one = read(r#"{"user_id": "usr_x", "reason": "spam", "days": 7}"#).unwrap();
        assert_eq!((one.user_id.as_str(), one.network.as_str()), ("usr_x", ""));
        assert_eq!(one.until_us, NOW + 7 * DAY_US);
        let one = read(r#"{"address": "198.51.100.7", "reason": "x"}"#).unwrap();
        assert_eq!((one.network.as_str(), one.until_us), ("198.51.100.7", 0));
        let until = r#"{"network": "10.0.0.0/8", "reason": "x", "until": "2027-01-15T08:00:01Z"}"#;
        assert_eq!(read(until).unwrap().until_us, NOW + 1_000_000);
        for (text, broken) in [
            (r#"{}"#, vec!["user_id", "reason"]),
            (r#"{"user_id": "u", "network": "n", "reason": "x"}"#, vec!["network"]),
            (r#"{"address": "a", "network": "n", "reason": "x"}"#, vec!["address"]),
            (r#"{"user_id": "u", "reason": "x", "days": 0}"#, vec!["days"]),
            (r#"{"user_id": "u", "reason": "x", "days": 9000000000000000}"#, vec!["days"]),
            (
                r#"{"user_id": "u", "reason": "x", "days": 1, "until": "2028-01-01T00:00:00Z"}"#,
                vec!["days"],
            ),
            (r#"{"user_id": "u", "reason": "x", "until": "2020-01-01T00:00:00Z"}"#, vec!["until"]),
            (r#"{"user_id": "u", "reason": "x", "until": "tomorrow"}"#, vec!["until"]),
        ] {
            assert_eq!(read(text).unwrap_err(), broken, "{text}");
        }
    }
}
