//! Devices that are known: their owner is not told of them, and not locked out by guesses elsewhere.

use chrono::TimeDelta;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{LoginRequest, SessionTokens};
use souk_rpc::{Failure, Kind};

use crate::devices::attempt;
use crate::house::{House, PASSWORD, answer};
use crate::people::refusal;
use crate::told::fact;

crate::on_both! {
    a_login_from_a_new_device_is_told_its_owner
    a_device_is_known_for_180_days_after_its_last_login
    a_device_is_known_for_as_long_as_the_setting_says
    a_device_of_somebody_else_is_new
    guesses_elsewhere_do_not_lock_the_owner_out
    guesses_on_a_known_device_are_braked_too
    a_program_that_logs_in_again_and_again_buries_nobody_in_letters
}

impl House {
    pub(crate) async fn enter_with(
        &self,
        password: &str,
        token: &str,
    ) -> Result<SessionTokens, Failure> {
        let request = LoginRequest {
            password: password.to_owned(),
            device_token: token.to_owned(),
            device: "Firefox".to_owned(),
            ..attempt("ann")
        };
        self.enter(request).await
    }
}

async fn a_login_from_a_new_device_is_told_its_owner(house: &House) {
    let ann = house.person("ann").await;
    let first = house.enter_with(PASSWORD, "").await.unwrap();
    assert!(house.letters("new_device").await.is_empty(), "nobody had been there before");
    // long after the first session is gone and forgotten the device is still known, others are not
    house.clock.advance(TimeDelta::days(100));
    let again = house.enter_with(PASSWORD, &first.device_token).await.unwrap();
    assert_ne!(again.device_token, first.device_token);
    assert!(house.letters("new_device").await.is_empty());
    house.enter_with(PASSWORD, "").await.unwrap();
    let letters = house.letters("new_device").await;
    let [letter] = &letters[..] else { panic!("{} letters", letters.len()) };
    assert_eq!((letter.user_id.as_str(), letter.email.as_str()), (&*ann.id, &*ann.email));
    let facts = ["device", "network", "at", "reason"].map(|name| fact(letter, name));
    assert_eq!(facts, ["Firefox", "203.0.113.0/24", "2027-04-25T08:00:00Z", ""]);
    assert_eq!((letter.code.as_str(), letter.link.as_str()), ("", ""));
}

async fn a_device_is_known_for_180_days_after_its_last_login(house: &House) {
    house.person("ann").await;
    let life = TimeDelta::days(180);
    let first = house.enter_with(PASSWORD, "").await.unwrap();
    assert_eq!(i64::from(first.device_token_expires_in_s), life.num_seconds());
    house.clock.advance(life - TimeDelta::seconds(1));
    let second = house.enter_with(PASSWORD, &first.device_token).await.unwrap();
    house.clock.advance(life - TimeDelta::seconds(1));
    let third = house.enter_with(PASSWORD, &second.device_token).await.unwrap();
    assert!(house.letters("new_device").await.is_empty());
    // what was given before is as old as it is
    house.enter_with(PASSWORD, &first.device_token).await.unwrap();
    assert_eq!(house.letters("new_device").await.len(), 1);
    house.clock.advance(life);
    house.enter_with(PASSWORD, &third.device_token).await.unwrap();
    assert_eq!(house.letters("new_device").await.len(), 2);
    // nor is it kept apart from those who guess
    for _ in 0..5 {
        assert!(house.enter_with("a wrong guess", "").await.is_err());
    }
    let braked = refusal(house.enter_with(PASSWORD, &third.device_token).await);
    assert_eq!(braked, (Kind::Exhausted, "too_many_attempts".to_owned()));
}

async fn a_device_is_known_for_as_long_as_the_setting_says(house: &House) {
    house.person("ann").await;
    let short = house.configured(|config| config.known_device_days = 1);
    let login = |token: &str| {
        let mut client = SessionServiceClient::new(house.transport(&short, "gateway"));
        let request = LoginRequest { device_token: token.to_owned(), ..attempt("ann") };
        async move { answer(client.login(request)).await.unwrap() }
    };
    let first = login("").await;
    assert_eq!(first.device_token_expires_in_s, 86_400);
    house.clock.advance(TimeDelta::hours(23));
    let second = login(&first.device_token).await;
    assert!(house.letters("new_device").await.is_empty());
    house.clock.advance(TimeDelta::hours(24));
    login(&second.device_token).await;
    assert_eq!(house.letters("new_device").await.len(), 1);
}

async fn a_device_of_somebody_else_is_new(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let bens = house.enter(attempt("ben")).await.unwrap().device_token;
    house.enter_with(PASSWORD, "").await.unwrap();
    for (letters, token) in [bens.as_str(), "rubbish", &"A".repeat(54)].iter().enumerate() {
        assert_eq!(house.letters("new_device").await.len(), letters);
        house.enter_with(PASSWORD, token).await.unwrap();
    }
    assert_eq!(house.letters("new_device").await.len(), 3);
}

async fn guesses_elsewhere_do_not_lock_the_owner_out(house: &House) {
    house.person("ann").await;
    let token = house.enter_with(PASSWORD, "").await.unwrap().device_token;
    for _ in 0..30 {
        assert!(house.enter_with("a wrong guess", "").await.is_err());
    }
    let braked = (Kind::Exhausted, "too_many_attempts".to_owned());
    assert_eq!(refusal(house.enter_with(PASSWORD, "").await), braked);
    assert_eq!(refusal(house.enter_with(PASSWORD, "rubbish").await), braked);
    assert!(house.enter_with(PASSWORD, &token).await.is_ok());
    // nor does the owner's login give the guesser new tries
    assert_eq!(refusal(house.enter_with(PASSWORD, "").await), braked);
}

async fn guesses_on_a_known_device_are_braked_too(house: &House) {
    house.person("ann").await;
    let token = house.enter_with(PASSWORD, "").await.unwrap().device_token;
    for _ in 0..30 {
        assert!(house.enter_with("a wrong guess", &token).await.is_err());
    }
    assert_eq!(refusal(house.enter_with(PASSWORD, &token).await).1, "too_many_attempts");
    assert!(house.enter_with(PASSWORD, "").await.is_ok());
}

async fn a_program_that_logs_in_again_and_again_buries_nobody_in_letters(house: &House) {
    house.person("ann").await;
    for _ in 0..70 {
        house.enter(attempt("ann")).await.unwrap();
    }
    assert_eq!(house.letters("new_device").await.len(), 60);
    assert_eq!(house.letters("session_ended").await.len(), 60);
    assert_eq!(house.ends().await.len(), 67, "events are told of all");
    house.clock.advance(TimeDelta::minutes(61));
    house.enter(attempt("ann")).await.unwrap();
    assert_eq!(house.letters("new_device").await.len(), 61);
}
