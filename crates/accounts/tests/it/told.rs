//! What the service has told so far: events, and the letters it asked for.

use souk_events::{Envelope, registry};
use souk_proto::accounts::v1::mail_service_client::MailServiceClient;
use souk_proto::accounts::v1::{GetMailRequest, Mail};
use souk_proto::events::v1::{LetterRequested, SessionEnded};
use souk_values::Page;

use crate::house::{House, answer};

impl House {
    /// Every event, oldest first.
    pub(crate) async fn told(&self) -> Vec<Envelope> {
        let mut told = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = Page::new(100, &cursor).unwrap();
            let (rows, next) = souk_events::outbox::list(&self.db, &page, None).await.unwrap();
            told.extend(rows.into_iter().map(|row| row.envelope));
            match next {
                Some(next) => next.as_str().clone_into(&mut cursor),
                None => break,
            }
        }
        told.reverse();
        told
    }

    /// Ends of sessions, oldest first.
    pub(crate) async fn ends(&self) -> Vec<SessionEnded> {
        let told = self.told().await.into_iter();
        let ends = told.filter(|event| event.event_type == registry::SESSION_ENDED);
        ends.map(|event| event.decode().unwrap()).collect()
    }

    /// Letters of this kind, oldest first, as the notifier gets them.
    pub(crate) async fn letters(&self, kind: &str) -> Vec<Mail> {
        let told = self.told().await.into_iter();
        let asked = told.filter(|event| event.event_type == registry::LETTER_REQUESTED);
        let asked = asked.map(|event| event.decode::<LetterRequested>().unwrap());
        let mut client = MailServiceClient::new(self.from("notifier"));
        let mut letters = Vec::new();
        for LetterRequested { request_id, .. } in asked.filter(|asked| asked.kind == kind) {
            letters.push(answer(client.get_mail(GetMailRequest { request_id })).await.unwrap());
        }
        letters
    }
}

/// What a letter tells under this name; empty: nothing.
pub(crate) fn fact<'a>(mail: &'a Mail, name: &str) -> &'a str {
    let found = mail.facts.iter().find(|fact| fact.name == name);
    found.map_or("", |fact| fact.value.as_str())
}
