//! Letters of accounts: asked for by an event, worded when they are sent.
use std::sync::atomic::Ordering;
use std::time::Duration;

use souk_auth::Permission;
use souk_events::{Consumer, Envelope, HandleError, registry};
use souk_notifier::app::Recipient;
use souk_notifier::domain::request::Kind;
use souk_notifier::events::account::AccountHandler;
use souk_notifier::events::request::{self, RequestHandler};
use souk_proto::accounts::v1::{Fact, Mail};
use souk_proto::events::v1::{LetterRequested, UserChanged};
use souk_proto::notifier::v1::{GetLetterRequest, ListLettersRequest, ListNotificationsRequest};
use souk_values::{MailRequestId, UserId};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, admin, benches, deliver, envelope, handle};
use crate::folder::{files, folder_benches};
use crate::neighbor::Neighborhood;

pub(crate) const CODE: &str = "ZX7KQ2M9";
pub(crate) const TOKEN: &str = "Jm3vTq8uWc1xPz5r";

impl Bench {
    /// Accounts asks for a letter to an account, or to nobody's.
    pub(crate) fn request(&self, kind: Kind, user: Option<UserId>) -> (Envelope, MailRequestId) {
        let id = MailRequestId::new();
        let message = LetterRequested {
            request_id: id.to_string(),
            kind: kind.as_str().to_owned(),
            user_id: user.map(|user| user.to_string()).unwrap_or_default(),
        };
        let at = self.clock.now();
        (envelope(registry::LETTER_REQUESTED, format!("mail/{id}"), &message, at), id)
    }

    pub(crate) async fn hear_requests(&self, events: &[Envelope]) {
        handle(self.db(), &RequestHandler::new(self.app.clone()), events).await;
    }

    /// A letter that is heard of and known to accounts.
    pub(crate) async fn requested(
        &self,
        neighbors: &Neighborhood,
        kind: Kind,
        who: &Recipient,
    ) -> MailRequestId {
        let user = (kind != Kind::RegistrationCode).then_some(who.user_id);
        let (event, id) = self.request(kind, user);
        neighbors.has_mail(mail(id, kind, who));
        self.hear_requests(&[event]).await;
        id
    }

    /// Status, attempts and reason of the only ledger row.
    async fn stands(&self) -> (String, i32, String) {
        let row = self.ledger().await.remove(0);
        (row.status, row.attempts.unwrap_or(-1), row.reason.unwrap_or_default())
    }
}

/// What accounts says of it.
pub(crate) fn mail(id: MailRequestId, kind: Kind, who: &Recipient) -> Mail {
    let code = match kind {
        Kind::RegistrationCode | Kind::EmailChangeCode => CODE.to_owned(),
        _ => String::new(),
    };
    let link = match kind {
        Kind::PasswordReset => format!("/account/reset?token={TOKEN}"),
        Kind::NewsletterConfirm => format!("/newsletter/confirm?token={TOKEN}"),
        _ => String::new(),
    };
    let facts = vec![Fact { name: "device".into(), value: "Firefox on Linux".into() }];
    Mail {
        request_id: id.to_string(),
        kind: kind.as_str().to_owned(),
        user_id: who.user_id.to_string(),
        email: who.email.clone(),
        name: who.name.clone(),
        code,
        link,
        facts,
        obsolete: false,
        expires_at_us: 0,
    }
}

#[tokio::test]
async fn a_letter_of_every_kind_arrives_with_its_code_or_link() {
    for bench in folder_benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        for kind in Kind::ALL {
            bench.requested(&neighbors, kind, &ann).await;
            let waiting = bench.ledger().await.pop().expect("a row");
            assert_eq!((waiting.kind, waiting.recipient.as_str()), (kind.event(), ""));
            assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 1, "{kind:?}");
            let row = bench.ledger().await.pop().expect("a row");
            let stands = (row.kind, row.status.as_str(), row.recipient.as_str());
            assert_eq!(stands, (kind.event(), "sent", "ann@shop.example"), "{}", bench.store.name);
            let letter = row.letter_id.expect("a letter");
            let files = files(&bench);
            let file = files.iter().find(|f| f.to_string_lossy().contains(&letter.to_string()));
            let text = std::fs::read_to_string(file.expect("its file")).expect("a letter");
            let text = text.replace("=\r\n", "").replace("=3D", "=");
            let said = mail(MailRequestId::new(), kind, &ann);
            assert!(text.contains(&said.code), "{kind:?}: {text}");
            if !said.link.is_empty() {
                let link = format!("http://127.0.0.1:8080{}", said.link);
                assert_eq!(text.matches(&link).count(), 3, "text, button, below it: {text}");
            }
            assert!(text.contains("Firefox on Linux"), "{text}");
            assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
            assert!(!text.contains("Reply-To"), "{text}");
        }
        assert_eq!(files(&bench).len(), Kind::ALL.len());
    }
}

