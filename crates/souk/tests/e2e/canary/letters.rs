//! Letters as they were handed over: those in the folder, and every request to the mail system,
//! also those that it refused.
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use souk_testkit::Storehouse;
use souk_testkit::letter::{head, html, recipient, subject, words};

use super::marks::Place;

/// Where the raw message is in a request to SES.
const RAW: &str = "/Content/Raw/Data";

/// A letter, decoded.
pub(super) struct Letter {
    pub(super) to: String,
    /// Its subject without the name of the shop.
    headline: String,
    pub(super) head: String,
    /// Its plain text.
    pub(super) words: String,
    /// All behind the head, as it was sent and as it is read.
    body: String,
}

impl Letter {
    fn read(raw: &str) -> Self {
        let subject = subject(raw);
        let headline = subject.split_once("] ").map_or(subject.as_str(), |(_, line)| line);
        let (_, behind) = raw.split_once("\r\n\r\n").expect("a body");
        let words = words(raw);
        Self {
            to: recipient(raw),
            headline: headline.to_owned(),
            head: head(raw),
            body: [behind.replace("=\r\n", ""), words.clone(), html(raw)].join("\n"),
            words,
        }
    }

    pub(super) fn places(self) -> Vec<Place> {
        let place = |part: &str, text: String| Place {
            name: format!("letter to {}: {}: {part}", self.to, self.headline),
            bytes: text.into_bytes(),
        };
        vec![place("head", self.head.clone()), place("body", self.body.clone())]
    }
}

/// All letters, in no order.
pub(super) fn all(store: &Storehouse) -> Vec<Letter> {
    let raw = match store.ses() {
        Some(ses) => ses.received().iter().filter_map(|request| raw(&request.body)).collect(),
        None => folder(store),
    };
    raw.iter().map(|raw| Letter::read(raw)).collect()
}

fn folder(store: &Storehouse) -> Vec<String> {
    let Ok(entries) = fs::read_dir(store.data_dir().join("mail")) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let letters = paths.filter(|path| path.extension().is_some_and(|end| end == "eml"));
    let read = |path| String::from_utf8_lossy(&fs::read(path).expect("a letter")).into_owned();
    letters.map(read).collect()
}

fn raw(body: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let raw = STANDARD.decode(request.pointer(RAW)?.as_str()?).expect("base64");
    Some(String::from_utf8_lossy(&raw).into_owned())
}

/// What the mail system is told around each letter: the head of the request, and everything in its
/// body but the letter. What is no such request is all head.
pub(super) fn requests(store: &Storehouse) -> Vec<Place> {
    let requests = store.ses().map(souk_testkit::ses::FakeSes::received).unwrap_or_default();
    let mut places = Vec::new();
    for request in requests {
        let mut body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let to = body.pointer("/Destination/ToAddresses/0").and_then(Value::as_str);
        let to = to.unwrap_or_default().to_owned();
        let envelope = match body.pointer_mut(RAW) {
            Some(raw) => {
                *raw = Value::Null;
                body.to_string().into_bytes()
            }
            None => request.body,
        };
        let place =
            |part: &str, bytes| Place { name: format!("mail request to {to}: {part}"), bytes };
        places.push(place("head", request.head.into_bytes()));
        places.push(place("envelope", envelope));
    }
    places
}
