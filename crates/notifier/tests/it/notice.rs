//! One event, one letter for each administrator.
use crate::bench::{admin, benches};

#[tokio::test]
async fn every_administrator_gets_one_letter_for_a_change() {
    for bench in benches().await {
        let admins = [admin("Ann"), admin("Bob"), admin("Cleo")];
        bench.hear(&[bench.change("Mug")], &admins).await;
        assert_eq!(bench.deliver().await, 3, "{}", bench.store.name);
        for who in &admins {
            assert_eq!(bench.sent_to(who), 1, "{}", who.name);
            assert_eq!(bench.standing(who).await, ["sent"]);
        }
        assert_eq!(bench.deliver().await, 0, "nothing is left");
    }
}

#[tokio::test]
async fn a_letter_carries_its_id_its_trace_and_the_change() {
    for bench in benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        bench.deliver().await;
        let row = bench.ledger().await.remove(0);
        let mail = bench.ses.accepted().remove(0);
        let letter = row.letter_id.expect("a letter").to_string();
        assert_eq!(mail.tag("d"), Some(letter.as_str()));
        assert_eq!(row.provider_id.as_deref(), Some(mail.message_id.as_str()));
        assert_eq!(row.sent_at, Some(bench.clock.now()));
        assert_eq!((row.attempts, row.kind.as_str()), (Some(1), "product.changed"));
        for part in [
            format!("X-Souk-Letter: {letter}"),
            "X-Souk-Trace: 0af7651916cd43dd8448eb211c80319c".to_owned(),
            "Subject: [Souk] Product changed: Mug (SKU-Mug)".to_owned(),
            "price: 39.99 EUR -> 29.99 EUR".to_owned(),
            format!("/api/products/{}", row.product_id.expect("of a product")),
        ] {
            assert!(mail.text().contains(&part), "{part} in {}", mail.text());
        }
    }
}

#[tokio::test]
async fn an_event_heard_twice_makes_no_second_letter() {
    for bench in benches().await {
        let ann = admin("Ann");
        let event = bench.change("Mug");
        bench.hear(&[event.clone(), event.clone()], std::slice::from_ref(&ann)).await;
        bench.deliver().await;
        bench.pass(3600);
        bench.hear(&[event, bench.change("Cup")], std::slice::from_ref(&ann)).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["sent", "sent"]);
        assert_eq!(bench.sent_to(&ann), 2);
    }
}

#[tokio::test]
async fn a_change_without_recipients_leaves_no_trace() {
    for bench in benches().await {
        bench.hear(&[bench.change("Mug")], &[]).await;
        assert_eq!(bench.ledger().await.len(), 0);
        assert_eq!(bench.deliver().await, 0);
    }
}

#[tokio::test]
async fn nothing_in_a_name_or_sku_adds_a_header() {
    for bench in benches().await {
        bench.hear(&[bench.change("a\r\nBcc: x@evil.example\r\n\r\nbody")], &[admin("Ann")]).await;
        bench.deliver().await;
        let text = bench.ses.accepted().remove(0).text();
        let head = text.split("\r\n\r\n").next().expect("a head");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(head.contains("Auto-Submitted: auto-generated"), "the head is whole: {head}");
    }
}

#[tokio::test]
async fn loading_the_demo_shop_writes_to_nobody() {
    for bench in benches().await {
        let demo: Vec<_> =
            (0..30).map(|n| bench.event(&format!("p{n}"), "created", "demo")).collect();
        bench.hear(&demo, &[admin("Ann")]).await;
        bench.pass(60);
        assert_eq!(bench.deliver().await, 0);
        assert_eq!(bench.ledger().await.len(), 0, "{}", bench.store.name);
    }
}
