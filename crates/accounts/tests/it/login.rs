//! Logging in, and being braked.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, Statement};
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{GetKeysRequest, LoginRequest, UserFields};
use souk_rpc::Kind;

use crate::house::{House, PASSWORD, answer};
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    a_login_by_name_or_address_gives_a_token_that_others_believe
    unknown_wrong_and_inactive_look_the_same
    both_names_must_be_of_the_same_account
    empty_fields_are_named
    s04_the_sixth_attempt_after_five_failures_waits_under_all_names
    a_success_releases_the_brake
    strangers_are_braked_like_accounts
    passwords_are_kept_as_argon2id_and_made_stronger_at_the_next_login
    only_the_gateway_logs_people_in
    any_service_gets_the_keys
}

async fn a_login_by_name_or_address_gives_a_token_that_others_believe(house: &House) {
    let root = house.admin("root").await;
    for login in ["root", "ROOT", " root@shop.example ", "Root@Shop.EXAMPLE"] {
        let session = house.login(login, PASSWORD).await.unwrap();
        assert_eq!((session.expires_in_s, session.refresh_token.len()), (600, 43));
        assert_eq!(session.user.as_ref(), Some(&root));
        let user = house.verifier.verify(&session.access_token).await.unwrap();
        assert_eq!((user.id.to_string(), user.role.as_str()), (root.id.clone(), "admin"));
        assert_eq!(user.permissions.len(), root.permissions.len());
        assert_eq!(user.expires_at, house.clock.now().timestamp() + 600);
        assert_eq!(house.me(&session.access_token).await.unwrap(), root);
    }
}

async fn unknown_wrong_and_inactive_look_the_same(house: &House) {
    house.person("ann").await;
    let gone = house.person("gone").await;
    house.delete(&gone.id).await.unwrap();
    let wrong = house.login("ann", "a wrong password").await.unwrap_err();
    assert_eq!((wrong.kind, wrong.reason.as_str()), (Kind::Unauthenticated, "invalid_credentials"));
    let long = "x".repeat(5000);
    for (login, password) in [
        ("nobody", PASSWORD),
        ("nobody@shop.example", PASSWORD),
        ("gone", PASSWORD),
        ("a\0nn", PASSWORD),
        ("%", PASSWORD),
        (long.as_str(), PASSWORD),
        ("ann", long.as_str()),
    ] {
        assert_eq!(house.login(login, password).await.unwrap_err(), wrong);
    }
}

async fn both_names_must_be_of_the_same_account(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let login = |also: &str| {
        let request = LoginRequest {
            login: "ann@shop.example".into(),
            password: PASSWORD.into(),
            also_login: also.to_owned(),
            ..LoginRequest::default()
        };
        let mut client = house.sessions();
        async move { answer(client.login(request)).await }
    };
    assert!(login("Ann").await.is_ok());
    for other in ["ben", "nobody"] {
        assert_eq!(refusal(login(other).await).1, "invalid_credentials");
    }
}

async fn empty_fields_are_named(house: &House) {
    let refused = house.login(" ", "").await.unwrap_err();
    assert_eq!((refused.kind, broken_fields(&refused)), (Kind::Invalid, vec!["login", "password"]));
}

async fn s04_the_sixth_attempt_after_five_failures_waits_under_all_names(house: &House) {
    house.person("ann").await;
    for login in ["ann", "ann@shop.example", "ANN", "ann", "ann"] {
        assert_eq!(refusal(house.login(login, "a wrong one").await).1, "invalid_credentials");
    }
    for login in ["ann", "ann@shop.example"] {
        let braked = house.login(login, PASSWORD).await.unwrap_err();
        assert_eq!((braked.kind, braked.reason.as_str()), (Kind::Exhausted, "too_many_attempts"));
        assert_eq!(braked.retry_after, Some(Duration::from_secs(15)));
    }
    // each further failure doubles the wait, and waiting is enough
    for seconds in [15, 30, 60, 120] {
        house.clock.advance(TimeDelta::seconds(seconds));
        assert_eq!(refusal(house.login("ann", "a wrong one").await).1, "invalid_credentials");
        let braked = house.login("ann", PASSWORD).await.unwrap_err();
        assert_eq!(braked.retry_after.unwrap().as_secs(), 2 * seconds.unsigned_abs());
    }
    house.clock.advance(TimeDelta::seconds(240));
    assert!(house.login("ann", PASSWORD).await.is_ok());
}

async fn a_success_releases_the_brake(house: &House) {
    house.person("ann").await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert!(house.login("ann", "a wrong one").await.is_err());
        }
        assert!(house.login("ann", PASSWORD).await.is_ok());
    }
}

async fn strangers_are_braked_like_accounts(house: &House) {
    for _ in 0..5 {
        assert_eq!(refusal(house.login("Nobody", PASSWORD).await).1, "invalid_credentials");
    }
    assert_eq!(refusal(house.login(" nobody", PASSWORD).await).1, "too_many_attempts");
    assert_eq!(refusal(house.login("somebody", PASSWORD).await).1, "invalid_credentials");
    // what was typed is not kept: people type passwords into the wrong field
    let kept = column(house, "SELECT subject FROM login_brake").await;
    assert!(kept.iter().all(|subject| subject.starts_with("stranger:")), "{kept:?}");
}

async fn passwords_are_kept_as_argon2id_and_made_stronger_at_the_next_login(house: &House) {
    house.person("ann").await;
    let sql = "SELECT password_hash FROM account";
    let before = column(house, sql).await.pop().unwrap();
    assert!(before.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{before}");
    let strong = house.at_a_higher_cost();
    let request =
        LoginRequest { login: "ann".into(), password: PASSWORD.into(), ..Default::default() };
    let mut client = SessionServiceClient::new(house.transport(&strong, "gateway"));
    answer(client.login(request)).await.unwrap();
    let after = column(house, sql).await.pop().unwrap();
    assert!(after.starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{after}");
    assert!(house.login("ann", PASSWORD).await.is_ok());
    assert_eq!(house.events().await.len(), 1);
}

async fn only_the_gateway_logs_people_in(house: &House) {
    house.create(UserFields { full_name: None, ..fields("ann") }).await.unwrap();
    let request =
        LoginRequest { login: "ann".into(), password: PASSWORD.into(), ..Default::default() };
    let mut client = SessionServiceClient::new(house.from("catalog"));
    let refused = answer(client.login(request)).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Forbidden);
}

async fn any_service_gets_the_keys(house: &House) {
    let mut client = SessionServiceClient::new(house.from("catalog"));
    let keys = answer(client.get_keys(GetKeysRequest {})).await.unwrap().jwks_json;
    let keys: souk_auth::Jwks = serde_json::from_str(&keys).unwrap();
    let key = keys.keys.first().unwrap();
    assert_eq!(key.get("crv").unwrap(), "Ed25519");
    assert!(key.get("x").is_some() && key.get("d").is_none());
}

async fn column(house: &House, sql: &str) -> Vec<String> {
    let db = house.db.write();
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    rows.unwrap().into_iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
}