#[tokio::test]
async fn the_same_request_is_one_letter_however_often_it_comes() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        let (event, id) = bench.request(Kind::Welcome, Some(ann.user_id));
        neighbors.has_mail(mail(id, Kind::Welcome, &ann));
        bench.hear_requests(&[event.clone(), event.clone()]).await;
        bench.hear_requests(std::slice::from_ref(&event)).await;
        let postman = bench.postman_of(&neighbors).await;
        assert_eq!(deliver(&postman).await, 1, "{}", bench.store.name);
        bench.hear_requests(&[event]).await;
        assert_eq!(deliver(&postman).await, 0);
        assert_eq!(bench.sent_to(&ann), 1);
        assert_eq!(bench.standing(&ann).await, ["sent"]);
    }
}

#[tokio::test]
async fn two_people_without_an_account_each_get_their_code() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        for who in [&ann, &bob] {
            bench.requested(&neighbors, Kind::RegistrationCode, who).await;
        }
        assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 2);
        for who in [&ann, &bob] {
            assert_eq!((bench.sent_to(who), bench.standing(who).await.len()), (1, 1));
        }
        let reader = neighbors.call_of(UserId::new(), &[Permission::NotificationsRead]);
        let mut client = bench.client(&neighbors, "gateway");
        let request = ListNotificationsRequest { recipient: ann.email, ..Default::default() };
        let found = souk_rpc::scope(reader, client.list_notifications(request)).await;
        let found = found.expect("answers").into_inner().items;
        assert_eq!(found.len(), 1, "{}", bench.store.name);
        let row = &found[0];
        assert_eq!((row.user_id.as_str(), row.kind.as_str()), ("", "account.registration_code"));
        assert!(row.product_id.is_empty() && row.order_id.is_empty());
    }
}

#[tokio::test]
async fn a_letter_that_left_before_a_crash_is_written_over_and_not_doubled() {
    for bench in folder_benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        bench.requested(&neighbors, Kind::PasswordReset, &admin("Ann")).await;
        let dead = bench.postman_of(&neighbors).await;
        let taken = dead.claim(8).await.expect("claims").remove(0);
        // the one that was killed after the file was there and before the ledger knew
        let folder = bench.store.dir.path().join("mail");
        let next = bench.postman_of(&neighbors).await;
        bench.pass(30);
        assert_eq!(deliver(&next).await, 1, "{}", bench.store.name);
        let first = std::fs::read(&files(&bench)[0]).expect("a letter");
        // the late one finds that it is another's, and leaves it alone
        std::fs::remove_dir_all(&folder).expect("removed");
        dead.carry(taken).await;
        assert!(!folder.exists(), "nothing was written");
        std::fs::create_dir(&folder).expect("made");
        assert_eq!(bench.ledger().await[0].status, "sent");

        bench.requested(&neighbors, Kind::PasswordReset, &admin("Ann")).await;
        let lost = bench.postman_of(&neighbors).await.claim(8).await.expect("claims").remove(0);
        let name = format!("{}.eml", lost.id);
        std::fs::write(folder.join(&name), b"half").expect("what the dead one wrote");
        bench.pass(30);
        assert_eq!(deliver(&next).await, 1);
        assert_eq!(files(&bench).len(), 1);
        let second = std::fs::read(folder.join(&name)).expect("a letter");
        let (first, second) =
            (String::from_utf8_lossy(&first), String::from_utf8_lossy(&second).into_owned());
        assert!(first.contains(TOKEN) && second.contains(TOKEN), "{second}");
    }
}

/// What accounts says instead, at that time, and how it ends.
type Case = (fn(&mut Mail, i64), &'static str, &'static str);

