//! Consent to the newsletter: asked twice, taken back once.

use chrono::TimeDelta;
use futures::future::join_all;
use sha2::{Digest, Sha256};
use souk_proto::accounts::v1::newsletter_service_client::NewsletterServiceClient;
use souk_proto::accounts::v1::{
    ConfirmSubscriptionRequest, ConsentText, GetConsentTextRequest, GetMySubscriptionRequest,
    GetNewsletterRecipientRequest, ListNewsletterRecipientsRequest, ListSubscribersRequest,
    MySubscription, NewsletterRecipient, SetMySubscriptionRequest, SubscribeRequest, Subscriber,
    UnsubscribeRequest, UserFields,
};
use souk_rpc::{Failure, Kind, Transport};

use crate::house::{House, PASSWORD, SEED, answer, answer_as};
use crate::mailed::{holds, token};
use crate::people::{broken_fields, refusal};

mod staff;

crate::on_both! {
    s50_only_the_link_of_a_letter_says_yes
    s50_nobody_learns_whether_an_address_is_known
    s50_only_a_hash_of_the_link_is_stored
    s50_a_link_is_good_for_48_hours_and_the_newest_counts
    s50_whoever_has_the_link_of_a_letter_ends_it_without_a_login
    s50_an_unsubscribe_link_survives_a_change_of_keys_and_is_nobody_elses
    an_address_is_asked_three_times_a_day
    many_who_ask_for_one_address_at_once_make_one_record
    many_clicks_on_one_link_are_one_consent
    what_was_agreed_to_is_on_record
    one_asks_for_ones_own_address_and_ends_it
    a_consent_follows_an_address_that_was_proven
    a_consent_goes_with_its_account
    who_is_shut_out_gets_no_newsletter
    recipients_are_those_who_confirmed_in_order
}

const ANN: &str = "ann@shop.example";

impl House {
    pub(crate) fn newsletter(&self) -> NewsletterServiceClient<Transport> {
        NewsletterServiceClient::new(self.from("gateway"))
    }

    async fn subscribe(&self, email: &str) -> Result<(), Failure> {
        let request = SubscribeRequest { email: email.to_owned(), text_version: String::new() };
        answer(self.newsletter().subscribe(request)).await.map(|_| ())
    }

    async fn say_yes(&self, token: &str) -> Result<(), Failure> {
        let request = ConfirmSubscriptionRequest { token: token.to_owned() };
        answer(self.newsletter().confirm_subscription(request)).await.map(|_| ())
    }

    async fn unsubscribe(&self, token: &str, one_click: bool) -> Result<(), Failure> {
        let request = UnsubscribeRequest { token: token.to_owned(), one_click };
        answer(self.newsletter().unsubscribe(request)).await.map(|_| ())
    }

    /// Somebody who asked and confirmed.
    async fn subscriber(&self, email: &str) -> Subscriber {
        self.subscribe(email).await.unwrap();
        self.say_yes(&token(&self.letter("newsletter_confirm").await)).await.unwrap();
        self.record(email).await
    }

    async fn subscribers(&self, request: ListSubscribersRequest) -> Vec<Subscriber> {
        let mut operator = NewsletterServiceClient::new(self.from("operator"));
        answer(operator.list_subscribers(request)).await.unwrap().items
    }

    async fn record(&self, email: &str) -> Subscriber {
        let text = email.to_owned();
        let found = self.subscribers(ListSubscribersRequest { text, ..Default::default() }).await;
        let [one] = <[Subscriber; 1]>::try_from(found).unwrap();
        one
    }

    /// As the notifier asks when it sends.
    async fn recipient(&self, id: &str) -> Result<NewsletterRecipient, Failure> {
        let mut client = NewsletterServiceClient::new(self.from("notifier"));
        let request = GetNewsletterRecipientRequest { id: id.to_owned() };
        answer(client.get_newsletter_recipient(request)).await
    }

    async fn recipients(&self, after: &str, limit: u32) -> (Vec<String>, u64) {
        let mut client = NewsletterServiceClient::new(self.from("notifier"));
        let request = ListNewsletterRecipientsRequest { after: after.to_owned(), limit };
        let answer = answer(client.list_newsletter_recipients(request)).await.unwrap();
        (answer.ids, answer.total)
    }

