//! A refresh token that comes twice: a double click is forgiven, a thief is not.

use chrono::TimeDelta;
use futures::future::join_all;

use crate::devices::{attempt, remembered};
use crate::house::{House, PASSWORD};
use crate::people::refusal;
use crate::told::fact;

crate::on_both! {
    s19_fifty_refreshes_at_once_get_one_successor
    s19_a_replay_ends_the_family_and_its_owner_is_told_once
    a_replay_of_what_is_over_alarms_nobody
}

async fn s19_fifty_refreshes_at_once_get_one_successor(house: &House) {
    house.person("ann").await;
    let first = house.login("ann", PASSWORD).await.unwrap();
    let mut token = first.refresh_token.clone();
    for _ in 0..3 {
        let next = join_all((0..50).map(|_| house.refresh(&token))).await;
        let mut next: Vec<String> = next.into_iter().map(|s| s.unwrap().refresh_token).collect();
        next.dedup();
        assert_eq!(next.len(), 1);
        assert_ne!(next.first(), Some(&token));
        token = next.pop().unwrap();
        house.clock.advance(TimeDelta::minutes(5));
    }
    let last = house.refresh(&token).await.unwrap();
    assert_eq!(last.session_id, first.session_id);
    assert!(house.verifier.verify(&last.access_token).await.is_ok());
    assert!(house.ends().await.is_empty());
}

async fn s19_a_replay_ends_the_family_and_its_owner_is_told_once(house: &House) {
    let ann = house.person("ann").await;
    let other = house.login("ann", PASSWORD).await.unwrap();
    let said =
        souk_proto::accounts::v1::LoginRequest { device: "old phone".into(), ..attempt("ann") };
    let session = house.enter(said).await.unwrap();
    let next = house.refresh(&session.refresh_token).await.unwrap();
    let after = house.refresh(&next.refresh_token).await.unwrap();
    house.clock.advance(TimeDelta::seconds(15));
    for token in [&session.refresh_token, &next.refresh_token, &after.refresh_token] {
        assert_eq!(refusal(house.refresh(token).await).1, "invalid_refresh_token");
    }
    for token in [&session.access_token, &next.access_token, &after.access_token] {
        assert!(house.verifier.verify(token).await.is_err());
    }
    assert!(house.refresh(&other.refresh_token).await.is_ok());

    let ends = house.ends().await;
    let [end] = &ends[..] else { panic!("{} ends were told", ends.len()) };
    assert_eq!((end.user_id.as_str(), end.reason.as_str()), (ann.id.as_str(), "reused"));
    assert_eq!(end.session_ids, [session.session_id]);
    let letters = house.letters("session_ended").await;
    let [letter] = &letters[..] else { panic!("{} letters", letters.len()) };
    assert_eq!(letter.email, ann.email);
    assert_eq!([fact(letter, "device"), fact(letter, "reason")], ["old phone", "reused"]);
}

async fn a_replay_of_what_is_over_alarms_nobody(house: &House) {
    house.person("ann").await;
    let idle = house.login("ann", PASSWORD).await.unwrap();
    let out = house.enter(remembered("ann")).await.unwrap();
    house.refresh(&idle.refresh_token).await.unwrap();
    house.refresh(&out.refresh_token).await.unwrap();
    house.logout(&out.refresh_token).await.unwrap();
    house.clock.advance(TimeDelta::minutes(31));
    for session in [&idle, &out] {
        let refused = house.refresh(&session.refresh_token).await;
        assert_eq!(refusal(refused).1, "invalid_refresh_token");
    }
    assert_eq!(house.ends().await.len(), 1, "the logout");
    assert!(house.letters("session_ended").await.is_empty());
}
