//! Another e-mail address.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures::future::join_all;
use souk_proto::accounts::v1::{ListUsersRequest, RequestEmailChangeRequest, UserFields};
use souk_rpc::{Failure, Kind};

use crate::house::{House, PASSWORD, answer};
use crate::mailed::{WRONG, holds, outcomes, token};
use crate::people::{broken_fields, refusal};
use crate::told::fact;

crate::on_both! {
    a_new_address_counts_after_its_code_and_the_old_one_is_told
    a_new_address_ends_every_other_session
    a_taken_address_gets_the_same_answers_and_its_owner_a_letter
    a_wish_needs_the_password_and_a_plausible_address
    five_codes_are_heard_also_when_sent_together
    a_code_is_good_for_fifteen_minutes
    a_newer_wish_replaces_the_older_one
    one_of_many_confirmations_changes_the_address
    two_who_want_one_address_do_not_both_get_it
    two_may_want_each_others_address
    an_hour_has_five_wishes
    no_code_stands_in_the_database
    links_to_the_old_address_end_with_it
}

const OLD: &str = "ann@shop.example";
const NEW: &str = "lee@shop.example";

async fn a_new_address_counts_after_its_code_and_the_old_one_is_told(house: &House) {
    let ann = house.person("ann").await;
    let session = house.token("ann").await;
    let pending = house.want_email(&session, " lee@SHOP.example ", PASSWORD).await.unwrap();
    assert_eq!(pending.expires_at_us - house.clock.now_us(), 900_000_000);
    let code = house.letter("email_change_code").await;
    assert_eq!((code.email.as_str(), code.code.len()), (NEW, 8));
    let notice = house.letter("email_change_notice").await;
    assert_eq!((notice.email.as_str(), notice.code.as_str()), (OLD, ""));
    assert_eq!(fact(&notice, "new_email"), NEW);
    assert_eq!(house.me(&session).await.unwrap(), ann);
    assert!(house.login(NEW, PASSWORD).await.is_err());

    house.clock.advance(TimeDelta::seconds(5));
    let wrong = house.confirm_email(&session, WRONG).await.unwrap_err();
    assert_eq!((wrong.kind, wrong.reason.as_str()), (Kind::Invalid, "wrong_code"));
    assert_eq!(wrong.metadata.get("tries_left").unwrap(), "4");
    let typed = code.code.to_lowercase();
    let changed = house.confirm_email(&session, &typed).await.unwrap();
    assert_eq!((changed.email.as_str(), changed.version), (NEW, 2));
    // the session goes on, and notices go where they belong, whenever they are sent
    assert_eq!(house.me(&session).await.unwrap(), changed);
    assert_eq!(house.letter("email_changed").await.email, OLD);
    assert_eq!(house.letter("email_change_notice").await.email, OLD);
    assert!(house.letter("email_change_code").await.obsolete);
    let (event, told) = house.events().await.pop().unwrap();
    assert_eq!((told.fields, told.actor_id), (vec!["email".to_owned()], ann.id.clone()));
    assert!(!String::from_utf8_lossy(&event.payload).contains("shop.example"));
    assert!(house.login(NEW, PASSWORD).await.is_ok());
    assert!(house.login(OLD, PASSWORD).await.is_err());
    let again = refusal(house.confirm_email(&session, &typed).await);
    assert_eq!(again, (Kind::NotFound, "email_change_not_found".to_owned()));
    let search = ListUsersRequest { text: "lee@".into(), ..Default::default() };
    assert_eq!(house.usernames(search).await, ["ann"]);
}

