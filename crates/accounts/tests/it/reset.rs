//! A forgotten password.

use chrono::TimeDelta;
use futures::future::join_all;
use sha2::{Digest, Sha256};
use souk_proto::accounts::v1::credential_service_client::CredentialServiceClient;
use souk_proto::accounts::v1::{ForgotPasswordRequest, ResetPasswordRequest, UserFields};
use souk_rpc::Kind;

use crate::house::{House, PASSWORD, answer};
use crate::mailed::{holds, outcomes, token};
use crate::people::{broken_fields, refusal};

crate::on_both! {
    s10_a_link_sets_a_new_password_once_and_opens_no_session
    s10_only_a_hash_of_the_link_is_stored
    s10_a_link_is_good_for_fifteen_minutes
    s10_a_newer_link_replaces_the_older_ones
    s10_of_fifty_who_use_one_link_one_succeeds
    s03_nobody_learns_whether_there_is_an_account
    both_names_must_be_of_the_same_account
    an_account_gets_three_links_an_hour
    whoever_is_braked_can_reset
    who_left_gets_no_link_and_uses_none
    an_admins_new_password_ends_links
    only_the_gateway_may_ask
}

const NEW: &str = "seven green lanterns";

async fn link(house: &House) -> String {
    house.forgot("ann", "").await.unwrap();
    token(&house.letter("password_reset").await)
}

async fn s10_a_link_sets_a_new_password_once_and_opens_no_session(house: &House) {
    let ann = house.person("ann").await;
    let session = house.login("ann", PASSWORD).await.unwrap();
    house.forgot(" Ann@SHOP.example ", "").await.unwrap();
    let letter = house.letter("password_reset").await;
    assert_eq!((letter.email.as_str(), letter.code.as_str()), ("ann@shop.example", ""));
    assert_eq!((letter.user_id.as_str(), letter.obsolete), (&*ann.id, false));
    assert_eq!(letter.expires_at_us - house.clock.now_us(), 900_000_000);
    assert!(letter.link.starts_with("/account/reset?token="), "{}", letter.link);
    assert_eq!(token(&letter).len(), 43);
    // asking changes nothing
    assert!(house.me(&session.access_token).await.is_ok());

    house.reset(&token(&letter), NEW).await.unwrap();
    assert!(house.me(&session.access_token).await.is_err());
    let refused = refusal(house.refresh(&session.refresh_token).await);
    assert_eq!(refused.1, "invalid_refresh_token");
    let told = house.ends().await.pop().unwrap();
    assert_eq!((told.reason.as_str(), told.session_ids), ("password", vec![session.session_id]));
    let (_, changed) = house.events().await.pop().unwrap();
    assert_eq!((changed.version, changed.fields), (2, vec!["password".to_owned()]));
    assert_eq!(house.letter("password_changed").await.user_id, ann.id);
    let open = "SELECT CAST(COUNT(*) AS TEXT) FROM session WHERE ended_at IS NULL";
    assert_eq!(house.texts(open).await, ["0"]);
    assert!(house.login("ann", PASSWORD).await.is_err());
    assert!(house.login("ann", NEW).await.is_ok());

    assert!(house.letter("password_reset").await.obsolete);
    let again = refusal(house.reset(&token(&letter), "another password").await);
    assert_eq!(again, (Kind::NotFound, "reset_not_found".to_owned()));
    for unknown in ["", "x", &"A".repeat(43), &"A".repeat(100_000)] {
        assert_eq!(refusal(house.reset(unknown, NEW).await).1, "reset_not_found");
    }
    assert!(house.login("ann", NEW).await.is_ok());
}

async fn s10_only_a_hash_of_the_link_is_stored(house: &House) {
    house.person("ann").await;
    let link = link(house).await;
    let everything = house.everything().await;
    assert!(holds(&everything, b"ann@shop.example"));
    assert!(holds(&everything, &Sha256::digest(link.as_bytes())));
    assert!(!holds(&everything, link.as_bytes()));
    house.reset(&link, NEW).await.unwrap();
    let everything = house.everything().await;
    assert!(!holds(&everything, link.as_bytes()) && !holds(&everything, NEW.as_bytes()));
}

async fn s10_a_link_is_good_for_fifteen_minutes(house: &House) {
    house.person("ann").await;
    let first = link(house).await;
    house.clock.advance(TimeDelta::seconds(14 * 60 + 59));
    house.reset(&first, NEW).await.unwrap();
    let second = link(house).await;
    house.clock.advance(TimeDelta::seconds(15 * 60 + 1));
    let expired = refusal(house.reset(&second, PASSWORD).await);
    assert_eq!(expired, (Kind::NotFound, "code_expired".to_owned()));
    assert!(house.letter("password_reset").await.obsolete);
    assert!(house.login("ann", NEW).await.is_ok());
}

async fn s10_a_newer_link_replaces_the_older_ones(house: &House) {
    house.person("ann").await;
    let first = link(house).await;
    let second = link(house).await;
    assert_ne!(first, second);
    let obsolete: Vec<bool> =
        house.letters("password_reset").await.iter().map(|letter| letter.obsolete).collect();
    assert_eq!(obsolete, [true, false]);
    assert_eq!(refusal(house.reset(&first, NEW).await).1, "reset_not_found");
    house.reset(&second, NEW).await.unwrap();
}

