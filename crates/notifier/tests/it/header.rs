//! Foreign text writes no headers, no HTML and no templates (`docs/security.md`, S47 to S49).
use souk_notifier::domain::request::Kind;
use souk_proto::accounts::v1::Fact;

use crate::bench::{Bench, admin, benches, benches_with, deliver};
use crate::neighbor::Neighborhood;
use crate::request::mail;

const EVIL: &str = "<a href=//evil>Reset your password</a>";

/// The header lines, folded ones joined.
fn head(message: &str) -> Vec<String> {
    let head = message.split("\r\n\r\n").next().expect("a head").replace("\r\n ", " ");
    head.split("\r\n").map(str::to_owned).collect()
}

/// Text and HTML as a mail program reads them.
fn bodies(message: &str) -> (String, String) {
    let part = |of: &str| {
        let part = message.split("--souk-").find(|part| part.contains(of)).expect(of);
        let (head, body) = part.split_once("\r\n\r\n").expect("a body");
        assert!(!head.contains("base64"), "{head}");
        if head.contains("quoted-printable") {
            body.replace("=\r\n", "").replace("=3D", "=")
        } else {
            body.to_owned()
        }
    };
    (part("Content-Type: text/plain"), part("Content-Type: text/html"))
}

impl Bench {
    /// A notice and a letter of accounts, both with that text wherever a text can stand.
    async fn letters_with(&self, text: &str) -> Vec<String> {
        let neighbors = Neighborhood::new(&self.clock);
        let ann = admin("Ann");
        self.hear(&[self.change(text)], std::slice::from_ref(&ann)).await;
        let (event, id) = self.request(Kind::NewDevice, Some(ann.user_id));
        let mut said = mail(id, Kind::NewDevice, &ann);
        said.name = text.to_owned();
        said.facts = vec![Fact { name: "device".into(), value: text.to_owned() }];
        neighbors.has_mail(said);
        self.hear_requests(&[event]).await;
        let before = self.ses.accepted().len();
        assert_eq!(deliver(&self.postman_of(&neighbors).await).await, 2);
        self.ses.accepted().iter().skip(before).map(|mail| mail.text()).collect()
    }
}

#[tokio::test]
async fn s47_names_with_html_are_escaped_in_html_and_verbatim_in_text() {
    for bench in benches().await {
        for letter in bench.letters_with(EVIL).await {
            let (text, html) = bodies(&letter);
            assert!(text.contains(EVIL), "{text}");
            assert!(!html.contains(EVIL) && !html.contains("<a href=//evil"), "{html}");
            assert!(html.contains("Reset your password"), "{html}");
        }
    }
}

#[tokio::test]
async fn s48_no_text_of_others_writes_a_header() {
    let mut config = souk_notifier::Config::default();
    config.mail.from = "Ann \"the shop\" & Co <notices@souk.local>".to_owned();
    for bench in benches_with(config).await {
        let long = "ж".repeat(2_000);
        for text in [
            "a\r\nBcc: x@evil.example",
            "a\nBcc: x@evil.example",
            "a\rBcc: x@evil.example",
            "nul\0\u{2028}Bcc: x@evil.example",
            "\"Ann\" <x@evil.example>, b",
            "\u{202e}moc.live@x\u{200f}",
            &long,
        ] {
            for letter in bench.letters_with(text).await {
                let lines = head(&letter);
                for name in ["Subject:", "From:", "To:", "Date:", "Message-ID:"] {
                    let found = lines.iter().filter(|l| l.starts_with(name)).count();
                    assert_eq!(found, 1, "{name} with {text:?}: {lines:#?}");
                }
                for name in ["Bcc", "Cc", "Reply-To", "Sender"] {
                    assert!(!lines.iter().any(|l| l.starts_with(name)), "{text:?}: {lines:#?}");
                }
                assert!(lines.iter().any(|l| l == "To: ann@shop.example"), "{lines:#?}");
                assert!(letter.is_ascii(), "{text:?}");
                assert!(letter.lines().all(|line| line.len() < 998), "{text:?}");
            }
        }
        let sent = bench.ses.accepted().len();
        // what is no address, or disguises one, is not written to
        for address in [
            "ann@shop.example\r\nBcc: x@evil.example",
            "ann@shop.example, x@evil.example",
            "\"Ann\" <ann@shop.example>",
            "ann\0@shop.example",
            "ann\u{202e}@shop.example",
            "ann@sh\u{200b}op.example",
        ] {
            let neighbors = Neighborhood::new(&bench.clock);
            let mut ann = admin("Ann");
            ann.email = address.to_owned();
            bench.requested(&neighbors, Kind::Welcome, &ann).await;
            assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 1);
            let row = bench.ledger().await.pop().expect("a row");
            let reason = row.reason.unwrap_or_default();
            assert_eq!(row.status, "failed", "{address:?} on {}", bench.store.name);
            assert!(reason.contains("the address cannot be written"), "{reason}");
        }
        assert_eq!(bench.ses.accepted().len(), sent);
    }
}

#[tokio::test]
async fn s49_text_that_looks_like_a_template_stays_text() {
    for bench in benches().await {
        let text = "{{secret}} ${7*7} {% include x %} #{1+1}";
        for letter in bench.letters_with(text).await {
            let (plain, html) = bodies(&letter);
            assert!(plain.contains(text), "{plain}");
            assert!(html.contains(text), "{html}");
        }
    }
}