async fn a_new_address_ends_every_other_session(house: &House) {
    let ann = house.person("ann").await;
    house.person("ben").await;
    let here = house.login("ann", PASSWORD).await.unwrap();
    let there = house.login("ann", PASSWORD).await.unwrap();
    let ben = house.token("ben").await;
    let key = house.make_key(&here.access_token, &[]).await.unwrap().key;
    let program = house.token_of(&key).await;
    let of_program = house.verifier.verify(&program).await.unwrap().session.to_string();
    house.want_email(&here.access_token, NEW, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    house.confirm_email(&here.access_token, WRONG).await.unwrap_err();
    // a wish and a wrong code end nothing
    assert!(house.me(&there.access_token).await.is_ok() && house.ends().await.is_empty());

    house.confirm_email(&here.access_token, &code).await.unwrap();
    assert_eq!(house.me(&here.access_token).await.unwrap().email, NEW);
    assert!(house.refresh(&here.refresh_token).await.is_ok());
    let out = house.me(&there.access_token).await.unwrap_err();
    assert_eq!(out.kind, Kind::Unauthenticated);
    assert_eq!(refusal(house.refresh(&there.refresh_token).await).1, "invalid_refresh_token");
    let ends = house.ends().await;
    let [end] = &ends[..] else { panic!("{} ends were told", ends.len()) };
    assert_eq!((end.user_id.as_str(), end.reason.as_str()), (&*ann.id, "email"));
    let ended = BTreeSet::from([there.session_id, of_program]);
    assert_eq!(end.session_ids.iter().cloned().collect::<BTreeSet<_>>(), ended);
    assert_eq!(house.all_ended().await, ended);
    // programs go on with another token
    assert!(house.verifier.verify(&program).await.is_err());
    assert!(house.me(&house.token_of(&key).await).await.is_ok());
    assert!(house.me(&ben).await.is_ok());
}

async fn a_taken_address_gets_the_same_answers_and_its_owner_a_letter(house: &House) {
    let eve = house.person("eve").await;
    let (ann, ben) = (house.person("ann").await, house.person("ben").await);
    let (one, other) = (house.token("ann").await, house.token("ben").await);
    let taken = house.want_email(&one, "Eve@shop.example", PASSWORD).await.unwrap();
    let free = house.want_email(&other, NEW, PASSWORD).await.unwrap();
    assert_eq!(taken, free);
    assert_eq!(house.letters("email_change_code").await.len(), 1);
    assert_eq!(house.letters("email_change_notice").await.len(), 2);
    let warning = house.letter("address_in_use").await;
    assert_eq!((warning.user_id.as_str(), warning.email.as_str()), (&*eve.id, "eve@shop.example"));
    let mut said: [Vec<Failure>; 2] = Default::default();
    for _ in 0..6 {
        said[0].push(house.confirm_email(&one, WRONG).await.unwrap_err());
        said[1].push(house.confirm_email(&other, WRONG).await.unwrap_err());
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[0].last().unwrap().reason, "email_change_not_found");
    house.want_email(&one, "eve@shop.example", PASSWORD).await.unwrap();
    assert_eq!(house.letters("address_in_use").await.len(), 1);
    for user in [eve, ann, ben] {
        assert_eq!(house.get(&user.id).await.unwrap(), user);
    }
}

async fn a_wish_needs_the_password_and_a_plausible_address(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    let want =
        |new: &'static str, password: &'static str| house.want_email(&session, new, password);
    let wrong = want(NEW, "not this one").await.unwrap_err();
    assert_eq!((wrong.kind, wrong.reason.as_str()), (Kind::Invalid, "wrong_password"));
    assert_eq!(broken_fields(&wrong), ["current_password"]);
    for (new, password, broken) in [
        ("nobody", "", vec!["new_email", "current_password"]),
        (OLD, PASSWORD, vec!["new_email"]),
        ("noreply@shop.example", PASSWORD, vec!["new_email"]),
        ("5h1t@shop.example", PASSWORD, vec!["new_email"]),
    ] {
        let refused = want(new, password).await.unwrap_err();
        assert_eq!((refused.reason.as_str(), broken_fields(&refused)), ("invalid_fields", broken));
    }
    assert!(house.letters("email_change_notice").await.is_empty());
    let call = RequestEmailChangeRequest::default();
    let nobody = answer(house.credentials().request_email_change(call)).await;
    assert_eq!(nobody.unwrap_err().kind, Kind::Unauthenticated);
    // another spelling of one's own is a new address, not somebody else's
    want("ANN@shop.example", PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    let changed = house.confirm_email(&session, &code).await.unwrap();
    assert_eq!(changed.email, "ANN@shop.example");
}

async fn five_codes_are_heard_also_when_sent_together(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    house.want_email(&session, NEW, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    let guesses = join_all((0..20).map(|_| house.confirm_email(&session, WRONG))).await;
    let (good, reasons) = outcomes(guesses);
    let count = |reason: &str| reasons.iter().filter(|found| *found == reason).count();
    assert_eq!((good, count("wrong_code"), count("email_change_not_found")), (0, 5, 15));
    let late = refusal(house.confirm_email(&session, &code).await);
    assert_eq!(late.1, "email_change_not_found");
    assert!(house.letter("email_change_code").await.obsolete);
}

async fn a_code_is_good_for_fifteen_minutes(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    house.want_email(&session, NEW, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    house.clock.advance(TimeDelta::seconds(14 * 60 + 59));
    let session = house.token("ann").await;
    assert_eq!(house.confirm_email(&session, &code).await.unwrap().email, NEW);
    house.want_email(&session, OLD, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    house.clock.advance(TimeDelta::seconds(15 * 60 + 1));
    let session = house.token("ann").await;
    let expired = refusal(house.confirm_email(&session, &code).await);
    assert_eq!(expired, (Kind::NotFound, "code_expired".to_owned()));
    assert_eq!(house.me(&session).await.unwrap().email, NEW);
}

async fn a_newer_wish_replaces_the_older_one(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    house.want_email(&session, NEW, PASSWORD).await.unwrap();
    let old = house.letter("email_change_code").await.code;
    house.want_email(&session, "ann.lee@shop.example", PASSWORD).await.unwrap();
    let letters = house.letters("email_change_code").await;
    let obsolete: Vec<bool> = letters.iter().map(|letter| letter.obsolete).collect();
    assert_eq!(obsolete, [true, false]);
    assert_eq!(refusal(house.confirm_email(&session, &old).await).1, "wrong_code");
    let code = house.letter("email_change_code").await.code;
    let changed = house.confirm_email(&session, &code).await.unwrap();
    assert_eq!(changed.email, "ann.lee@shop.example");
}

async fn one_of_many_confirmations_changes_the_address(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    house.want_email(&session, NEW, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    let answers = join_all((0..10).map(|_| house.confirm_email(&session, &code))).await;
    let (good, reasons) = outcomes(answers);
    assert_eq!((good, reasons), (1, vec!["email_change_not_found".to_owned(); 9]));
    assert_eq!(house.letters("email_changed").await.len(), 1);
    assert_eq!(house.me(&session).await.unwrap().version, 2);
}

async fn two_who_want_one_address_do_not_both_get_it(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let (ann, ben) = (house.token("ann").await, house.token("ben").await);
    house.want_email(&ann, NEW, PASSWORD).await.unwrap();
    let one = house.letter("email_change_code").await.code;
    house.want_email(&ben, NEW, PASSWORD).await.unwrap();
    let other = house.letter("email_change_code").await.code;
    let answers = tokio::join!(house.confirm_email(&ann, &one), house.confirm_email(&ben, &other));
    let (good, reasons) = outcomes(vec![answers.0, answers.1]);
    assert_eq!((good, reasons), (1, vec!["email_change_not_found".to_owned()]));
    let have = format!("SELECT username FROM account WHERE email = '{NEW}'");
    assert_eq!(house.texts(&have).await.len(), 1);
}

async fn two_may_want_each_others_address(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let (ann, ben) = (house.token("ann").await, house.token("ben").await);
    for _ in 0..3 {
        let (one, other) = tokio::join!(
            house.want_email(&ann, "ben@shop.example", PASSWORD),
            house.want_email(&ben, OLD, PASSWORD),
        );
        assert_eq!((one.is_ok(), other.is_ok()), (true, true));
    }
    assert!(house.letters("email_change_code").await.is_empty());
    assert_eq!(house.letters("address_in_use").await.len(), 2);
}

async fn an_hour_has_five_wishes(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    for i in 0..5 {
        house.want_email(&session, &format!("lee{i}@shop.example"), PASSWORD).await.unwrap();
    }
    let refused = house.want_email(&session, NEW, PASSWORD).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Exhausted, "too_many_attempts"));
    assert_eq!(house.letters("email_change_code").await.len(), 5);
    house.clock.advance(TimeDelta::minutes(61));
    let session = house.token("ann").await;
    house.want_email(&session, NEW, PASSWORD).await.unwrap();
}

async fn no_code_stands_in_the_database(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    house.want_email(&session, NEW, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    let everything = house.everything().await;
    assert!(holds(&everything, NEW.as_bytes()));
    let typed = code.to_lowercase();
    for secret in [code.as_bytes(), typed.as_bytes(), PASSWORD.as_bytes()] {
        assert!(!holds(&everything, secret));
    }
}

async fn links_to_the_old_address_end_with_it(house: &House) {
    let ann = house.person("ann").await;
    let session = house.token("ann").await;
    house.forgot("ann", "").await.unwrap();
    let link = token(&house.letter("password_reset").await);
    house.want_email(&session, NEW, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    house.confirm_email(&session, &code).await.unwrap();
    assert_eq!(refusal(house.reset(&link, "another password").await).1, "reset_not_found");
    // an admin may set an address at once, and what was wished before is no more
    house.want_email(&session, OLD, PASSWORD).await.unwrap();
    let code = house.letter("email_change_code").await.code;
    let other = UserFields { email: Some("third@shop.example".into()), ..Default::default() };
    assert_eq!(house.update(&ann.id, other).await.unwrap().email, "third@shop.example");
    let late = refusal(house.confirm_email(&session, &code).await);
    assert_eq!(late.1, "email_change_not_found");
}
