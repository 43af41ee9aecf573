//! A letter as a message (RFC 5322): the same bytes at every attempt and for every carrier.
use lettre::Message;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};
use souk_values::{EmailAddress, LetterId};

use super::{MailError, Outgoing};
use crate::domain::letter::Words;
use crate::domain::text::one_line;

/// Who letters are from.
#[derive(Clone)]
pub struct Sender(Mailbox);

impl Sender {
    /// `Name <address>` or an address.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        text.parse().map(Self).map_err(|_| anyhow::anyhow!("mail.from cannot be read"))
    }
}

/// What the head of a message says.
pub struct Head<'a> {
    pub letter: LetterId,
    pub from: &'a Sender,
    pub to: &'a str,
    /// Of the letter, not of the attempt.
    pub date: std::time::SystemTime,
    pub trace: Option<&'a str>,
    /// Of a newsletter: the address that ends it at once (RFC 8058).
    pub unsubscribe: Option<&'a str>,
}

/// Puts words into an envelope. Refuses an address that cannot be written on it.
pub fn message(head: &Head<'_>, words: &Words) -> Result<Outgoing, MailError> {
    let refused = |why: &str| MailError::Refused(why.to_owned());
    // lettre takes marks that turn the direction of writing or cannot be seen, and the form of a domain leaves them out
    if EmailAddress::parse(head.to).is_err() {
        return Err(refused("the address cannot be written"));
    }
    let to = ascii(head.to).ok_or_else(|| refused("the address cannot be written"))?;
    let to = to.parse().map_err(|_| refused("the address cannot be written"))?;
    let to = Mailbox::new(None, to);
    let recipient = to.email.to_string();
    let from = &head.from.0;
    let id = head.letter;
    let mut message = Message::builder()
        .from(from.clone())
        .to(to)
        .date(head.date)
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        // lettre encodes what is not ASCII; one line is ours to keep
        .subject(one_line(&words.subject, 250))
        .header(Letter(id.to_string()))
        .header(AutoSubmitted);
    if let Some(trace) = head.trace.filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit())) {
        message = message.header(Trace(trace.to_owned()));
    }
    if let Some(address) = head.unsubscribe {
        if !address.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>') {
            return Err(refused("the link cannot be written"));
        }
        message = message.header(ListUnsubscribe(format!("<{address}>"))).header(OneClick);
    }
    let body = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("souk-{id}"))
        .singlepart(SinglePart::plain(words.text.clone()))
        .singlepart(SinglePart::html(words.html.clone()));
    let message = message.multipart(body).map_err(|_| refused("the letter cannot be written"))?;
    Ok(Outgoing {
        letter: id,
        from: from.email.to_string(),
        to: recipient,
        newsletter: head.unsubscribe.is_some(),
        mime: message.formatted(),
    })
}

/// The address as every server takes it: the domain by RFC 5891. What is before the `@` has no such form.
fn ascii(address: &str) -> Option<String> {
    let (local, domain) = address.rsplit_once('@')?;
    let domain = idna::domain_to_ascii(domain).ok()?;
    local.is_ascii().then(|| format!("{local}@{domain}"))
}

macro_rules! header {
    ($name:ident, $text:literal, $self:ident => $value:expr, $parse:expr) => {
        impl Header for $name {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($text)
            }
            fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
                let parse: fn(&str) -> Self = $parse;
                Ok(parse(text))
            }
            fn display(&$self) -> HeaderValue {
                HeaderValue::new(Self::name(), $value)
            }
        }
    };
}

/// Which letter of the ledger it is.
#[derive(Clone)]
struct Letter(String);
header!(Letter, "X-Souk-Letter", self => self.0.clone(), |text| Self(text.to_owned()));

/// The trace of the request that made the change.
#[derive(Clone)]
struct Trace(String);
header!(Trace, "X-Souk-Trace", self => self.0.clone(), |text| Self(text.to_owned()));

/// RFC 3834: nobody wrote this by hand, so no machine should answer.
#[derive(Clone)]
struct AutoSubmitted;
header!(AutoSubmitted, "Auto-Submitted", self => "auto-generated".to_owned(), |_| Self);

/// RFC 2369: how to get no more.
#[derive(Clone)]
struct ListUnsubscribe(String);
header!(ListUnsubscribe, "List-Unsubscribe", self => self.0.clone(), |text| Self(text.to_owned()));

/// RFC 8058: a POST there is enough.
#[derive(Clone)]
struct OneClick;
header!(OneClick, "List-Unsubscribe-Post", self => "List-Unsubscribe=One-Click".to_owned(), |_| Self);

#[cfg(test)]
mod tests;