    async fn mine(&self, token: &str) -> MySubscription {
        let request = GetMySubscriptionRequest {};
        answer_as(token, self.newsletter().get_my_subscription(request)).await.unwrap()
    }

    async fn want(&self, token: &str, subscribed: bool) -> Result<MySubscription, Failure> {
        let request = SetMySubscriptionRequest { subscribed, text_version: String::new() };
        answer_as(token, self.newsletter().set_my_subscription(request)).await
    }
}

fn token_of(recipient: &NewsletterRecipient) -> &str {
    recipient.link.strip_prefix("/newsletter/unsubscribe?token=").unwrap()
}

async fn s50_only_the_link_of_a_letter_says_yes(house: &House) {
    house.subscribe(" Ann@SHOP.example ").await.unwrap();
    let letter = house.letter("newsletter_confirm").await;
    assert_eq!((letter.email.as_str(), letter.user_id.as_str()), ("Ann@shop.example", ""));
    assert!(letter.link.starts_with("/newsletter/confirm?token="), "{}", letter.link);
    assert_eq!((token(&letter).len(), letter.code.as_str(), letter.obsolete), (43, "", false));
    let pending = house.record(ANN).await;
    assert_eq!((pending.status.as_str(), pending.confirmed_at_us), ("pending", 0));
    // before the yes it is sent nothing
    assert_eq!(house.recipients("", 10).await, (vec![], 0));
    let early = house.recipient(&pending.id).await;
    assert_eq!(refusal(early), (Kind::NotFound, "subscriber_not_found".to_owned()));
    for wrong in ["", "x", &"A".repeat(43), &"A".repeat(100_000)] {
        let refused = refusal(house.say_yes(wrong).await);
        assert_eq!(refused, (Kind::NotFound, "newsletter_link_not_found".to_owned()));
    }
    house.say_yes(&token(&letter)).await.unwrap();
    let record = house.record(ANN).await;
    assert_eq!((record.status.as_str(), &record.id), ("confirmed", &pending.id));
    assert_eq!(house.recipients("", 10).await, (vec![record.id.clone()], 1));
    assert_eq!(house.recipient(&record.id).await.unwrap().email, "Ann@shop.example");
    assert!(house.letter("newsletter_confirm").await.obsolete);
    // the second click says the same
    house.say_yes(&token(&letter)).await.unwrap();
    assert_eq!(house.record(ANN).await, record);
}

async fn s50_nobody_learns_whether_an_address_is_known(house: &House) {
    house.person("ben").await;
    house.subscriber(ANN).await;
    let rows = || async {
        let count = "SELECT CAST(COUNT(*) AS TEXT) FROM mail_request";
        house.texts(count).await.remove(0).parse::<u64>().unwrap()
    };
    let mut before = rows().await;
    for (email, letters) in [
        (ANN, 1), // confirmed
        ("ben@shop.example", 2),
        ("new@shop.example", 3),
        ("new@shop.example", 4), // pending
    ] {
        house.subscribe(email).await.unwrap();
        assert_eq!(house.letters("newsletter_confirm").await.len(), letters, "{email}");
        // the same is written for everybody
        before += 1;
        assert_eq!(rows().await, before, "{email}");
    }
    // what was confirmed stays so
    assert_eq!(house.record(ANN).await.status, "confirmed");
    let broken = house.subscribe("no address").await.unwrap_err();
    assert_eq!((broken.kind, broken_fields(&broken)), (Kind::Invalid, vec!["email"]));
    let both = SubscribeRequest { email: String::new(), text_version: "2001".into() };
    let both = answer(house.newsletter().subscribe(both)).await.unwrap_err();
    assert_eq!(broken_fields(&both), ["email", "text_version"]);
}

