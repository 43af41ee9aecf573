//! Answers that no decent peer would give.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

const CHUNK: usize = 64 * 1024;
const DRIP: Duration = Duration::from_millis(50);

/// What a fake answers instead of what it should.
#[derive(Clone, Debug)]
pub enum Odd {
    /// Status, type of the content, content.
    Says(u16, &'static str, String),
    /// 302 to that address.
    Leads(String),
    /// A JSON that never ends, with this status, as fast as it is read. Counts its bytes.
    Endless(u16, Arc<AtomicU64>),
    /// A JSON of which a byte comes now and then, for ever, with this status.
    Drips(u16),
}

impl Odd {
    /// A success with this JSON.
    pub fn json(text: &str) -> Self {
        Self::Says(200, "application/json", text.to_owned())
    }
}

impl IntoResponse for Odd {
    fn into_response(self) -> Response {
        let code = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
        let json = [(header::CONTENT_TYPE, "application/json")];
        match self {
            Self::Says(status, kind, text) => {
                (code(status), [(header::CONTENT_TYPE, kind)], text).into_response()
            }
            Self::Leads(to) => {
                (StatusCode::FOUND, [(header::LOCATION, to)], "elsewhere").into_response()
            }
            Self::Endless(status, counted) => {
                let blanks = Bytes::from(vec![b' '; CHUNK]);
                let chunks = futures::stream::repeat_with(move || {
                    counted.fetch_add(CHUNK as u64, Ordering::SeqCst);
                    Ok::<_, std::convert::Infallible>(blanks.clone())
                });
                (code(status), json, Body::from_stream(chunks)).into_response()
            }
            Self::Drips(status) => {
                let drips = futures::stream::unfold((), |()| async {
                    tokio::time::sleep(DRIP).await;
                    Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(b" ")), ()))
                });
                (code(status), json, Body::from_stream(drips)).into_response()
            }
        }
    }
}