async fn s10_of_fifty_who_use_one_link_one_succeeds(house: &House) {
    house.person("ann").await;
    let link = link(house).await;
    let uses = join_all((0..50).map(|i| {
        let (link, new) = (&link, format!("{i} green lanterns"));
        async move { house.reset(link, &new).await.map(|()| new) }
    }));
    let uses = uses.await;
    let won: Vec<String> = uses.iter().filter_map(|used| used.clone().ok()).collect();
    let (good, reasons) = outcomes(uses);
    assert_eq!((good, reasons), (1, vec!["reset_not_found".to_owned(); 49]));
    assert!(house.login("ann", won.first().unwrap()).await.is_ok());
    assert_eq!(house.letters("password_changed").await.len(), 1);
}

async fn s03_nobody_learns_whether_there_is_an_account(house: &House) {
    let gone = house.person("gone").await;
    house.delete(&gone.id).await.unwrap();
    house.person("ann").await;
    let rows = || async {
        let count = "SELECT CAST(COUNT(*) AS TEXT) FROM";
        let resets = house.texts(&format!("{count} password_reset")).await;
        let letters = house.texts(&format!("{count} mail_request")).await;
        [resets, letters].concat()
    };
    let mut before = 0;
    for login in ["ann", "ann@shop.example", "nobody", "nobody@shop.example", "gone", "a\0b"] {
        house.forgot(login, "").await.unwrap();
        before += 1;
        // the same is written for everybody
        assert_eq!(rows().await, [before.to_string(), before.to_string()], "{login:?}");
    }
    assert_eq!(house.letters("password_reset").await.len(), 2);
    let empty = house.forgot("  ", "").await.unwrap_err();
    assert_eq!((empty.kind, broken_fields(&empty)), (Kind::Invalid, vec!["login"]));
    let everything = house.everything().await;
    assert!(!holds(&everything, b"nobody"));
}

async fn both_names_must_be_of_the_same_account(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    for (login, also) in [("ann", "ben"), ("ann", "nobody"), ("nobody", "ann@shop.example")] {
        house.forgot(login, also).await.unwrap();
    }
    assert!(house.letters("password_reset").await.is_empty());
    house.forgot("ann", "Ann@shop.example").await.unwrap();
    assert_eq!(house.letters("password_reset").await.len(), 1);
}

async fn an_account_gets_three_links_an_hour(house: &House) {
    house.person("ann").await;
    for _ in 0..6 {
        house.forgot("ann", "").await.unwrap();
    }
    let letters = house.letters("password_reset").await;
    assert_eq!(letters.len(), 3);
    // the last of them is good still
    assert!(!letters.last().unwrap().obsolete);
    let many = join_all((0..10).map(|_| house.forgot("ann", ""))).await;
    assert!(many.iter().all(Result::is_ok));
    assert_eq!(house.letters("password_reset").await.len(), 3);
    house.clock.advance(TimeDelta::minutes(61));
    let many = join_all((0..10).map(|_| house.forgot("ann", ""))).await;
    assert!(many.iter().all(Result::is_ok));
    assert_eq!(house.letters("password_reset").await.len(), 6);
}

async fn whoever_is_braked_can_reset(house: &House) {
    house.person("ann").await;
    for _ in 0..8 {
        assert!(house.login("ann", "a wrong one").await.is_err());
    }
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "too_many_attempts");
    let link = link(house).await;
    house.reset(&link, NEW).await.unwrap();
    assert!(house.login("ann", NEW).await.is_ok());
}

async fn who_left_gets_no_link_and_uses_none(house: &House) {
    let ann = house.person("ann").await;
    let link = link(house).await;
    house.delete(&ann.id).await.unwrap();
    assert_eq!(refusal(house.reset(&link, NEW).await).1, "reset_not_found");
    house.forgot("ann", "").await.unwrap();
    assert_eq!(house.letters("password_reset").await.len(), 1);
}

async fn an_admins_new_password_ends_links(house: &House) {
    let ann = house.person("ann").await;
    for change in [
        UserFields { password: Some("another password".into()), ..Default::default() },
        UserFields { email: Some("lee@shop.example".into()), ..Default::default() },
        UserFields { active: Some(false), ..Default::default() },
    ] {
        let link = link(house).await;
        house.update(&ann.id, change).await.unwrap();
        assert_eq!(refusal(house.reset(&link, NEW).await).1, "reset_not_found");
    }
}

async fn only_the_gateway_may_ask(house: &House) {
    let mut client = CredentialServiceClient::new(house.from("catalog"));
    let forgot = answer(client.forgot_password(ForgotPasswordRequest::default())).await;
    let reset = answer(client.reset_password(ResetPasswordRequest::default())).await;
    let (forgot, reset) = (forgot.unwrap_err(), reset.unwrap_err());
    assert_eq!((forgot.kind, reset.kind), (Kind::Forbidden, Kind::Forbidden));
}
