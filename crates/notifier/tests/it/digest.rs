//! Many changes are not many letters.
use souk_notifier::store::letter;

use crate::bench::{admin, benches, benches_with, digest_of};

#[tokio::test]
async fn the_first_changes_of_a_minute_go_at_once_and_the_rest_in_one_digest() {
    for bench in benches_with(digest_of(3)).await {
        let ann = admin("Ann");
        let people = std::slice::from_ref(&ann);
        for n in 0..5 {
            bench.hear(&[bench.change(&format!("p{n}"))], people).await;
            bench.pass(1);
        }
        // the fourth and fifth were collected at seconds 3 and 4
        assert_eq!(bench.deliver().await, 3, "{}", bench.store.name);
        assert_eq!(bench.sent_to(&ann), 3);
        bench.pass(57); // second 62: one before the window of the fourth ends
        assert_eq!(bench.deliver().await, 0);
        bench.pass(1);
        assert_eq!(bench.deliver().await, 1);
        assert_eq!(bench.standing(&ann).await, ["sent"; 5]);
        let digest = bench.ses.accepted().remove(3).text();
        assert!(digest.contains("Subject: [Souk] 2 product changes"), "{digest}");
        assert!(digest.contains("SKU-p3") && digest.contains("SKU-p4"), "{digest}");
        assert!(!digest.contains("SKU-p2"), "{digest}");
    }
}

#[tokio::test]
async fn a_new_minute_lets_changes_through_again() {
    for bench in benches_with(digest_of(2)).await {
        let ann = admin("Ann");
        let events: Vec<_> = (0..4).map(|n| bench.change(&format!("p{n}"))).collect();
        bench.hear(&events, std::slice::from_ref(&ann)).await;
        assert_eq!(bench.deliver().await, 2);
        bench.pass(59);
        bench.hear(&[bench.change("late")], std::slice::from_ref(&ann)).await;
        assert_eq!(bench.deliver().await, 0, "the minute is not over");
        bench.pass(1);
        bench.hear(&[bench.change("next")], std::slice::from_ref(&ann)).await;
        // the digest of three, and the new minute's own letter
        assert_eq!(bench.deliver().await, 2);
        assert_eq!(bench.sent_to(&ann), 4);
        assert_eq!(bench.standing(&ann).await, ["sent"; 6]);
    }
}

#[tokio::test]
async fn thresholds_are_counted_for_each_administrator() {
    for bench in benches_with(digest_of(1)).await {
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        bench.hear(&[bench.change("a")], std::slice::from_ref(&ann)).await;
        bench.hear(&[bench.change("b")], &[ann.clone(), bob.clone()]).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["sent", "queued"]);
        assert_eq!(bench.standing(&bob).await, ["sent"]);
    }
}

#[tokio::test]
async fn changes_of_a_batch_always_wait_for_a_digest() {
    for bench in benches().await {
        let admins = [admin("Ann"), admin("Bob")];
        let events: Vec<_> =
            (0..300).map(|n| bench.event(&format!("p{n}"), "created", "job_1")).collect();
        for batch in events.chunks(256) {
            bench.hear(batch, &admins).await;
        }
        assert_eq!(bench.deliver().await, 0, "{}", bench.store.name);
        bench.pass(60);
        assert_eq!(bench.deliver().await, 2);
        for who in &admins {
            assert_eq!(bench.sent_to(who), 1);
            assert_eq!(bench.standing(who).await, ["sent"; 300]);
        }
        let text = bench.ses.accepted().remove(0).text();
        assert!(text.contains("Subject: [Souk] 300 product changes"), "{text}");
        assert!(text.contains("and 100 more changes"), "{text}");
        // a batch leaves the minute's letters alone
        bench.hear(&[bench.change("single")], &admins).await;
        assert_eq!(bench.deliver().await, 2);
    }
}

#[tokio::test]
async fn a_digest_that_was_taken_takes_in_no_more_changes() {
    for bench in benches_with(digest_of(0)).await {
        let ann = admin("Ann");
        bench.hear(&[bench.change("first")], std::slice::from_ref(&ann)).await;
        bench.pass(60);
        let postman = bench.postman().await;
        let taken = postman.claim(8).await.expect("the digest is due").remove(0);
        bench.hear(&[bench.change("second")], std::slice::from_ref(&ann)).await;
        // throttled: queued again, without an attempt, but already written
        bench.ses.throttle_next(1);
        postman.carry(taken).await;
        bench.hear(&[bench.change("third")], std::slice::from_ref(&ann)).await;
        bench.pass(60);
        assert_eq!(crate::bench::deliver(&postman).await, 2);
        let texts: Vec<String> = bench.ses.accepted().iter().map(|m| m.text()).collect();
        for name in ["SKU-first", "SKU-second", "SKU-third"] {
            let told =
                texts.iter().filter(|text| text.contains(&format!("SKU      {name}"))).count();
            assert_eq!(told, 1, "{name} in {texts:#?}");
        }
        assert_eq!(bench.standing(&ann).await, ["sent"; 3]);
    }
}

#[tokio::test]
async fn the_words_of_a_digest_are_kept() {
    for bench in benches_with(digest_of(0)).await {
        bench.hear(&[bench.change("Mug"), bench.change("Cup")], &[admin("Ann")]).await;
        bench.pass(60);
        bench.deliver().await;
        let id = bench.ledger().await[0].letter_id.expect("a letter");
        let kept = letter::find(bench.db().write(), id).await.expect("reads").expect("is there");
        assert_eq!(kept.subject.as_deref(), Some("[Souk] 2 product changes"));
        assert!(kept.text.is_some_and(|text| text.contains("SKU-Mug") && text.contains("SKU-Cup")));
        assert_eq!(kept.notifications, 2);
    }
}