#[tokio::test]
async fn what_is_used_expired_or_unknown_is_not_sent() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        let now = bench.clock.now().timestamp_micros();
        let cases: [Case; 4] = [
            (|m, _| m.obsolete = true, "suppressed", "obsolete"),
            (|m, now| m.expires_at_us = now, "suppressed", "obsolete"),
            (|m, _| m.code.clear(), "failed", "mail_incomplete"),
            (|m, _| m.request_id = "another".into(), "failed", "mail_not_found"),
        ];
        for (change, status, reason) in cases {
            let (event, id) = bench.request(Kind::RegistrationCode, None);
            let mut said = mail(id, Kind::RegistrationCode, &ann);
            change(&mut said, now);
            neighbors.has_mail(said);
            bench.hear_requests(&[event]).await;
            assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 1, "{reason}");
            let row = bench.ledger().await.pop().expect("a row");
            let stands = (row.status.as_str(), row.reason.as_deref());
            assert_eq!(stands, (status, Some(reason)), "{}", bench.store.name);
        }
        bench.pass(86_400);
        assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 0, "and not later");
        assert_eq!(bench.ses.requests(), 0);
    }
}

#[tokio::test]
async fn while_accounts_is_away_letters_wait_and_no_attempt_counts() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        neighbors.accounts.away.store(true, Ordering::SeqCst);
        bench.requested(&neighbors, Kind::PasswordReset, &ann).await;
        // a letter that needs nobody's word goes out meanwhile
        bench.hear(&[bench.change("Mug")], &[admin("Bob")]).await;
        let postman = bench.postman_of(&neighbors).await;
        assert_eq!(deliver(&postman).await, 2);
        // far more often than attempts that count
        for round in 0..40 {
            let (status, attempts, reason) = bench.stands().await;
            assert_eq!((status.as_str(), attempts), ("queued", 0), "round {round}");
            assert_eq!(reason, "accounts_away");
            bench.pass(30);
            assert_eq!(deliver(&postman).await, 1, "round {round}");
        }
        assert_eq!(bench.ses.accepted().len(), 1, "{}", bench.store.name);
        neighbors.accounts.away.store(false, Ordering::SeqCst);
        bench.pass(30);
        assert_eq!(deliver(&postman).await, 1);
        assert_eq!(bench.standing(&ann).await, ["sent"]);
        assert_eq!(bench.stands().await.1, 1);
        assert!(bench.ses.accepted()[1].text().contains(TOKEN));
    }
}

#[tokio::test]
async fn nobody_waits_for_accounts_beyond_the_end() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        neighbors.accounts.away.store(true, Ordering::SeqCst);
        bench.requested(&neighbors, Kind::Welcome, &admin("Ann")).await;
        let postman = bench.postman_of(&neighbors).await;
        bench.pass(86_399);
        deliver(&postman).await;
        assert_eq!(bench.stands().await.0, "queued", "{}", bench.store.name);
        bench.pass(30);
        deliver(&postman).await;
        let (status, _, reason) = bench.stands().await;
        assert_eq!((status.as_str(), reason.as_str()), ("failed", "accounts_away"));

        // once accounts said when it ends, that is the bound
        neighbors.accounts.away.store(false, Ordering::SeqCst);
        let (event, id) = bench.request(Kind::PasswordReset, Some(UserId::new()));
        let end = bench.clock.now() + chrono::TimeDelta::minutes(15);
        let said = mail(id, Kind::PasswordReset, &admin("Bob"));
        neighbors.has_mail(Mail { expires_at_us: end.timestamp_micros(), ..said });
        bench.hear_requests(&[event]).await;
        bench.ses.fail_next(1, 500);
        assert_eq!(deliver(&postman).await, 1);
        neighbors.accounts.away.store(true, Ordering::SeqCst);
        bench.pass(899);
        deliver(&postman).await;
        let stands = |row: souk_notifier::store::notification::Entry| (row.status, row.reason);
        let row = bench.ledger().await.pop().map(stands).expect("a row");
        assert_eq!(row, ("queued".to_owned(), Some("accounts_away".to_owned())));
        bench.pass(30);
        deliver(&postman).await;
        let row = bench.ledger().await.pop().map(stands).expect("a row");
        assert_eq!(row, ("suppressed".to_owned(), Some("obsolete".to_owned())));
        assert!(bench.ses.accepted().is_empty());
    }
}

