//! The pages behind the links of newsletters. Looking at one changes nothing: programs that check
//! mail follow links. What changes something is the button, or a mail program's own (RFC 8058).
use askama::Template;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::api::newsletter::{say_no, say_yes};
use crate::api::secret;
use crate::http::Site;
use crate::http::problem::Problem;

/// Tokens stay as they are.
const TOKEN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// What a mail program sends for its reader, as a form of either kind.
const ONE_CLICK: &[u8] = b"One-Click";

#[derive(Template)]
#[template(path = "pages/newsletter.html")]
struct Page {
    title: &'static str,
    sentence: &'static str,
    /// What stands on the button, and where it leads; empty: there is none.
    button: &'static str,
    action: String,
}

pub(super) async fn ask_confirm(uri: Uri) -> Response {
    show(
        StatusCode::OK,
        Page {
            title: "Do you want the newsletter?",
            sentence: "Somebody asked for it with your address. It comes only if you say yes.",
            button: "Yes, send it to me",
            action: action("/newsletter/confirm", &uri),
        },
    )
}

pub(super) async fn confirm(State(site): State<Site>, uri: Uri) -> Response {
    match say_yes(&site, token(&uri)).await {
        Ok(()) => said("Thank you", "The newsletter will come. Every letter says how to end it."),
        Err(problem) => wrong(problem),
    }
}

pub(super) async fn ask_end(uri: Uri) -> Response {
    show(
        StatusCode::OK,
        Page {
            title: "No more newsletters?",
            sentence: "Press the button, and no further newsletter is sent to you.",
            button: "Send me no more of them",
            action: action("/newsletter/unsubscribe", &uri),
        },
    )
}

pub(super) async fn end(State(site): State<Site>, uri: Uri, body: Bytes) -> Response {
    let one_click = body.windows(ONE_CLICK.len()).any(|word| word == ONE_CLICK);
    match say_no(&site, token(&uri), one_click).await {
        Ok(()) => said("Done", "No further newsletter is sent to you."),
        Err(problem) => wrong(problem),
    }
}

/// The token of the link; empty: there is none.
fn token(uri: &Uri) -> String {
    let pairs = uri.query().unwrap_or_default().split('&');
    let token = pairs.filter_map(|pair| pair.strip_prefix("token=")).next().unwrap_or_default();
    percent_decode_str(token).decode_utf8_lossy().into_owned()
}

fn action(path: &str, uri: &Uri) -> String {
    format!("{path}?token={}", utf8_percent_encode(&token(uri), TOKEN))
}

fn said(title: &'static str, sentence: &'static str) -> Response {
    show(StatusCode::OK, Page { title, sentence, button: "", action: String::new() })
}

fn wrong(problem: Problem) -> Response {
    let sentence = match problem.status() {
        404 => "This link is not good, or a newer letter has another one.",
        410 => "This link came too late. Ask for the newsletter again.",
        _ => return problem.into_response(),
    };
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::NOT_FOUND);
    show(status, Page { title: "That did not work", sentence, button: "", action: String::new() })
}

/// For the one who asked: the address holds their token.
fn show(status: StatusCode, page: Page) -> Response {
    match page.render() {
        Ok(page) => secret((status, Html(page))),
        Err(error) => {
            tracing::error!(%error, "page not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_that_of_the_link_and_nothing_else_on_the_page() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        for (target, expected) in [
            ("/newsletter/confirm?token=Ab-_9", "Ab-_9"),
            ("/newsletter/confirm?utm=x&token=A", "A"),
            ("/newsletter/confirm?token=%22%3E%3Cscript%3E", "\"><script>"),
            ("/newsletter/confirm?token=", ""),
            ("/newsletter/confirm?tokens=A", ""),
            ("/newsletter/confirm", ""),
        ] {
            assert_eq!(token(&uri(target)), expected, "{target}");
        }
        let action = action("/x", &uri("/newsletter/confirm?token=%22%3E%3Cscript%3E"));
        assert_eq!(action, "/x?token=%22%3E%3Cscript%3E");
        assert_eq!(super::action("/x", &uri("/newsletter/confirm?token=Ab-_9")), "/x?token=Ab-_9");
    }
}
