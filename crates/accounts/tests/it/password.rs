//! Changing one's own password, and which ones are taken.

use chrono::TimeDelta;
use futures::future::join_all;
use souk_accounts::Argon2Config;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::{
    ChangePasswordRequest, CreateFirstAdminRequest, CreateUserRequest, UserFields,
};
use souk_rpc::Kind;

use crate::house::{House, PASSWORD, answer};
use crate::mailed::{holds, outcomes, token};
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    s07_hashes_are_argon2id_at_todays_cost
    s08_length_is_the_rule_and_what_everybody_tries_is_refused
    s08_the_same_rule_holds_wherever_a_password_is_set
    s09_a_change_needs_the_current_password_and_ends_every_other_session
    guesses_of_the_current_password_are_braked_like_logins
    one_of_many_changes_counts
    a_change_makes_links_that_were_sent_before_worthless
    nobody_changes_anothers_password
}

const NEW: &str = "seven green lanterns";

async fn s07_hashes_are_argon2id_at_todays_cost(house: &House) {
    let dear = house.configured(|config| config.argon2 = Argon2Config::default());
    let mut client = AccountServiceClient::new(house.transport(&dear, "operator"));
    let request = CreateUserRequest { fields: Some(fields("ann")), ..Default::default() };
    answer(client.create_user(request)).await.unwrap();
    let hash = house.texts("SELECT password_hash FROM account").await.pop().unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
}

async fn s08_length_is_the_rule_and_what_everybody_tries_is_refused(house: &House) {
    let mut number = 0;
    let mut create = |password: &str| {
        number += 1;
        let password = Some(password.to_owned());
        house.create(UserFields { password, ..fields(&format!("p{number}x")) })
    };
    for (password, says) in [
        ("1a-4567", "must have at least 8 characters"),
        ("x".repeat(257).as_str(), "must have at most 256 characters"),
        ("password", "is one of the passwords that are used most"),
        ("PASSWORD", "is one of the passwords that are used most"),
        ("1qaz2wsx", "is one of the passwords that are used most"),
        ("trustno1", "is one of the passwords that are used most"),
        ("souksouk", "must have 8 characters besides"),
        ("Souk2026!", "must have 8 characters besides"),
    ] {
        let refused = create(password).await.unwrap_err();
        let broken = refused.violations.first().unwrap();
        assert_eq!((refused.kind, broken.field.as_str()), (Kind::Invalid, "password"));
        assert!(broken.message.contains(says), "{password}: {}", broken.message);
    }
    for (good, almost) in [
        ("lantern8".to_owned(), "lantern9".to_owned()),
        (format!("{}a", "x".repeat(63)), format!("{}b", "x".repeat(63))),
        (format!("{}a", "y".repeat(127)), format!("{}b", "y".repeat(127))),
        ("🦀".repeat(7) + "🐙", "🦀".repeat(8)),
        ("all lower case".to_owned(), "All lower case".to_owned()),
        ("  spaces count  ".to_owned(), "  spaces count ".to_owned()),
    ] {
        let user = create(&good).await.unwrap();
        assert!(house.login(&user.username, &good).await.is_ok(), "{good}");
        assert!(house.login(&user.username, &almost).await.is_err(), "{almost}");
    }
}

async fn s08_the_same_rule_holds_wherever_a_password_is_set(house: &House) {
    let bad = || Some("football".to_owned());
    let first = CreateFirstAdminRequest { password: "football".into(), ..Default::default() };
    let first = answer(house.operator().create_first_admin(first)).await.unwrap_err();
    assert_eq!(broken_fields(&first), ["password"]);

    let ann = house.person("ann").await;
    let session = house.token("ann").await;
    let created = house.create(UserFields { password: bad(), ..fields("ben") }).await;
    assert_eq!(broken_fields(&created.unwrap_err()), ["password"]);
    let updated = house.update(&ann.id, UserFields { password: bad(), ..Default::default() }).await;
    assert_eq!(broken_fields(&updated.unwrap_err()), ["password"]);
    let registered = house.register(UserFields { password: bad(), ..fields("ben") }).await;
    assert_eq!(broken_fields(&registered.unwrap_err()), ["password"]);
    house.forgot("ann", "").await.unwrap();
    let link = token(&house.letter("password_reset").await);
    for bad in ["football", "ann-2026!", "short", "ANN@shop.example"] {
        let changed = house.change_password(&session, PASSWORD, bad).await.unwrap_err();
        assert_eq!(broken_fields(&changed), ["new_password"], "{bad}");
        let reset = house.reset(&link, bad).await.unwrap_err();
        assert_eq!(broken_fields(&reset), ["new_password"], "{bad}");
    }
    let empty = house.change_password(&session, "", "").await.unwrap_err();
    assert_eq!(broken_fields(&empty), ["current_password", "new_password"]);
    // nothing was used up
    house.reset(&link, NEW).await.unwrap();
    assert!(house.login("ann", NEW).await.is_ok());
}

