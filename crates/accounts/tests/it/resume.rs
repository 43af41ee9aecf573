//! A browser's visits: a secret in a cookie instead of tokens.

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, Statement};
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{LoginRequest, LogoutRequest, ResumeSessionRequest, SessionTokens};
use souk_rpc::{Failure, Kind};

use crate::devices::attempt;
use crate::house::{House, answer};
use crate::people::refusal;

crate::on_both! {
    a_cookies_secret_gives_access_tokens_of_its_session
    s13_a_login_never_takes_a_secret_over
    s16_a_logout_by_cookie_reaches_every_token_of_the_session
    refresh_tokens_and_secrets_are_never_taken_for_one_another
    a_visit_tells_where_and_when
    who_is_out_does_not_come_back_by_cookie
    only_the_gateway_resumes_sessions
}

impl House {
    pub(crate) async fn resume(&self, secret: &str) -> Result<SessionTokens, Failure> {
        self.resume_from(secret, "203.0.113.9").await
    }

    async fn resume_from(&self, secret: &str, address: &str) -> Result<SessionTokens, Failure> {
        let request =
            ResumeSessionRequest { session_secret: secret.to_owned(), address: address.to_owned() };
        answer(self.sessions().resume_session(request)).await
    }

    async fn logout_by(&self, secret: &str) -> Result<(), Failure> {
        let request = LogoutRequest { session_secret: secret.to_owned(), ..Default::default() };
        answer(self.sessions().logout(request)).await.map(|_| ())
    }
}

fn browser(login: &str) -> LoginRequest {
    LoginRequest { cookie: true, ..attempt(login) }
}

fn ended() -> (Kind, String) {
    (Kind::Unauthenticated, "session_ended".to_owned())
}

async fn a_cookies_secret_gives_access_tokens_of_its_session(house: &House) {
    let ann = house.person("ann").await;
    let session = house.enter(browser("ann")).await.unwrap();
    assert_eq!((session.refresh_token.as_str(), session.session_secret.len()), ("", 43));
    assert_eq!(house.me(&session.access_token).await.unwrap(), ann);
    house.clock.advance(TimeDelta::minutes(11));
    assert!(house.me(&session.access_token).await.is_err());
    let visit = house.resume(&session.session_secret).await.unwrap();
    assert_eq!(visit.session_id, session.session_id);
    assert_eq!((visit.expires_in_s, visit.user.as_ref()), (600, Some(&ann)));
    assert_eq!((visit.refresh_token.as_str(), visit.session_secret.as_str()), ("", ""));
    assert_eq!(house.me(&visit.access_token).await.unwrap(), ann);
    // the database holds a hash, which opens nothing
    let kept = secrets(house).await;
    let [hash] = &kept[..] else { panic!("{} secrets", kept.len()) };
    assert_eq!(hash.len(), 32);
    assert_ne!(hash.as_slice(), session.session_secret.as_bytes());
}