async fn s50_only_a_hash_of_the_link_is_stored(house: &House) {
    house.subscribe(ANN).await.unwrap();
    let link = token(&house.letter("newsletter_confirm").await);
    let everything = house.everything().await;
    assert!(holds(&everything, &Sha256::digest(link.as_bytes())));
    assert!(!holds(&everything, link.as_bytes()));
    house.say_yes(&link).await.unwrap();
    let end = house.recipient(&house.record(ANN).await.id).await.unwrap();
    let everything = house.everything().await;
    assert!(!holds(&everything, link.as_bytes()) && !holds(&everything, token_of(&end).as_bytes()));
    // events and their queue know no address
    for event in house.told().await {
        assert!(!holds(&format!("{event:?}").to_lowercase(), ANN.as_bytes()));
    }
}

async fn s50_a_link_is_good_for_48_hours_and_the_newest_counts(house: &House) {
    house.subscribe(ANN).await.unwrap();
    let first = token(&house.letter("newsletter_confirm").await);
    house.clock.advance(TimeDelta::hours(47));
    house.subscribe(ANN).await.unwrap();
    let letters = house.letters("newsletter_confirm").await;
    let obsolete: Vec<bool> = letters.iter().map(|letter| letter.obsolete).collect();
    assert_eq!(obsolete, [true, false]);
    assert_eq!(refusal(house.say_yes(&first).await).1, "newsletter_link_not_found");
    let second = token(&letters[1]);
    house.clock.advance(TimeDelta::hours(48));
    let late = refusal(house.say_yes(&second).await);
    assert_eq!(late, (Kind::NotFound, "code_expired".to_owned()));
    assert_eq!(house.record(ANN).await.status, "pending");
    house.subscribe(ANN).await.unwrap();
    let third = token(&house.letter("newsletter_confirm").await);
    house.clock.advance(TimeDelta::hours(48) - TimeDelta::seconds(1));
    house.say_yes(&third).await.unwrap();
}

async fn s50_whoever_has_the_link_of_a_letter_ends_it_without_a_login(house: &House) {
    for (one_click, by) in [(true, "one_click"), (false, "link")] {
        let record = house.subscriber(ANN).await;
        let link = house.recipient(&record.id).await.unwrap();
        house.unsubscribe(token_of(&link), one_click).await.unwrap();
        let ended = house.record(ANN).await;
        assert_eq!((ended.status.as_str(), ended.ended_by.as_str()), ("ended", by));
        assert_eq!(ended.ended_at_us, house.clock.now_us());
        assert!(house.recipient(&record.id).await.is_err());
        assert_eq!(house.recipients("", 10).await, (vec![], 0));
        // the second time nothing happens, not even to who did it
        house.clock.advance(TimeDelta::minutes(1));
        house.unsubscribe(token_of(&link), !one_click).await.unwrap();
        assert_eq!(house.record(ANN).await, ended);
        // a link that still lies in the mailbox says yes no more
        let old = token(&house.letter("newsletter_confirm").await);
        assert_eq!(refusal(house.say_yes(&old).await).1, "newsletter_link_not_found");
        house.clock.advance(TimeDelta::hours(24));
    }
    // who asks again may say yes again, and the links of old letters are good still
    let again = house.subscriber(ANN).await;
    assert_eq!((again.status.as_str(), again.ended_at_us, &*again.ended_by), ("confirmed", 0, ""));
    let link = house.recipient(&again.id).await.unwrap();
    house.unsubscribe(token_of(&link), true).await.unwrap();
    assert_eq!(house.record(ANN).await.status, "ended");
}

async fn s50_an_unsubscribe_link_survives_a_change_of_keys_and_is_nobody_elses(house: &House) {
    let ann = house.subscriber(ANN).await;
    let ben = house.subscriber("ben@shop.example").await;
    let link = house.recipient(&ann.id).await.unwrap();
    let changed = house.with_keys([9; 32], Some(SEED));
    let other = house.with_keys([9; 32], None);
    let request = || UnsubscribeRequest { token: token_of(&link).to_owned(), one_click: true };
    let mut stranger = NewsletterServiceClient::new(house.transport(&other, "gateway"));
    let refused = answer(stranger.unsubscribe(request())).await;
    assert_eq!(refusal(refused), (Kind::NotFound, "newsletter_link_not_found".to_owned()));
    assert_eq!(house.record(ANN).await.status, "confirmed");
    let mut later = NewsletterServiceClient::new(house.transport(&changed, "gateway"));
    answer(later.unsubscribe(request())).await.unwrap();
    assert_eq!(house.record(ANN).await.status, "ended");
    assert_eq!(house.record("ben@shop.example").await, ben);
    // the confirmation's token is no such link, nor the other way round
    let yes = token(&house.letter("newsletter_confirm").await);
    for wrong in ["", "x", &yes, &"A".repeat(43)] {
        assert_eq!(refusal(house.unsubscribe(wrong, true).await).1, "newsletter_link_not_found");
    }
    let no = house.recipient(&ben.id).await.unwrap();
    assert!(house.say_yes(token_of(&no)).await.is_err());
}

