//! Messages: what stands in their head, and that nobody else writes there.
use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn words(subject: &str) -> Words {
    Words {
        subject: subject.to_owned(),
        text: "Grüße\n".to_owned(),
        html: "<p>Grüße</p>".to_owned(),
    }
}

fn build(to: &str, subject: &str) -> Result<String, MailError> {
    let from = Sender::parse("Souk \"the shop\" <notices@souk.local>").unwrap();
    let head = Head {
        letter: "ltr_01JD7Q5V8G0000000000000000".parse().unwrap(),
        from: &from,
        to,
        date: UNIX_EPOCH + Duration::from_secs(1_795_251_600),
        trace: Some("0af7651916cd43dd8448eb211c80319c"),
        unsubscribe: None,
    };
    message(&head, &words(subject)).map(|o| String::from_utf8(o.mime).unwrap())
}

/// The header lines, folded ones joined.
fn head(message: &str) -> Vec<String> {
    let head = message.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ");
    head.split("\r\n").map(str::to_owned).collect()
}

#[test]
fn a_message_names_letter_trace_date_and_that_no_person_wrote_it() {
    let lines = head(&build("ann@shop.example", "Hello").unwrap());
    for expected in [
        "Message-ID: <ltr_01JD7Q5V8G0000000000000000@souk.local>",
        "Date: Sat, 21 Nov 2026 09:00:00 +0000",
        "X-Souk-Letter: ltr_01JD7Q5V8G0000000000000000",
        "X-Souk-Trace: 0af7651916cd43dd8448eb211c80319c",
        "Auto-Submitted: auto-generated",
        "To: ann@shop.example",
        "Subject: Hello",
    ] {
        assert!(lines.iter().any(|line| line == expected), "{expected} in {lines:#?}");
    }
}

#[test]
fn the_same_letter_is_the_same_bytes() {
    assert_eq!(build("ann@shop.example", "Hello"), build("ann@shop.example", "Hello"));
}

#[test]
fn subjects_hold_any_text_and_no_second_header() {
    let long = "ж".repeat(2000);
    for subject in [
        "a\r\nBcc: x@evil.example",
        "a\nBcc: x@evil.example",
        "a\rBcc: x@evil.example",
        "nul\0\u{2028}Bcc: x@evil.example",
        "手机 \"quoted\" ñ \u{202e}",
        &long,
    ] {
        let message = build("ann@shop.example", subject).unwrap();
        let lines = head(&message);
        assert!(!lines.iter().any(|l| l.starts_with("Bcc")), "{subject:?}: {lines:#?}");
        assert_eq!(lines.iter().filter(|l| l.starts_with("Subject:")).count(), 1, "{lines:#?}");
        assert!(message.is_ascii(), "{subject:?}");
        assert!(message.lines().all(|line| line.len() < 998), "{subject:?}");
    }
}

#[test]
fn an_address_that_cannot_be_written_is_refused() {
    for to in [
        "",
        "nobody",
        "a@b\r\nBcc: c@d.example",
        "a b@c.example",
        "a\0@c.example",
        "a\u{202e}nn@c.example",
        "ann@c\u{200b}.example",
    ] {
        assert!(matches!(build(to, "Hello"), Err(MailError::Refused(_))), "{to:?}");
    }
}

#[test]
fn text_and_html_are_alternatives() {
    let message = build("ann@shop.example", "Hello").unwrap();
    assert!(message.contains("Content-Type: multipart/alternative;"), "{message}");
    let plain = message.find("Content-Type: text/plain; charset=utf-8").unwrap();
    let html = message.find("Content-Type: text/html; charset=utf-8").unwrap();
    assert!(plain < html, "the richest alternative comes last");
}

/// The head of a newsletter that ends there.
fn newsletter(address: &str) -> Result<Outgoing, MailError> {
    let from = Sender::parse("Souk <notices@souk.local>").unwrap();
    let head = Head {
        letter: "ltr_01JD7Q5V8G0000000000000000".parse().unwrap(),
        from: &from,
        to: "ann@shop.example",
        date: UNIX_EPOCH,
        trace: None,
        unsubscribe: Some(address),
    };
    message(&head, &words("News"))
}

#[test]
fn s50_a_newsletter_says_how_it_is_ended_at_once_and_no_other_letter_does() {
    let address = format!(
        "https://a-rather-long-name.shop.example/newsletter/unsubscribe?token={}",
        "A".repeat(43)
    );
    let outgoing = newsletter(&address).unwrap();
    assert!(outgoing.newsletter);
    let lines = head(&String::from_utf8(outgoing.mime).unwrap());
    for expected in [
        format!("List-Unsubscribe: <{address}>"),
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click".to_owned(),
    ] {
        assert!(lines.contains(&expected), "{expected} in {lines:#?}");
    }
    let plain = head(&build("ann@shop.example", "Hello").unwrap());
    assert!(!plain.iter().any(|line| line.starts_with("List-")), "{plain:#?}");
    for wrong in ["https://a>\r\nBcc: x@evil.example", "https://a b", "https://a\u{202e}b", "<x>"] {
        assert!(matches!(newsletter(wrong), Err(MailError::Refused(_))), "{wrong}");
    }
}

#[test]
fn a_domain_is_written_as_every_server_takes_it() {
    let lines = head(&build("ann@läden.example", "Hello").unwrap());
    assert!(lines.contains(&"To: ann@xn--lden-loa.example".to_owned()), "{lines:?}");
    // what is before the @ has no such form
    assert!(matches!(build("änn@shop.example", "Hello"), Err(MailError::Refused(_))));
}