#[tokio::test]
async fn a_postman_who_lost_the_letter_while_he_asked_does_not_send_it() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        bench.requested(&neighbors, Kind::NewDevice, &ann).await;
        let (slow, quick) =
            (bench.postman_of(&neighbors).await, bench.postman_of(&neighbors).await);
        let stale = slow.claim(8).await.expect("claims").remove(0);
        bench.pass(90);
        assert_eq!(deliver(&quick).await, 1);
        slow.carry(stale).await;
        assert_eq!(bench.sent_to(&ann), 1, "{}", bench.store.name);
        assert_eq!(bench.standing(&ann).await, ["sent"]);
    }
}

#[tokio::test]
async fn a_letter_goes_to_the_address_of_the_moment_of_sending() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (old, mut new) = (admin("Ann"), admin("Anna"));
        new.user_id = old.user_id;
        bench.ses.fail_next(1, 500);
        let id = bench.requested(&neighbors, Kind::NewDevice, &old).await;
        let postman = bench.postman_of(&neighbors).await;
        assert_eq!(deliver(&postman).await, 1);
        neighbors.has_mail(mail(id, Kind::NewDevice, &new));
        bench.pass(5);
        assert_eq!(deliver(&postman).await, 1);
        assert_eq!((bench.sent_to(&old), bench.sent_to(&new)), (0, 1), "{}", bench.store.name);
        assert_eq!(bench.ledger().await[0].recipient, new.email);
    }
}

#[tokio::test]
async fn a_closed_account_gets_only_the_letters_that_must_go() {
    const CASES: [(Kind, &str); 6] = [
        (Kind::Welcome, "suppressed"),
        (Kind::PasswordReset, "suppressed"),
        (Kind::EmailChanged, "sent"),
        (Kind::SessionEnded, "sent"),
        (Kind::Blocked, "sent"),
        (Kind::RegistrationCode, "sent"),
    ];
    for bench in benches().await {
        // the closing is heard after the requests, or before them
        for closed_first in [false, true] {
            let neighbors = Neighborhood::new(&bench.clock);
            let ann = admin(if closed_first { "Ann" } else { "Bob" });
            let message = UserChanged {
                user_id: ann.user_id.to_string(),
                version: 2,
                kind: "changed".into(),
                active: false,
                ..Default::default()
            };
            let at = bench.clock.now();
            let closed = envelope(registry::USER_CHANGED, message.user_id.clone(), &message, at);
            let handler = AccountHandler::new(bench.app.clone(), neighbors.client());
            if closed_first {
                handle(bench.db(), &handler, std::slice::from_ref(&closed)).await;
            }
            let before = bench.ledger().await.len();
            for (kind, _) in CASES {
                bench.requested(&neighbors, kind, &ann).await;
            }
            if !closed_first {
                handle(bench.db(), &handler, &[closed]).await;
            }
            deliver(&bench.postman_of(&neighbors).await).await;
            let rows = bench.ledger().await;
            for (row, (kind, status)) in rows[before..].iter().zip(CASES) {
                assert_eq!(row.kind, kind.event());
                assert_eq!(row.status, status, "{kind:?} on {}", bench.store.name);
                let reason = (status == "suppressed").then_some("inactive");
                assert_eq!(row.reason.as_deref(), reason, "{kind:?}");
            }
            // what is asked for after it closed is accounts' own decision
            bench.pass(1);
            bench.requested(&neighbors, Kind::Unblocked, &ann).await;
            assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 1);
            assert_eq!(bench.ledger().await.pop().expect("a row").status, "sent");
        }
    }
}

