//! Records of consent: seen and ended by staff, forgotten in time, asked for by nobody else.

use chrono::TimeDelta;
use souk_accounts::schedules;
use souk_proto::accounts::v1::newsletter_service_client::NewsletterServiceClient;
use souk_proto::accounts::v1::{
    CountSubscribersRequest, EndSubscriptionRequest, GetMySubscriptionRequest,
    GetNewsletterRecipientRequest, ListSubscribersRequest, UnsubscribeRequest,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::Kind;

use super::{ANN, token_of};
use crate::house::{House, answer, answer_as};
use crate::people::{broken_fields, refusal};

crate::on_both! {
    staff_see_count_and_end
    what_waited_in_vain_and_what_ended_long_ago_is_forgotten
    who_may_ask_for_what
}

async fn staff_see_count_and_end(house: &House) {
    house.admin("root").await;
    house.person("ann").await;
    let (admin, customer) = (house.token("root").await, house.token("ann").await);
    let record = house.subscriber(ANN).await;
    house.subscribe("ben@shop.example").await.unwrap();
    let counts = || async {
        let request = CountSubscribersRequest {};
        answer_as(&admin, house.newsletter().count_subscribers(request)).await.unwrap().by_status
    };
    assert_eq!(counts().await, [("confirmed".to_owned(), 1), ("pending".to_owned(), 1)].into());
    let list = |status: &str, text: &str, cursor: &str| {
        let page = Some(PageRequest { limit: 1, cursor: cursor.to_owned() });
        let (status, text) = (status.to_owned(), text.to_owned());
        ListSubscribersRequest { page, status, text }
    };
    let page = answer_as(&admin, house.newsletter().list_subscribers(list("", "", ""))).await;
    let page = page.unwrap();
    assert_eq!((page.items.len(), page.items[0].email.as_str()), (1, "ben@shop.example"));
    let next = list("", "", &page.next_cursor);
    let next = answer_as(&admin, house.newsletter().list_subscribers(next)).await.unwrap();
    assert_eq!((next.items, next.next_cursor.as_str()), (vec![record.clone()], ""));
    for (status, text, found) in [
        ("confirmed", "", 1),
        ("ended", "", 0),
        ("", "ANN@", 1),
        ("", "%", 0),
        ("pending", "ann", 0),
    ] {
        let request = list(status, text, "");
        let page = answer_as(&admin, house.newsletter().list_subscribers(request)).await.unwrap();
        assert_eq!(page.items.len(), found, "{status} {text}");
    }
    let wrong = list("lost", "a\n", "x");
    let wrong = answer_as(&admin, house.newsletter().list_subscribers(wrong)).await;
    assert_eq!(broken_fields(&wrong.unwrap_err()), ["cursor", "status", "text"]);

    let end = |id: &str| EndSubscriptionRequest { id: id.to_owned() };
    let ended = answer_as(&admin, house.newsletter().end_subscription(end(&record.id))).await;
    assert_eq!(ended.unwrap().ended_by, "staff");
    for nobody in ["", "sub_x", &souk_values::SubscriberId::new().to_string()] {
        let refused = answer_as(&admin, house.newsletter().end_subscription(end(nobody))).await;
        assert_eq!(refusal(refused), (Kind::NotFound, "subscriber_not_found".to_owned()));
    }
    for refused in [
        answer_as(&customer, house.newsletter().list_subscribers(list("", "", ""))).await.err(),
        answer_as(&customer, house.newsletter().end_subscription(end(&record.id))).await.err(),
    ] {
        assert_eq!(refused.unwrap().kind, Kind::Forbidden);
    }
}

async fn what_waited_in_vain_and_what_ended_long_ago_is_forgotten(house: &House) {
    let record = house.subscriber(ANN).await;
    house.subscribe("ben@shop.example").await.unwrap();
    let run = || async {
        for schedule in schedules(&house.app) {
            (schedule.run)().await.unwrap();
        }
        house.subscribers(ListSubscribersRequest::default()).await.len()
    };
    house.clock.advance(TimeDelta::hours(48));
    assert_eq!(run().await, 2);
    house.clock.advance(TimeDelta::hours(1));
    assert_eq!(run().await, 1);
    let link = house.recipient(&record.id).await.unwrap();
    // who wants it is never forgotten
    house.clock.advance(TimeDelta::days(10 * 365));
    assert_eq!(run().await, 1);
    house.unsubscribe(token_of(&link), true).await.unwrap();
    house.clock.advance(TimeDelta::days(3 * 365));
    assert_eq!(run().await, 1);
    house.clock.advance(TimeDelta::seconds(1));
    assert_eq!(run().await, 0);
}

async fn who_may_ask_for_what(house: &House) {
    let record = house.subscriber(ANN).await;
    let mut stranger = NewsletterServiceClient::new(house.from("catalog"));
    let request = GetNewsletterRecipientRequest { id: record.id.clone() };
    let refused = answer(stranger.get_newsletter_recipient(request.clone())).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    // addresses are for the notifier
    let refused = answer(house.newsletter().get_newsletter_recipient(request)).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    let refused = answer(stranger.unsubscribe(UnsubscribeRequest::default())).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    let refused = answer(house.newsletter().get_my_subscription(GetMySubscriptionRequest {})).await;
    assert_eq!(refusal(refused).0, Kind::Unauthenticated);
}