async fn an_address_is_asked_three_times_a_day(house: &House) {
    for _ in 0..6 {
        house.subscribe(ANN).await.unwrap();
    }
    let letters = house.letters("newsletter_confirm").await;
    assert_eq!(letters.len(), 3);
    // the last of them is good still
    let last = letters.last().unwrap();
    assert!(!last.obsolete);
    house.say_yes(&token(last)).await.unwrap();
    house.clock.advance(TimeDelta::hours(24));
    let id = house.record(ANN).await.id;
    let link = house.recipient(&id).await.unwrap();
    house.unsubscribe(token_of(&link), false).await.unwrap();
    house.subscribe(ANN).await.unwrap();
    assert_eq!(house.letters("newsletter_confirm").await.len(), 4);
}

async fn many_who_ask_for_one_address_at_once_make_one_record(house: &House) {
    let asked = join_all((0..20).map(|_| house.subscribe(ANN))).await;
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    assert_eq!(house.letters("newsletter_confirm").await.len(), 3);
    let all = house.subscribers(ListSubscribersRequest::default()).await;
    assert_eq!(all.len(), 1);
    let good: Vec<bool> =
        house.letters("newsletter_confirm").await.iter().map(|letter| !letter.obsolete).collect();
    assert_eq!(good.iter().filter(|good| **good).count(), 1, "{good:?}");
}

async fn many_clicks_on_one_link_are_one_consent(house: &House) {
    house.subscribe(ANN).await.unwrap();
    let link = token(&house.letter("newsletter_confirm").await);
    let clicks = join_all((0..20).map(|_| house.say_yes(&link))).await;
    assert!(clicks.iter().all(Result::is_ok), "{clicks:?}");
    let told =
        "SELECT CAST(COUNT(*) AS TEXT) FROM audit_entry WHERE action = 'newsletter.confirmed'";
    assert_eq!(house.texts(told).await, ["1"]);
    let end = house.recipient(&house.record(ANN).await.id).await.unwrap();
    let clicks = join_all((0..20).map(|_| house.unsubscribe(token_of(&end), true))).await;
    assert!(clicks.iter().all(Result::is_ok), "{clicks:?}");
    let told = "SELECT CAST(COUNT(*) AS TEXT) FROM audit_entry WHERE action = 'newsletter.ended'";
    assert_eq!(house.texts(told).await, ["1"]);
}

async fn what_was_agreed_to_is_on_record(house: &House) {
    let text = answer(house.newsletter().get_consent_text(GetConsentTextRequest {})).await;
    let ConsentText { version, text } = text.unwrap();
    assert!(text.contains("newsletter") && !version.is_empty());
    let request = SubscribeRequest { email: ANN.into(), text_version: version.clone() };
    answer(house.newsletter().subscribe(request)).await.unwrap();
    let asked = house.clock.now_us();
    house.clock.advance(TimeDelta::minutes(5));
    house.say_yes(&token(&house.letter("newsletter_confirm").await)).await.unwrap();
    let record = house.record(ANN).await;
    let expected = Subscriber {
        id: record.id.clone(),
        email: ANN.into(),
        status: "confirmed".into(),
        how: "form".into(),
        text_version: version,
        asked_at_us: asked,
        confirmed_at_us: house.clock.now_us(),
        ended_at_us: 0,
        ended_by: String::new(),
    };
    assert_eq!(record, expected);
    assert!(record.id.starts_with("sub_"));
}

