//! Staying logged in, and logging out.

use chrono::TimeDelta;
use souk_proto::accounts::v1::{LogoutRequest, RefreshSessionRequest, SessionTokens};
use souk_rpc::{Failure, Kind};

use crate::devices::remembered;
use crate::house::{House, PASSWORD, answer};
use crate::people::refusal;

crate::on_both! {
    a_refresh_token_is_good_once_and_gives_its_successor
    a_repeated_rotation_gets_the_same_successor_for_ten_seconds
    a_stolen_token_ends_the_whole_session_and_no_other
    a_session_ends_after_thirty_days
    rubbish_is_no_refresh_token
    logging_out_ends_the_session_and_may_be_repeated
    a_logout_reaches_access_tokens_at_once
}

impl House {
    pub(crate) async fn refresh(&self, token: &str) -> Result<SessionTokens, Failure> {
        let request = RefreshSessionRequest { refresh_token: token.to_owned() };
        answer(self.sessions().refresh_session(request)).await
    }

    pub(crate) async fn logout(&self, token: &str) -> Result<(), Failure> {
        let request = LogoutRequest { refresh_token: token.to_owned(), ..Default::default() };
        answer(self.sessions().logout(request)).await.map(|_| ())
    }
}

fn over() -> (Kind, String) {
    (Kind::Unauthenticated, "invalid_refresh_token".to_owned())
}

async fn a_refresh_token_is_good_once_and_gives_its_successor(house: &House) {
    let user = house.person("ann").await;
    let mut session = house.login("ann", PASSWORD).await.unwrap();
    for _ in 0..3 {
        house.clock.advance(TimeDelta::minutes(11));
        assert!(house.me(&session.access_token).await.is_err());
        let next = house.refresh(&session.refresh_token).await.unwrap();
        assert_ne!(next.refresh_token, session.refresh_token);
        assert_eq!((next.expires_in_s, next.user.as_ref()), (600, Some(&user)));
        assert_eq!(house.me(&next.access_token).await.unwrap(), user);
        session = next;
    }
}

async fn a_repeated_rotation_gets_the_same_successor_for_ten_seconds(house: &House) {
    house.person("ann").await;
    let session = house.login("ann", PASSWORD).await.unwrap();
    let next = house.refresh(&session.refresh_token).await.unwrap();
    house.clock.advance(TimeDelta::seconds(10));
    let again = house.refresh(&session.refresh_token).await.unwrap();
    assert_eq!(again.refresh_token, next.refresh_token);
    assert!(house.refresh(&next.refresh_token).await.is_ok());
}

async fn a_stolen_token_ends_the_whole_session_and_no_other(house: &House) {
    house.person("ann").await;
    let other = house.login("ann", PASSWORD).await.unwrap();
    let session = house.login("ann", PASSWORD).await.unwrap();
    let next = house.refresh(&session.refresh_token).await.unwrap();
    house.clock.advance(TimeDelta::seconds(11));
    assert_eq!(refusal(house.refresh(&session.refresh_token).await), over());
    assert_eq!(refusal(house.refresh(&next.refresh_token).await), over());
    assert!(house.me(&next.access_token).await.is_err());
    assert!(house.refresh(&other.refresh_token).await.is_ok());
}

async fn a_session_ends_after_thirty_days(house: &House) {
    house.person("ann").await;
    let session = house.enter(remembered("ann")).await.unwrap();
    house.clock.advance(TimeDelta::days(29));
    let next = house.refresh(&session.refresh_token).await.unwrap();
    house.clock.advance(TimeDelta::days(1));
    assert_eq!(refusal(house.refresh(&next.refresh_token).await), over());
}

async fn rubbish_is_no_refresh_token(house: &House) {
    for rubbish in ["", "rubbish", &"A".repeat(43), &"A".repeat(4000)] {
        assert_eq!(refusal(house.refresh(rubbish).await), over(), "{rubbish}");
        assert_eq!(house.logout(rubbish).await, Ok(()), "{rubbish}");
    }
}

async fn logging_out_ends_the_session_and_may_be_repeated(house: &House) {
    house.person("ann").await;
    let other = house.login("ann", PASSWORD).await.unwrap();
    let session = house.login("ann", PASSWORD).await.unwrap();
    for _ in 0..2 {
        assert_eq!(house.logout(&session.refresh_token).await, Ok(()));
        assert_eq!(refusal(house.refresh(&session.refresh_token).await), over());
    }
    assert!(house.refresh(&other.refresh_token).await.is_ok());
}

async fn a_logout_reaches_access_tokens_at_once(house: &House) {
    house.person("ann").await;
    let session = house.login("ann", PASSWORD).await.unwrap();
    assert!(house.verifier.verify(&session.access_token).await.is_ok());
    house.logout(&session.refresh_token).await.unwrap();
    assert!(house.verifier.verify(&session.access_token).await.is_err());
    assert_eq!(house.me(&session.access_token).await.unwrap_err().kind, Kind::Unauthenticated);
}
