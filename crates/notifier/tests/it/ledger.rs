//! The ledger as administrators read it: filters, pages, counts, letters.
use souk_auth::Permission;
use souk_proto::notifier::v1::{
    GetLetterRequest, ListLettersRequest, ListNotificationsRequest, Notification,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{CallContext, Failure, scope};
use souk_values::UserId;

use crate::bench::{Bench, admin, benches, benches_with, digest_of};
use crate::neighbor::Neighborhood;

struct Reader {
    neighbors: Neighborhood,
    call: CallContext,
}

impl Reader {
    fn of(bench: &Bench) -> Self {
        let neighbors = Neighborhood::new(&bench.clock);
        let call = neighbors.call_of(UserId::new(), &[Permission::NotificationsRead]);
        Self { neighbors, call }
    }

    async fn list(&self, bench: &Bench, request: ListNotificationsRequest) -> Vec<Notification> {
        let mut client = bench.client(&self.neighbors, "gateway");
        let answer = scope(self.call.clone(), client.list_notifications(request)).await;
        answer.expect("answers").into_inner().items
    }
}

#[tokio::test]
async fn the_ledger_can_be_filtered_counted_and_paged() {
    for bench in benches().await {
        let reader = Reader::of(&bench);
        let (ann, bad) = (admin("Ann"), admin("Bad"));
        bench.ses.reject_address(&bad.email);
        for n in 0..5 {
            let people = [ann.clone(), bad.clone()];
            bench.hear(&[bench.change(&format!("p{n}"))], &people).await;
        }
        bench.deliver().await;
        let any = ListNotificationsRequest::default;
        let all = reader.list(&bench, any()).await;
        assert_eq!(all.len(), 10, "{}", bench.store.name);
        let first = &all[9];
        let cases = [
            (ListNotificationsRequest { status: "sent".into(), ..any() }, 5),
            (ListNotificationsRequest { status: "suppressed".into(), ..any() }, 0),
            (ListNotificationsRequest { recipient: "bad@SHOP.example".into(), ..any() }, 5),
            (ListNotificationsRequest { product_id: first.product_id.clone(), ..any() }, 2),
            (ListNotificationsRequest { event_id: first.event_id.clone(), ..any() }, 2),
            (ListNotificationsRequest { letter_id: first.letter_id.clone(), ..any() }, 1),
            (
                ListNotificationsRequest {
                    status: "failed".into(),
                    event_id: first.event_id.clone(),
                    ..any()
                },
                1,
            ),
        ];
        for (request, expected) in cases {
            let found = reader.list(&bench, request.clone()).await;
            assert_eq!(found.len(), expected, "{request:?}");
        }
        let mut client = bench.client(&reader.neighbors, "gateway");
        let counts = scope(reader.call.clone(), client.count_notifications(any())).await;
        let counts = counts.expect("answers").into_inner().by_status;
        assert_eq!((counts["sent"], counts["failed"], counts.len()), (5, 5, 2));

        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = PageRequest { limit: 4, cursor: cursor.clone() };
            let request = ListNotificationsRequest { page: Some(page), ..any() };
            let answer = scope(reader.call.clone(), client.list_notifications(request)).await;
            let answer = answer.expect("answers").into_inner();
            assert!(answer.items.len() <= 4);
            paged.extend(answer.items);
            cursor = answer.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
        assert_eq!(paged, all, "pages neither repeat nor skip");
    }
}

#[tokio::test]
async fn every_broken_filter_is_named() {
    for bench in benches().await {
        let reader = Reader::of(&bench);
        let mut client = bench.client(&reader.neighbors, "gateway");
        let request = ListNotificationsRequest {
            page: Some(PageRequest { limit: 101, cursor: String::new() }),
            status: "lost".into(),
            recipient: "nobody".into(),
            product_id: "prd_1".into(),
            event_id: "1".into(),
            letter_id: "ltr".into(),
            order_id: "ord".into(),
        };
        let refused = scope(reader.call.clone(), client.list_notifications(request)).await;
        let failure = Failure::from(refused.expect_err("refused"));
        let fields: Vec<_> = failure.violations.iter().map(|v| v.field.as_str()).collect();
        let expected =
            ["status", "recipient", "product_id", "event_id", "letter_id", "order_id", "limit"];
        assert_eq!(fields, expected);
        let page = Some(PageRequest { limit: 0, cursor: "rubbish".into() });
        let request = ListNotificationsRequest { page, ..Default::default() };
        let refused = scope(reader.call.clone(), client.list_notifications(request)).await;
        let failure = Failure::from(refused.expect_err("refused"));
        assert_eq!(failure.violations[0].field, "cursor");
    }
}

#[tokio::test]
async fn letters_can_be_read_while_they_wait_and_after() {
    for bench in benches_with(digest_of(1)).await {
        let neighbors = Neighborhood::new(&bench.clock);
        let mut gateway = bench.client(&neighbors, "gateway");
        bench.hear(&[bench.change("Mug"), bench.change("Cup")], &[admin("Ann")]).await;
        bench.deliver().await;
        let listed = gateway.list_letters(ListLettersRequest::default()).await.expect("answers");
        let listed = listed.into_inner().items;
        assert_eq!(listed.len(), 2, "{}", bench.store.name);
        assert!(listed.iter().all(|l| l.text.is_empty() && l.html.is_empty()));
        let digest = listed.iter().find(|l| l.digest).expect("a digest").id.clone();
        let waiting = gateway.get_letter(GetLetterRequest { id: digest.clone() }).await;
        let waiting = waiting.expect("answers").into_inner();
        assert_eq!((waiting.status.as_str(), waiting.notifications), ("queued", 1));
        assert!(waiting.text.contains("SKU-Cup"), "{}", waiting.text);
        bench.pass(60);
        bench.deliver().await;
        let sent = gateway.get_letter(GetLetterRequest { id: digest }).await;
        let sent = sent.expect("answers").into_inner();
        assert_eq!(
            (sent.status.as_str(), sent.subject.as_str()),
            ("sent", "[Souk] 1 product change")
        );
        assert_eq!((sent.text, sent.html), (waiting.text, waiting.html));
        let queued = ListLettersRequest { status: "queued".into(), ..Default::default() };
        let queued = gateway.list_letters(queued).await.expect("answers").into_inner();
        assert!(queued.items.is_empty());
        for id in ["ltr_1".to_owned(), souk_values::LetterId::new().to_string()] {
            let missing = gateway.get_letter(GetLetterRequest { id }).await;
            let failure = Failure::from(missing.expect_err("refused"));
            assert_eq!(failure.reason, "letter_not_found");
        }
    }
}

#[tokio::test]
async fn old_letters_are_forgotten_and_waiting_ones_are_not() {
    for bench in benches_with(digest_of(2)).await {
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        bench.hear(&[bench.change("old")], std::slice::from_ref(&ann)).await;
        bench.deliver().await;
        bench.hear(&[bench.change("waiting")], std::slice::from_ref(&bob)).await;
        bench.clock.advance(souk_notifier::app::KEPT);
        bench.app.forget().await.expect("forgets");
        assert_eq!(bench.ledger().await.len(), 2, "{}: not yet", bench.store.name);
        bench.pass(1);
        bench.hear(&[bench.change("new")], std::slice::from_ref(&ann)).await;
        bench.app.forget().await.expect("forgets");
        assert_eq!(bench.standing(&ann).await, ["queued"], "{}", bench.store.name);
        assert_eq!(bench.deliver().await, 2, "what waited is still sent");
        assert_eq!(bench.sent_to(&bob), 1);
    }
}