async fn one_asks_for_ones_own_address_and_ends_it(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    let none = house.mine(&session).await;
    assert_eq!((none.email.as_str(), none.status.as_str()), (ANN, "none"));
    // an account may have been made by another: its address is asked, too
    assert_eq!(house.want(&session, true).await.unwrap().status, "pending");
    house.say_yes(&token(&house.letter("newsletter_confirm").await)).await.unwrap();
    let mine = house.mine(&session).await;
    assert_eq!((mine.status.as_str(), mine.confirmed_at_us), ("confirmed", house.clock.now_us()));
    assert_eq!(house.record(ANN).await.how, "account");
    // once more is the same
    assert_eq!(house.want(&session, true).await.unwrap(), mine);
    assert_eq!(house.letters("newsletter_confirm").await.len(), 1);
    for _ in 0..2 {
        assert_eq!(house.want(&session, false).await.unwrap().status, "none");
    }
    assert_eq!(house.record(ANN).await.ended_by, "account");
    let wrong = SetMySubscriptionRequest { subscribed: true, text_version: "1999".into() };
    let wrong = answer_as(&session, house.newsletter().set_my_subscription(wrong)).await;
    assert_eq!(broken_fields(&wrong.unwrap_err()), ["text_version"]);
}

async fn a_consent_follows_an_address_that_was_proven(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    let record = house.subscriber(ANN).await;
    let link = house.recipient(&record.id).await.unwrap();
    // somebody else asks for the new address meanwhile: only its owner says yes
    house.subscribe("lee@shop.example").await.unwrap();
    let foreign = token(&house.letter("newsletter_confirm").await);
    house.want_email(&session, "lee@shop.example", PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    house.confirm_email(&session, &code).await.unwrap();
    let moved = house.record("lee@shop.example").await;
    assert_eq!(moved, Subscriber { email: "lee@shop.example".into(), ..record.clone() });
    assert_eq!(house.recipient(&record.id).await.unwrap().email, "lee@shop.example");
    assert!(house.say_yes(&foreign).await.is_err());
    let old = ListSubscribersRequest { text: "ann@".into(), ..Default::default() };
    assert!(house.subscribers(old).await.is_empty());
    // a letter that went to the old address ends it still
    house.unsubscribe(token_of(&link), true).await.unwrap();
    assert_eq!(house.mine(&session).await.status, "none");
}

async fn a_consent_goes_with_its_account(house: &House) {
    let ann = house.person("ann").await;
    let record = house.subscriber(ANN).await;
    let link = house.recipient(&record.id).await.unwrap();
    house.delete(&ann.id).await.unwrap();
    house.clock.advance(TimeDelta::seconds(1));
    house.delete_all_inactive().await;
    assert!(house.subscribers(ListSubscribersRequest::default()).await.is_empty());
    // the link leads nowhere, and says so to nobody
    house.unsubscribe(token_of(&link), true).await.unwrap();
    assert!(house.recipient(&record.id).await.is_err());
}

async fn who_is_shut_out_gets_no_newsletter(house: &House) {
    let ann = house.person("ann").await;
    let record = house.subscriber(ANN).await;
    let active = |active| UserFields { active: Some(active), ..Default::default() };
    house.update(&ann.id, active(false)).await.unwrap();
    assert_eq!(refusal(house.recipient(&record.id).await).1, "subscriber_not_found");
    house.update(&ann.id, active(true)).await.unwrap();
    assert!(house.recipient(&record.id).await.is_ok());
}

async fn recipients_are_those_who_confirmed_in_order(house: &House) {
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.push(house.subscriber(&format!("p{n}@shop.example")).await.id);
    }
    house.subscribe("pending@shop.example").await.unwrap();
    let gone = expected.remove(3);
    let link = house.recipient(&gone).await.unwrap();
    house.unsubscribe(token_of(&link), true).await.unwrap();
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().cloned().unwrap_or_default();
        let (ids, total) = house.recipients(&after, 2).await;
        assert_eq!(total, 6);
        if ids.is_empty() {
            break;
        }
        assert!(ids.len() <= 2);
        found.extend(ids);
    }
    assert_eq!(found, expected);
}
