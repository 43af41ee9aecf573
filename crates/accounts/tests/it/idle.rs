//! How long sessions last, with a visit and without.

use chrono::TimeDelta;
use souk_proto::accounts::v1::LoginRequest;
use souk_rpc::Kind;

use crate::devices::{attempt, remembered};
use crate::house::House;
use crate::people::refusal;

crate::on_both! {
    p36_half_an_hour_without_a_visit_ends_a_session
    p36_half_an_hour_without_a_visit_ends_a_browsers_session
    a_remembered_session_lasts_thirty_days_without_a_visit
    visits_do_not_prolong_a_session_beyond_its_end
    s15_who_holds_power_logs_in_again_after_twelve_hours
    what_is_idle_makes_room_without_a_word
}

fn cookie(login: &str) -> LoginRequest {
    LoginRequest { cookie: true, ..attempt(login) }
}

fn refused() -> (Kind, String) {
    (Kind::Unauthenticated, "invalid_refresh_token".to_owned())
}

fn ended() -> (Kind, String) {
    (Kind::Unauthenticated, "session_ended".to_owned())
}

/// 29:55.
const JUST_IN_TIME: TimeDelta = TimeDelta::seconds(29 * 60 + 55);
/// 30:05.
const TOO_LATE: TimeDelta = TimeDelta::seconds(30 * 60 + 5);

async fn p36_half_an_hour_without_a_visit_ends_a_session(house: &House) {
    for i in 0..10 {
        let name = format!("ann{i}");
        house.person(&name).await;
        let mut session = house.enter(attempt(&name)).await.unwrap();
        for _ in 0..3 {
            house.clock.advance(JUST_IN_TIME);
            session = house.refresh(&session.refresh_token).await.unwrap();
        }
        house.clock.advance(TOO_LATE);
        assert_eq!(refusal(house.refresh(&session.refresh_token).await), refused());
        assert!(house.verifier.verify(&session.access_token).await.is_err());
    }
    // nobody is told: they ended by themselves
    assert!(house.ends().await.is_empty());
}

async fn p36_half_an_hour_without_a_visit_ends_a_browsers_session(house: &House) {
    for i in 0..10 {
        let name = format!("ann{i}");
        house.person(&name).await;
        let session = house.enter(cookie(&name)).await.unwrap();
        let secret = &session.session_secret;
        for _ in 0..3 {
            // a visit soon after another is not written down, and counts nevertheless
            house.clock.advance(TimeDelta::seconds(4));
            house.resume(secret).await.unwrap();
            house.clock.advance(JUST_IN_TIME);
            house.resume(secret).await.unwrap();
        }
        house.clock.advance(TOO_LATE);
        assert_eq!(refusal(house.resume(secret).await), ended());
    }
}

async fn a_remembered_session_lasts_thirty_days_without_a_visit(house: &House) {
    house.person("ann").await;
    let days = TimeDelta::days(30);
    let by_token = house.enter(remembered("ann")).await.unwrap();
    let by_cookie = house.enter(LoginRequest { cookie: true, ..remembered("ann") }).await.unwrap();
    let end = (house.clock.now() + days).timestamp_micros();
    assert_eq!((by_token.session_expires_at_us, by_token.remember), (end, true));
    house.clock.advance(days - TimeDelta::minutes(3));
    let next = house.refresh(&by_token.refresh_token).await.unwrap();
    assert_eq!((next.session_expires_at_us, next.remember), (end, true));
    // no access token outlives its session
    assert_eq!(next.expires_in_s, 180);
    assert_eq!(house.resume(&by_cookie.session_secret).await.unwrap().expires_in_s, 180);
    house.clock.advance(TimeDelta::minutes(3));
    assert_eq!(refusal(house.refresh(&next.refresh_token).await), refused());
    assert_eq!(refusal(house.resume(&by_cookie.session_secret).await), ended());
}

async fn visits_do_not_prolong_a_session_beyond_its_end(house: &House) {
    house.admin("root").await;
    let secret = house.enter(cookie("root")).await.unwrap().session_secret;
    let start = house.clock.now();
    for _ in 0..24 {
        house.clock.advance(JUST_IN_TIME);
        house.resume(&secret).await.unwrap();
    }
    // 24 times five seconds are left of twelve hours
    assert_eq!(house.resume(&secret).await.unwrap().expires_in_s, 120);
    house.clock.advance(start + TimeDelta::hours(12) - house.clock.now());
    assert_eq!(refusal(house.resume(&secret).await), ended());
}

async fn s15_who_holds_power_logs_in_again_after_twelve_hours(house: &House) {
    house.admin("root").await;
    let hours = TimeDelta::hours(12);
    let mut session = house.enter(remembered("root")).await.unwrap();
    let browser = house.enter(LoginRequest { cookie: true, ..remembered("root") }).await.unwrap();
    let end = (house.clock.now() + hours).timestamp_micros();
    assert_eq!([session.session_expires_at_us, browser.session_expires_at_us], [end, end]);
    for _ in 0..3 {
        house.clock.advance(TimeDelta::hours(3));
        session = house.refresh(&session.refresh_token).await.unwrap();
        house.resume(&browser.session_secret).await.unwrap();
    }
    house.clock.advance(TimeDelta::hours(3) - TimeDelta::seconds(5));
    session = house.refresh(&session.refresh_token).await.unwrap();
    assert_eq!((session.expires_in_s, session.session_expires_at_us), (5, end));
    house.clock.advance(TimeDelta::seconds(5));
    assert_eq!(refusal(house.refresh(&session.refresh_token).await), refused());
    assert_eq!(refusal(house.resume(&browser.session_secret).await), ended());
}

async fn what_is_idle_makes_room_without_a_word(house: &House) {
    house.person("ann").await;
    for _ in 0..3 {
        house.enter(attempt("ann")).await.unwrap();
    }
    house.clock.advance(TOO_LATE);
    let fourth = house.enter(attempt("ann")).await.unwrap();
    let shown = house.list_devices(&fourth.access_token).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert!(house.ends().await.is_empty());
    assert!(house.letters("session_ended").await.is_empty());
}