#[tokio::test]
async fn the_mailbox_shows_codes_and_the_desk_does_not() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        bench.requested(&neighbors, Kind::RegistrationCode, &ann).await;
        bench.requested(&neighbors, Kind::NewDevice, &ann).await;
        deliver(&bench.postman_of(&neighbors).await).await;
        let mut client = bench.client(&neighbors, "gateway");
        let listed = client.list_letters(ListLettersRequest::default()).await.expect("answers");
        let listed = listed.into_inner().items;
        let subjects: Vec<_> = listed.iter().map(|l| l.subject.as_str()).collect();
        let expected = ["[Souk] A new device signed in", "[Souk] Your code to register"];
        assert_eq!(subjects, expected, "{}", bench.store.name);
        let ids: Vec<_> = listed.into_iter().map(|letter| letter.id).collect();
        let reader = neighbors.call_of(UserId::new(), &[Permission::NotificationsRead]);

        let ask = || GetLetterRequest { id: ids[1].clone() };
        let here = client.get_letter(ask()).await.expect("answers").into_inner();
        assert!(here.text.contains(CODE) && here.html.contains(CODE), "{}", here.text);
        let desk = souk_rpc::scope(reader.clone(), client.get_letter(ask())).await;
        let desk = desk.expect("answers").into_inner();
        assert_eq!(desk.subject, "[Souk] Your code to register");
        assert_eq!(desk.recipient, ann.email);
        assert!(desk.text.contains("not kept") && desk.html.contains("not kept"));
        assert!(!format!("{desk:?}").contains(CODE));

        let ask = || GetLetterRequest { id: ids[0].clone() };
        let desk = souk_rpc::scope(reader.clone(), client.get_letter(ask())).await;
        assert!(desk.expect("answers").into_inner().text.contains("Firefox on Linux"));
        // accounts forgets its requests before the ledger forgets its rows
        neighbors.accounts.mails.lock().expect("unpoisoned").clear();
        let desk = souk_rpc::scope(reader, client.get_letter(ask())).await;
        assert!(desk.expect("answers").into_inner().text.contains("not kept"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_poison() {
    for bench in benches().await {
        let (good, _) = bench.request(Kind::Welcome, Some(UserId::new()));
        assert!(request::from_proto(&good).is_ok());
        let (nobodys, _) = bench.request(Kind::RegistrationCode, None);
        assert!(request::from_proto(&nobodys).is_ok_and(|news| news.user.is_none()));
        let of = |change: fn(&mut LetterRequested)| {
            let mut message = LetterRequested {
                request_id: MailRequestId::new().to_string(),
                kind: "welcome".into(),
                user_id: UserId::new().to_string(),
            };
            change(&mut message);
            envelope(registry::LETTER_REQUESTED, "mail/1".into(), &message, bench.clock.now())
        };
        let torn = Envelope { payload: bytes::Bytes::from_static(b"\xff\xff"), ..of(|_| {}) };
        let odd = Envelope { event_type: registry::USER_CHANGED.into(), ..of(|_| {}) };
        for event in [
            of(|m| m.request_id = "42".into()),
            of(|m| m.kind = "love_letter".into()),
            of(|m| m.user_id = "ann".into()),
            torn,
            odd,
        ] {
            let refused = request::from_proto(&event).expect_err("poison");
            assert!(matches!(refused, HandleError::Poisoned(_)), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn requests_of_the_queue_become_letters_while_accounts_is_away() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        neighbors.accounts.away.store(true, Ordering::SeqCst);
        let ann = admin("Ann");
        let bus = souk_events::bus::open("", bench.store.dir.path()).await.expect("a bus");
        bus.declare(registry::QUEUES).await.expect("queues");
        let (event, id) = bench.request(Kind::Welcome, Some(ann.user_id));
        neighbors.has_mail(mail(id, Kind::Welcome, &ann));
        for published in bus.publish(&[event.clone(), event]).await {
            published.expect("published");
        }
        let stop = CancellationToken::new();
        let handler = RequestHandler::new(bench.app.clone());
        let consumer = Consumer::new("notifier.letter.v1", 256, handler);
        let running = tokio::spawn(consumer.run(bench.db().clone(), bus.clone(), stop.clone()));
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for ticks in 0.. {
            tick.tick().await;
            let depth = bus.depth("notifier.letter.v1").await.expect("a depth");
            if depth == (0, 0) && bench.ledger().await.len() == 1 {
                break;
            }
            assert!(ticks < 1_000, "{depth:?}");
        }
        stop.cancel();
        running.await.expect("ends");
        neighbors.accounts.away.store(false, Ordering::SeqCst);
        assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 1);
        assert_eq!(bench.standing(&ann).await, ["sent"], "{}", bench.store.name);
    }
}
