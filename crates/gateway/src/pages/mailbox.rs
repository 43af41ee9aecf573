//! The development mailbox: letters that the folder sender wrote, for whoever sits at this machine.
use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use souk_proto::notifier::v1::{
    GetLetterRequest, GetMailboxStateRequest, Letter, ListLettersRequest,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::CallContext;

use crate::api::time;
use crate::http::Site;
use crate::http::edge::AtThisMachine;
use crate::http::problem::Problem;
use crate::http::query::Query;

/// A letter brings its styles and pictures along; its frame lets it run nothing.
const LETTER_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; img-src * data:; frame-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

struct Line {
    id: String,
    recipient: String,
    subject: String,
    status: String,
    at: String,
}

impl From<Letter> for Line {
    fn from(l: Letter) -> Self {
        let at = time(if l.sent_at_us == 0 { l.created_at_us } else { l.sent_at_us });
        Self { id: l.id, recipient: l.recipient, subject: l.subject, status: l.status, at }
    }
}

#[derive(Template)]
#[template(path = "pages/mailbox.html")]
struct Mailbox {
    letters: Vec<Line>,
    next: String,
}

#[derive(Template)]
#[template(path = "pages/letter.html")]
struct LetterPage {
    line: Line,
    text: String,
    html: String,
}

pub(super) async fn list(
    State(site): State<Site>,
    here: Option<Extension<AtThisMachine>>,
    mut query: Query,
) -> Result<Response, Problem> {
    open(&site, here.is_some()).await?;
    let page = query.page();
    query.finish()?;
    let page = PageRequest { limit: if page.limit == 0 { 100 } else { page.limit }, ..page };
    let request = ListLettersRequest { page: Some(page), status: String::new() };
    let found = own(site.clients.letters.clone().list_letters(request)).await?.into_inner();
    let letters = found.items.into_iter().map(Line::from).collect();
    show(Mailbox { letters, next: found.next_cursor })
}

pub(super) async fn letter(
    State(site): State<Site>,
    here: Option<Extension<AtThisMachine>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    open(&site, here.is_some()).await?;
    let letter = own(site.clients.letters.clone().get_letter(GetLetterRequest { id })).await?;
    let letter = letter.into_inner();
    let (text, html) = (letter.text.clone(), letter.html.clone());
    let mut response = show(LetterPage { line: letter.into(), text, html })?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, LETTER_POLICY);
    Ok(response)
}

/// Only with the folder sender, and only for who is at this machine; else there is no such page.
async fn open(site: &Site, here: bool) -> Result<(), Problem> {
    if !here {
        return Err(Problem::not_found());
    }
    let mut letters = site.clients.letters.clone();
    let state = own(letters.get_mailbox_state(GetMailboxStateRequest {})).await?;
    if state.into_inner().folder { Ok(()) } else { Err(Problem::not_found()) }
}

/// The gateway asks for itself, whoever is logged in: only so it is shown codes.
async fn own<F: Future>(call: F) -> F::Output {
    let context = CallContext { token: None, ..souk_rpc::current() };
    souk_rpc::scope(context, call).await
}

fn show(page: impl Template) -> Result<Response, Problem> {
    let page = page.render().map_err(|error| {
        tracing::error!(%error, "page not rendered");
        Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong")
    })?;
    Ok(Html(page).into_response())
}
