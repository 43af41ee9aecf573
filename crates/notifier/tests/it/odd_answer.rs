//! What answers like no SES (`docs/security.md`, S59): no letter is lost, none counts as sent
//! without the id that SES knows it by.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use souk_notifier::store::notification::Entry;
use souk_testkit::odd::Odd;
use souk_testkit::ses::FakeSes;

use crate::bench::{Bench, admin, benches, benches_with, deliver};

/// More than is ever read of one answer, and than lies in the sockets' buffers.
const FAR_TOO_MUCH: u64 = 128 * 1024 * 1024;
const UNKNOWN: &str = "unknown whether sent: ";

async fn newest(bench: &Bench) -> Entry {
    bench.ledger().await.pop().expect("a row")
}

fn json(text: &str) -> Odd {
    Odd::json(text)
}

fn html(status: u16) -> Odd {
    Odd::Says(status, "text/html", "<html>Please log in to the guest network</html>".to_owned())
}

#[tokio::test]
async fn s59_a_letter_is_sent_when_ses_says_so_in_its_own_words_only() {
    for bench in benches().await {
        let long = format!(r#"{{"MessageId":"{}"}}"#, "x".repeat(300));
        let mut said = vec![
            (json(""), 1, UNKNOWN),
            (json("{}"), 1, UNKNOWN),
            (json("[]"), 1, UNKNOWN),
            (json("17"), 1, UNKNOWN),
            (json(r#"{"MessageId":null}"#), 1, UNKNOWN),
            (json(r#"{"MessageId":""}"#), 1, UNKNOWN),
            (json(r#"{"MessageId":17}"#), 1, UNKNOWN),
            (json(r#"{"MessageId":{"of":"one"}}"#), 1, UNKNOWN),
            (json(r#"{"MessageId":"one\r\nBcc: x@evil.example"}"#), 1, UNKNOWN),
            (json(r#"{"MessageId":"one""#), 1, UNKNOWN),
            (json(&long), 1, UNKNOWN),
            (Odd::Says(200, "text/html", r#"{"MessageId":"one"}"#.to_owned()), 1, UNKNOWN),
            (html(200), 1, UNKNOWN),
        ];
        // not taken, and nothing that SES said about this letter
        said.extend([400, 413, 502].map(|status| (html(status), 1, "not sent: ")));
        said.extend([401, 403, 404].map(|status| (html(status), 0, "cannot send: ")));
        for (number, (odd, attempts, reason)) in said.into_iter().enumerate() {
            let ann = admin(&format!("Ann{number}"));
            bench.hear(&[bench.change("Mug")], std::slice::from_ref(&ann)).await;
            bench.ses.answer_oddly(odd.clone());
            assert_eq!(bench.deliver().await, 1);
            let row = newest(&bench).await;
            assert_eq!(row.recipient, ann.email);
            let told = row.reason.unwrap_or_default();
            assert!(told.starts_with(reason) && told.len() < 200, "{odd:?}: {told}");
            let kept = (row.status.as_str(), row.attempts, row.provider_id, row.sent_at);
            assert_eq!(kept, ("queued", Some(attempts), None, None), "{odd:?}");
            bench.ses.obey();
            bench.pass(90);
            assert_eq!(bench.deliver().await, 1, "{odd:?}");
            let (row, taken) = (newest(&bench).await, bench.ses.accepted());
            let known = taken.last().map(|mail| mail.message_id.clone());
            assert_eq!((row.status.as_str(), row.provider_id), ("sent", known), "{odd:?}");
        }
    }
}

#[tokio::test]
async fn s59_who_never_says_an_id_gets_the_letter_eight_times_and_it_has_failed() {
    for bench in benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        bench.ses.answer_oddly(json("{}"));
        for attempt in 1..=8 {
            assert_eq!(bench.deliver().await, 1, "attempt {attempt}");
            bench.pass(3_600);
        }
        assert_eq!(bench.deliver().await, 0);
        let row = newest(&bench).await;
        assert_eq!((row.status.as_str(), row.attempts), ("failed", Some(8)));
        assert_eq!((row.provider_id, row.sent_at), (None, None));
        assert!(row.reason.is_some_and(|reason| reason.contains("without the id")));
    }
}

#[tokio::test]
async fn s59_endless_answers_are_read_no_further_than_they_may_be() {
    for bench in benches().await {
        for status in [200, 400, 500] {
            let counted = Arc::new(AtomicU64::new(0));
            bench.ses.answer_oddly(Odd::Endless(status, counted.clone()));
            bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
            assert_eq!(bench.deliver().await, 1);
            let row = newest(&bench).await;
            assert_eq!((row.status.as_str(), row.attempts), ("queued", Some(1)), "{status}");
            let reason = row.reason.unwrap_or_default();
            // the bound ended it, not the time
            assert_eq!(reason, format!("{UNKNOWN}the answer cannot be read"), "{status}");
            let sent = counted.load(Ordering::SeqCst);
            assert!(sent < FAR_TOO_MUCH, "{status}: {sent} bytes were sent");
            bench.ses.obey();
            bench.pass(90);
            assert_eq!(bench.deliver().await, 1);
        }
    }
}

#[tokio::test]
async fn s59_an_answer_that_drips_is_not_waited_for_and_nobody_is_followed_elsewhere() {
    let mut config = souk_notifier::Config::default();
    config.ses.unknown_after = serde_json::from_value("3s".into()).unwrap();
    for bench in benches_with(config).await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        bench.ses.answer_oddly(Odd::Drips(200));
        let postman = bench.postman().await;
        assert_eq!(deliver(&postman).await, 1);
        let row = newest(&bench).await;
        assert_eq!(row.reason, Some(format!("{UNKNOWN}no answer in time")));
        assert_eq!((row.status.as_str(), row.provider_id), ("queued", None));

        let elsewhere = FakeSes::start().await.expect("a port");
        let path = format!("{}/v2/email/outbound-emails", elsewhere.url);
        bench.ses.answer_oddly(Odd::Leads(path));
        bench.pass(5);
        assert_eq!(deliver(&postman).await, 1);
        let row = newest(&bench).await;
        assert_eq!((row.status.as_str(), row.attempts), ("queued", Some(2)));
        assert_eq!(elsewhere.requests(), 0, "a letter went elsewhere");
        bench.ses.obey();
        bench.pass(30);
        assert_eq!(deliver(&postman).await, 1);
        assert_eq!(newest(&bench).await.status, "sent");
    }
}