async fn secrets(house: &House) -> Vec<Vec<u8>> {
    let db = house.db.write();
    let sql = "SELECT secret_hash FROM session WHERE secret_hash IS NOT NULL";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    rows.unwrap().into_iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

async fn s13_a_login_never_takes_a_secret_over(house: &House) {
    house.person("ann").await;
    // whoever plants a secret of their own gains nothing by the login that follows
    let planted = "A".repeat(43);
    assert_eq!(refusal(house.resume(&planted).await), ended());
    let old = house.enter(browser("ann")).await.unwrap();
    let new = house.enter(browser("ann")).await.unwrap();
    assert_ne!(new.session_secret, planted);
    assert_ne!(new.session_secret, old.session_secret);
    assert_ne!(new.session_id, old.session_id);
    assert_eq!(refusal(house.resume(&planted).await), ended());
    // the gateway ends the one that the browser came with
    house.logout_by(&old.session_secret).await.unwrap();
    assert_eq!(refusal(house.resume(&old.session_secret).await), ended());
    assert!(house.resume(&new.session_secret).await.is_ok());
}

async fn s16_a_logout_by_cookie_reaches_every_token_of_the_session(house: &House) {
    let ann = house.person("ann").await;
    let other = house.enter(browser("ann")).await.unwrap();
    let session = house.enter(browser("ann")).await.unwrap();
    house.clock.advance(TimeDelta::seconds(30));
    let visit = house.resume(&session.session_secret).await.unwrap();
    for _ in 0..2 {
        house.logout_by(&session.session_secret).await.unwrap();
        for token in [&session.access_token, &visit.access_token] {
            assert!(house.verifier.verify(token).await.is_err());
            assert_eq!(house.me(token).await.unwrap_err().kind, Kind::Unauthenticated);
        }
        assert_eq!(refusal(house.resume(&session.session_secret).await), ended());
    }
    assert!(house.resume(&other.session_secret).await.is_ok());
    let ends = house.ends().await;
    let [end] = &ends[..] else { panic!("{} ends were told", ends.len()) };
    assert_eq!((end.user_id.as_str(), end.reason.as_str()), (ann.id.as_str(), "logout"));
    assert_eq!(end.session_ids, [session.session_id]);
    for rubbish in ["", "rubbish", &"A".repeat(43), &"A".repeat(4000)] {
        assert_eq!(house.logout_by(rubbish).await, Ok(()), "{rubbish}");
        assert_eq!(refusal(house.resume(rubbish).await), ended(), "{rubbish}");
    }
}

async fn refresh_tokens_and_secrets_are_never_taken_for_one_another(house: &House) {
    house.person("ann").await;
    let by_cookie = house.enter(browser("ann")).await.unwrap();
    let by_token = house.enter(attempt("ann")).await.unwrap();
    assert_eq!(by_token.session_secret, "");
    assert_eq!(refusal(house.resume(&by_token.refresh_token).await), ended());
    assert_eq!(refusal(house.refresh(&by_cookie.session_secret).await).1, "invalid_refresh_token");
    house.logout_by(&by_token.refresh_token).await.unwrap();
    house.logout(&by_cookie.session_secret).await.unwrap();
    assert!(house.resume(&by_cookie.session_secret).await.is_ok());
    assert!(house.refresh(&by_token.refresh_token).await.is_ok());
}

async fn a_visit_tells_where_and_when(house: &House) {
    house.person("ann").await;
    let session = house.enter(browser("ann")).await.unwrap();
    let start = house.clock.now_us();
    // seconds, address, and what is known after the visit
    for (seconds, address, used_s, network) in [
        (4, "203.0.113.77", 0, "203.0.113.0/24"),
        (1, "203.0.113.77", 5, "203.0.113.0/24"),
        (1, "198.51.100.7", 6, "198.51.100.0/24"),
        (9, "unknown", 15, "198.51.100.0/24"),
        (9, "2001:db8:7:1::5", 24, "2001:db8:7::/48"),
    ] {
        house.clock.advance(TimeDelta::seconds(seconds));
        let visit = house.resume_from(&session.session_secret, address).await.unwrap();
        let shown = house.list_devices(&visit.access_token).await.unwrap().pop().unwrap();
        assert_eq!(
            ((shown.last_used_at_us - start) / 1_000_000, &*shown.network),
            (used_s, network)
        );
    }
}

async fn who_is_out_does_not_come_back_by_cookie(house: &House) {
    let ann = house.person("ann").await;
    let session = house.enter(browser("ann")).await.unwrap();
    assert!(house.resume(&session.session_secret).await.is_ok());
    house.delete(&ann.id).await.unwrap();
    assert_eq!(refusal(house.resume(&session.session_secret).await), ended());
    assert!(house.verifier.verify(&session.access_token).await.is_err());
}

async fn only_the_gateway_resumes_sessions(house: &House) {
    house.person("ann").await;
    let session_secret = house.enter(browser("ann")).await.unwrap().session_secret;
    let mut client = SessionServiceClient::new(house.from("orders"));
    let request = ResumeSessionRequest { session_secret, address: String::new() };
    assert_eq!(answer(client.resume_session(request)).await.unwrap_err().kind, Kind::Forbidden);
}
