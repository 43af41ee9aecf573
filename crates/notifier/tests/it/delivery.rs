//! What becomes of letters when sending goes wrong.
use std::time::Duration;

use souk_notifier::store::letter;

use crate::bench::{Bench, admin, benches, deliver};

/// Status, attempts and reason of the only ledger row.
async fn only(bench: &Bench) -> (String, i32, String) {
    let row = bench.ledger().await.remove(0);
    (row.status, row.attempts.unwrap_or(-1), row.reason.unwrap_or_default())
}

#[tokio::test]
async fn a_bad_address_fails_at_once_and_alone() {
    for bench in benches().await {
        let (ann, bad) = (admin("Ann"), admin("Bad"));
        let mut broken = admin("Broken");
        broken.email = "not an address".to_owned();
        bench.ses.reject_address(&bad.email);
        let everybody = [bad.clone(), broken.clone(), ann.clone()];
        bench.hear(&[bench.change("Mug"), bench.change("Cup")], &everybody).await;
        assert_eq!(bench.deliver().await, 6);
        assert_eq!(bench.standing(&ann).await, ["sent"; 2], "{}", bench.store.name);
        assert_eq!(bench.standing(&bad).await, ["failed"; 2]);
        assert_eq!(bench.standing(&broken).await, ["failed"; 2]);
        let row = bench.ledger().await.into_iter().find(|r| r.recipient == bad.email);
        let reason = row.and_then(|r| r.reason).unwrap_or_default();
        assert!(reason.contains("MessageRejected"), "{reason}");
        assert!(!reason.contains('@'), "no address in a reason: {reason}");
    }
}

#[tokio::test]
async fn faults_of_the_mail_system_are_tried_again_with_growing_pauses_until_given_up() {
    for bench in benches().await {
        bench.ses.fail_next(100, 500);
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        let postman = bench.postman().await;
        assert_eq!(deliver(&postman).await, 1);
        for (tried, pause) in [5, 30, 120, 600, 3600, 3600, 3600].into_iter().enumerate() {
            let attempt = i32::try_from(tried).unwrap() + 1;
            assert_eq!(only(&bench).await.0, "queued", "attempt {attempt}");
            bench.pass(pause - 1);
            assert_eq!(deliver(&postman).await, 0, "too early after attempt {attempt}");
            bench.pass(1);
            assert_eq!(deliver(&postman).await, 1, "again after attempt {attempt}");
        }
        let (status, attempts, reason) = only(&bench).await;
        assert_eq!((status.as_str(), attempts), ("failed", 8), "{}", bench.store.name);
        assert!(reason.contains("500"), "{reason}");
        bench.pass(86_400);
        assert_eq!(deliver(&postman).await, 0);
        assert_eq!(bench.ses.requests(), 8);
    }
}

#[tokio::test]
async fn throttling_slows_everybody_and_costs_no_attempt() {
    for bench in benches().await {
        let admins = [admin("Ann"), admin("Bob")];
        bench.hear(&[bench.change("Mug")], &admins[..1]).await;
        let postman = bench.postman().await;
        for (round, pause) in [1, 2, 4].into_iter().enumerate() {
            bench.ses.throttle_next(1);
            assert_eq!(deliver(&postman).await, 1, "round {round}");
            let (status, attempts, reason) = only(&bench).await;
            assert_eq!((status.as_str(), attempts), ("queued", 0), "{}", bench.store.name);
            assert!(reason.contains("TooManyRequests"), "{reason}");
            if round == 2 {
                bench.hear(&[bench.change("Cup")], &admins[1..]).await;
            }
            bench.clock.advance(chrono::TimeDelta::milliseconds(pause * 1000 - 1));
            assert_eq!(deliver(&postman).await, 0, "held in round {round}");
            bench.clock.advance(chrono::TimeDelta::milliseconds(1));
        }
        assert_eq!(deliver(&postman).await, 2);
        assert_eq!(bench.ses.accepted().len(), 2);
        assert!(bench.ledger().await.iter().all(|r| r.status == "sent" && r.attempts == Some(1)));
        // a success ends the row: the next throttling holds a second again
        bench.ses.throttle_next(1);
        bench.hear(&[bench.change("Pot")], &admins[..1]).await;
        assert_eq!(deliver(&postman).await, 1);
        bench.pass(1);
        assert_eq!(deliver(&postman).await, 1);
    }
}

#[tokio::test]
async fn a_paused_account_keeps_every_letter() {
    for bench in benches().await {
        let admins = [admin("Ann"), admin("Bob"), admin("Cleo")];
        bench.ses.refuse_all(400, "SendingPausedException");
        bench.hear(&[bench.change("Mug")], &admins).await;
        let postman = bench.postman().await;
        for _ in 0..20 {
            deliver(&postman).await;
            bench.pass(60);
        }
        for who in &admins {
            assert_eq!(bench.standing(who).await, ["queued"], "{}", bench.store.name);
        }
        bench.ses.obey();
        assert_eq!(deliver(&postman).await, 3);
        assert_eq!(bench.ses.accepted().len(), 3);
    }
}