async fn s09_a_change_needs_the_current_password_and_ends_every_other_session(house: &House) {
    let ann = house.person("ann").await;
    let here = house.login("ann", PASSWORD).await.unwrap();
    let there = house.login("ann", PASSWORD).await.unwrap();
    let elsewhere = house.login("ann", PASSWORD).await.unwrap();
    let wrong = house.change_password(&here.access_token, "not this one", NEW).await.unwrap_err();
    assert_eq!((wrong.kind, wrong.reason.as_str()), (Kind::Invalid, "wrong_password"));
    assert_eq!(broken_fields(&wrong), ["current_password"]);
    assert!(house.me(&there.access_token).await.is_ok());

    let changed = house.change_password(&here.access_token, PASSWORD, NEW).await.unwrap();
    assert_eq!(changed, ann);
    assert_eq!(house.me(&here.access_token).await.unwrap(), ann);
    assert!(house.refresh(&here.refresh_token).await.is_ok());
    for other in [&there, &elsewhere] {
        assert_eq!(house.me(&other.access_token).await.unwrap_err().kind, Kind::Unauthenticated);
        let refused = refusal(house.refresh(&other.refresh_token).await);
        assert_eq!(refused.1, "invalid_refresh_token");
    }
    let told = house.ends().await.pop().unwrap();
    assert_eq!((told.user_id.as_str(), told.reason.as_str()), (&*ann.id, "password"));
    let mut ended = told.session_ids;
    ended.sort();
    let mut others = [there.session_id.clone(), elsewhere.session_id.clone()];
    others.sort();
    assert_eq!(ended, others);
    let letter = house.letter("password_changed").await;
    assert_eq!((letter.user_id.as_str(), letter.email.as_str()), (&*ann.id, "ann@shop.example"));
    assert!(house.login("ann", PASSWORD).await.is_err());
    assert!(house.login("ann", NEW).await.is_ok());
    let everything = house.everything().await;
    assert!(holds(&everything, b"ann@shop.example"));
    assert!(!holds(&everything, NEW.as_bytes()) && !holds(&everything, PASSWORD.as_bytes()));
}

async fn guesses_of_the_current_password_are_braked_like_logins(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    let guesses = join_all((0..20).map(|i| {
        let guess = format!("wrong guess {i}");
        let session = &session;
        async move { house.change_password(session, &guess, NEW).await }
    }));
    let (good, reasons) = outcomes(guesses.await);
    let count = |reason: &str| reasons.iter().filter(|found| *found == reason).count();
    assert_eq!(good, 0);
    assert!(count("wrong_password") <= 6 && count("too_many_attempts") >= 14, "{reasons:?}");
    let braked = house.change_password(&session, PASSWORD, NEW).await.unwrap_err();
    assert_eq!((braked.kind, braked.reason.as_str()), (Kind::Exhausted, "too_many_attempts"));
    assert!(braked.retry_after.is_some());
    assert!(house.login("ann", PASSWORD).await.is_err());
    let wanted = house.want_email(&session, "lee@shop.example", PASSWORD).await;
    assert_eq!(refusal(wanted).1, "too_many_attempts");
    // waiting is enough
    house.clock.advance(TimeDelta::minutes(16));
    let session = house.token("ann").await;
    house.change_password(&session, PASSWORD, NEW).await.unwrap();
    assert!(house.login("ann", NEW).await.is_ok());
}

async fn one_of_many_changes_counts(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    let changes = join_all((0..4).map(|i| {
        let (session, new) = (&session, format!("{i} green lanterns"));
        async move { house.change_password(session, PASSWORD, &new).await.map(|_| new) }
    }));
    let (good, bad): (Vec<_>, Vec<_>) = changes.await.into_iter().partition(Result::is_ok);
    assert_eq!((good.len(), bad.len()), (1, 3));
    assert!(bad.into_iter().all(|answer| answer.unwrap_err().reason == "wrong_password"));
    let new = good.into_iter().next().unwrap().unwrap();
    assert_eq!(house.letters("password_changed").await.len(), 1);
    house.clock.advance(TimeDelta::minutes(1));
    assert!(house.login("ann", &new).await.is_ok());
}

async fn a_change_makes_links_that_were_sent_before_worthless(house: &House) {
    house.person("ann").await;
    let session = house.token("ann").await;
    house.forgot("ann", "").await.unwrap();
    house.want_email(&session, "lee@shop.example", PASSWORD).await.unwrap();
    let link = token(&house.letter("password_reset").await);
    let code = house.letter("email_change_code").await.code;
    house.change_password(&session, PASSWORD, NEW).await.unwrap();
    assert!(house.letter("password_reset").await.obsolete);
    assert!(house.letter("email_change_code").await.obsolete);
    assert_eq!(refusal(house.reset(&link, PASSWORD).await).1, "reset_not_found");
    let confirmed = refusal(house.confirm_email(&session, &code).await);
    assert_eq!(confirmed.1, "email_change_not_found");
}

async fn nobody_changes_anothers_password(house: &House) {
    house.person("ann").await;
    let call = ChangePasswordRequest::default();
    let refused = answer(house.credentials().change_password(call)).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Unauthenticated);
    let ann = house.token("ann").await;
    let id = house.me(&ann).await.unwrap().id;
    house.delete(&id).await.unwrap();
    assert!(house.change_password(&ann, PASSWORD, NEW).await.is_err());
}