#[tokio::test]
async fn a_letter_of_a_dead_postman_is_sent_again_only_when_its_fate_is_settled() {
    for bench in benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        let dead = bench.postman().await;
        assert_eq!(dead.claim(8).await.expect("claims").len(), 1);
        drop(dead);
        let next = bench.postman().await;
        next.take_over().await.expect("takes over");
        assert_eq!(only(&bench).await.0, "sending");
        bench.clock.advance(chrono::TimeDelta::milliseconds(89_999));
        assert_eq!(deliver(&next).await, 0, "{}", bench.store.name);
        bench.clock.advance(chrono::TimeDelta::milliseconds(1));
        assert_eq!(deliver(&next).await, 1);
        let (status, attempts, _) = only(&bench).await;
        assert_eq!((status.as_str(), attempts), ("sent", 2));
    }
}

#[tokio::test]
async fn two_postmen_never_take_the_same_letter() {
    for bench in benches().await {
        let admins: Vec<_> = (0..40).map(|n| admin(&format!("A{n}"))).collect();
        bench.hear(&[bench.change("Mug"), bench.change("Cup")], &admins).await;
        let (one, two) = (bench.postman().await, bench.postman().await);
        let (first, second) = tokio::join!(deliver(&one), deliver(&two));
        assert_eq!(first + second, 80, "{}", bench.store.name);
        for who in &admins {
            assert_eq!(bench.sent_to(who), 2, "{}", who.name);
        }
    }
}

#[tokio::test]
async fn a_postman_who_was_overtaken_writes_nothing() {
    for bench in benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        let (slow, quick) = (bench.postman().await, bench.postman().await);
        let stale = slow.claim(8).await.expect("claims").remove(0);
        bench.pass(90);
        assert_eq!(deliver(&quick).await, 1);
        bench.ses.fail_next(1, 500);
        slow.carry(stale).await;
        let (status, attempts, _) = only(&bench).await;
        assert_eq!((status.as_str(), attempts), ("sent", 2), "{}", bench.store.name);
    }
}

#[tokio::test]
async fn an_answer_that_never_came_is_not_taken_for_a_refusal() {
    let mut config = souk_notifier::Config::default();
    config.ses.unknown_after = serde_json::from_value("3s".into()).unwrap();
    for bench in crate::bench::benches_with(config).await {
        bench.ses.swallow_answers(1);
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        let postman = bench.postman().await;
        assert_eq!(deliver(&postman).await, 1);
        let (status, attempts, reason) = only(&bench).await;
        assert_eq!((status.as_str(), attempts), ("queued", 1), "{}", bench.store.name);
        assert!(reason.contains("unknown whether sent"), "{reason}");
        bench.pass(5);
        assert_eq!(deliver(&postman).await, 1);
        assert_eq!(only(&bench).await.0, "sent");
        assert_eq!(bench.ses.accepted().len(), 2, "the one known way to double a letter");
    }
}

#[tokio::test]
async fn a_mail_system_that_is_away_costs_an_attempt_but_no_letter() {
    for mut bench in benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        bench.config.ses.endpoint = "http://127.0.0.1:1".to_owned();
        assert_eq!(bench.deliver().await, 1);
        let (status, attempts, reason) = only(&bench).await;
        assert_eq!((status.as_str(), attempts), ("queued", 1));
        assert!(reason.contains("cannot be reached"), "{reason}");
        bench.config.ses.endpoint = bench.ses.url.clone();
        bench.pass(5);
        assert_eq!(bench.deliver().await, 1);
        assert_eq!(only(&bench).await.0, "sent");
    }
}

#[tokio::test]
async fn a_running_postman_sends_what_comes_and_a_slow_address_delays_nobody() {
    for bench in benches().await {
        let (slow, ann) = (admin("Slow"), admin("Ann"));
        bench.ses.hang_for(&slow.email);
        let postman = std::sync::Arc::new(bench.postman().await);
        let stop = tokio_util::sync::CancellationToken::new();
        let running = tokio::spawn(postman.run(stop.clone()));
        for n in 0..10 {
            let name = format!("p{n}");
            bench.hear(&[bench.change(&name)], std::slice::from_ref(&ann)).await;
            if n == 0 {
                bench.hear(&[bench.change("slow")], std::slice::from_ref(&slow)).await;
            }
            bench.app.wake();
        }
        // the slow one hangs for ten seconds
        assert!(bench.ses.wait_for(10, Duration::from_secs(8)).await, "{}", bench.store.name);
        assert_eq!(bench.standing(&slow).await, ["sending"]);
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(180), running).await.expect("stops").unwrap();
        assert_eq!(bench.standing(&slow).await, ["queued"], "what was on its way was finished");
        let due = letter::next_due(bench.db().write()).await.unwrap();
        assert_eq!(due, Some(bench.clock.now() + chrono::TimeDelta::seconds(90)));
    }
}
