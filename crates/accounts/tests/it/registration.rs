//! Becoming a customer.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use souk_accounts::{Registration, schedules};
use souk_proto::accounts::v1::registration_service_client::RegistrationServiceClient;
use souk_proto::accounts::v1::{RegisterRequest, RegisterResponse, UserFields};
use souk_rpc::{Failure, Kind};

use crate::house::{House, PASSWORD, answer};
use crate::mailed::{WRONG, holds, outcomes};
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    s11_an_account_exists_only_after_the_code
    s02_a_known_address_gets_the_same_answers_and_its_owner_a_letter
    s11_five_codes_are_heard_and_then_none
    s11_codes_sent_together_are_counted_one_by_one
    s11_a_code_is_good_for_fifteen_minutes
    s11_two_who_want_one_address_do_not_touch_each_other
    s11_no_code_stands_in_the_database
    a_code_is_read_as_people_type_it
    a_name_is_held_while_its_code_is_awaited
    one_of_many_confirmations_makes_the_account
    one_of_many_registrations_of_an_address_becomes_an_account
    a_letter_is_sent_again_thrice_a_minute_apart
    at_most_five_wait_for_one_address
    every_broken_field_of_a_registration_is_named_at_once
    a_check_of_a_registration_writes_nothing
    where_registration_is_open_the_account_is_there_at_once
    what_waits_in_vain_is_forgotten
    only_the_gateway_registers_people
}

const EMAIL: &str = "ann@shop.example";

async fn s11_an_account_exists_only_after_the_code(house: &House) {
    let pending = house.pend("ann", EMAIL).await;
    assert!(pending.registration_id.starts_with("reg_"));
    assert_eq!(pending.expires_at_us - house.clock.now_us(), 900_000_000);
    assert!(house.usernames(Default::default()).await.is_empty());
    assert!(house.login("ann", PASSWORD).await.is_err());
    assert!(house.events().await.is_empty());

    let letter = house.letter("registration_code").await;
    assert_eq!((letter.email.as_str(), letter.name.as_str()), (EMAIL, "ann Example"));
    assert_eq!((letter.code.len(), letter.user_id.as_str()), (8, ""));
    assert_eq!((letter.obsolete, letter.expires_at_us), (false, pending.expires_at_us));
    let wrong = house.confirm(&pending.registration_id, WRONG).await.unwrap_err();
    assert_eq!((wrong.kind, wrong.reason.as_str()), (Kind::Invalid, "wrong_code"));
    assert_eq!(broken_fields(&wrong), ["code"]);
    assert_eq!(wrong.metadata.get("tries_left").unwrap(), "4");

    let user = house.confirm(&pending.registration_id, &letter.code).await.unwrap();
    assert_eq!((user.username.as_str(), user.email.as_str()), ("ann", EMAIL));
    assert_eq!((user.role.as_str(), user.active, user.version), ("customer", true, 1));
    assert_eq!(house.login("ann", PASSWORD).await.unwrap().user.unwrap(), user);
    let (event, told) = house.events().await.pop().unwrap();
    assert_eq!(event.event_type, "souk.accounts.user.created.v1");
    assert_eq!((told.user_id.as_str(), told.actor_id.as_str()), (&*user.id, &*user.id));
    assert_eq!(house.letter("welcome").await.email, EMAIL);
    assert!(house.letter("registration_code").await.obsolete);
    let again = house.confirm(&pending.registration_id, &letter.code).await;
    assert_eq!(refusal(again), (Kind::NotFound, "registration_not_found".into()));
    for nobody in ["", "reg_x", &souk_values::RegistrationId::new().to_string()] {
        assert_eq!(refusal(house.confirm(nobody, &letter.code).await).1, "registration_not_found");
    }
}

async fn s02_a_known_address_gets_the_same_answers_and_its_owner_a_letter(house: &House) {
    let ann = house.person("ann").await;
    let known = house.pend("eve", "Ann@SHOP.example").await;
    let new = house.pend("eva", "eva@shop.example").await;
    assert_eq!(known.expires_at_us, new.expires_at_us);
    assert_eq!(known.registration_id.len(), new.registration_id.len());
    assert_eq!(house.letters("registration_code").await.len(), 1);
    let warning = house.letter("address_in_use").await;
    assert_eq!((warning.user_id.as_str(), warning.email.as_str()), (&*ann.id, EMAIL));
    assert_eq!((warning.code.as_str(), warning.link.as_str()), ("", ""));

    // whatever is tried, both say the same
    let both = [&known.registration_id, &new.registration_id];
    let same = |answers: Vec<Failure>| {
        let [one, other] = <[Failure; 2]>::try_from(answers).unwrap();
        assert_eq!(one, other);
        one.reason
    };
    let early = join_all(both.map(|id| async move { house.resend(id).await.unwrap_err() })).await;
    assert_eq!(same(early), "resend_limit");
    house.clock.advance(TimeDelta::seconds(61));
    let resent = join_all(both.map(|id| async move { house.resend(id).await.unwrap() })).await;
    assert_eq!(resent[0].expires_at_us, resent[1].expires_at_us);
    for _ in 0..5 {
        let wrong =
            join_all(both.map(|id| async move { house.confirm(id, WRONG).await.unwrap_err() }));
        assert_eq!(same(wrong.await), "wrong_code");
    }
    let dead = join_all(both.map(|id| async move { house.confirm(id, WRONG).await.unwrap_err() }));
    assert_eq!(same(dead.await), "registration_not_found");

    // one warning an hour, and nothing of the owner's has changed
    house.pend("ivy", EMAIL).await;
    assert_eq!(house.letters("address_in_use").await.len(), 1);
    house.clock.advance(TimeDelta::minutes(61));
    house.pend("ida", EMAIL).await;
    assert_eq!(house.letters("address_in_use").await.len(), 2);
    assert_eq!(house.get(&ann.id).await.unwrap(), ann);
    assert!(house.login("ann", PASSWORD).await.is_ok());
    let hashes = "SELECT password_hash FROM registration WHERE email_folded = 'ann@shop.example'";
    assert_eq!(house.texts(hashes).await, [""; 3]);
}

async fn s11_five_codes_are_heard_and_then_none(house: &House) {
    let id = house.pend("ann", EMAIL).await.registration_id;
    let code = house.letter("registration_code").await.code;
    for left in ["4", "3", "2", "1", "0"] {
        let wrong = house.confirm(&id, WRONG).await.unwrap_err();
        assert_eq!(wrong.metadata.get("tries_left").unwrap(), left);
    }
    assert_eq!(refusal(house.confirm(&id, &code).await).1, "registration_not_found");
    house.clock.advance(TimeDelta::minutes(2));
    assert_eq!(refusal(house.resend(&id).await).1, "registration_not_found");
    assert!(house.letter("registration_code").await.obsolete);
    assert!(house.usernames(Default::default()).await.is_empty());
    // the name is free again
    house.pend("ann", EMAIL).await;
}

async fn s11_codes_sent_together_are_counted_one_by_one(house: &House) {
    let id = house.pend("ann", EMAIL).await.registration_id;
    let guesses = join_all((0..30).map(|_| house.confirm(&id, WRONG))).await;
    let (good, reasons) = outcomes(guesses);
    let count = |reason: &str| reasons.iter().filter(|found| *found == reason).count();
    assert_eq!((good, count("wrong_code"), count("registration_not_found")), (0, 5, 25));
    assert_eq!(house.texts("SELECT CAST(tries AS TEXT) FROM registration").await, ["5"]);
}

async fn s11_a_code_is_good_for_fifteen_minutes(house: &House) {
    let ann = house.pend("ann", EMAIL).await.registration_id;
    let code = house.letter("registration_code").await.code;
    let eve = house.pend("eve", "eve@shop.example").await.registration_id;
    let late = house.letter("registration_code").await.code;
    house.clock.advance(TimeDelta::seconds(14 * 60 + 59));
    assert_eq!(house.confirm(&ann, &code).await.unwrap().username, "ann");
    house.clock.advance(TimeDelta::seconds(2));
    for code in [&late, WRONG] {
        let expired = refusal(house.confirm(&eve, code).await);
        assert_eq!(expired, (Kind::NotFound, "code_expired".to_owned()));
    }
    assert_eq!(refusal(house.resend(&eve).await).1, "code_expired");
    assert_eq!(house.usernames(Default::default()).await, ["ann"]);
}

async fn s11_two_who_want_one_address_do_not_touch_each_other(house: &House) {
    let first = house.pend("ann", EMAIL).await.registration_id;
    let code = house.letter("registration_code").await.code;
    let theirs = UserFields {
        email: Some(EMAIL.into()),
        password: Some("somebody else's words".into()),
        ..fields("eve")
    };
    let second = house.register(theirs).await.unwrap().pending.unwrap().registration_id;
    let other = house.letter("registration_code").await.code;
    assert_ne!(code, other);
    assert_eq!(refusal(house.confirm(&first, &other).await).1, "wrong_code");
    assert_eq!(house.confirm(&first, &code).await.unwrap().username, "ann");
    let late = refusal(house.confirm(&second, &other).await);
    assert_eq!(late, (Kind::NotFound, "registration_not_found".to_owned()));
    assert!(house.login(EMAIL, PASSWORD).await.is_ok());
    assert!(house.login(EMAIL, "somebody else's words").await.is_err());
    assert_eq!(house.usernames(Default::default()).await, ["ann"]);
}

async fn s11_no_code_stands_in_the_database(house: &House) {
    let id = house.pend("ann", EMAIL).await.registration_id;
    let code = house.letter("registration_code").await.code;
    house.confirm(&id, WRONG).await.unwrap_err();
    let everything = house.everything().await;
    assert!(holds(&everything, EMAIL.as_bytes()) && holds(&everything, b"ann Example"));
    let typed = code.to_lowercase();
    for secret in [code.as_bytes(), typed.as_bytes(), PASSWORD.as_bytes()] {
        assert!(!holds(&everything, secret));
    }
}

async fn a_code_is_read_as_people_type_it(house: &House) {
    type Typed = fn(&str) -> String;
    let spellings: [(&str, Typed); 3] = [
        ("ann", |code| code.to_lowercase()),
        ("eve", |code| format!(" {}-{} ", &code[..4], &code[4..])),
        ("ida", |code| code.replace('0', "o").replace('1', "L")),
    ];
    for (name, typed) in spellings {
        let id = house.pend(name, &format!("{name}@shop.example")).await.registration_id;
        let code = house.letter("registration_code").await.code;
        assert_eq!(house.confirm(&id, &typed(&code)).await.unwrap().username, name);
    }
}

async fn a_name_is_held_while_its_code_is_awaited(house: &House) {
    house.person("ben").await;
    house.pend("ann", EMAIL).await;
    for taken in ["ann", "ANN", "Ben"] {
        let fields = UserFields { email: Some("new@shop.example".into()), ..fields(taken) };
        let refused = house.register(fields).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Conflict, "username_taken"));
        assert_eq!(broken_fields(&refused), ["username"]);
    }
    house.clock.advance(TimeDelta::minutes(15));
    let again = house.pend("Ann", "new@shop.example").await.registration_id;
    // an admin is quicker
    house.person("ann").await;
    let code = house.letter("registration_code").await.code;
    assert_eq!(refusal(house.confirm(&again, &code).await).1, "username_taken");
    let many = join_all((0..8).map(|i| {
        house.register(UserFields { email: Some(format!("z{i}@shop.example")), ..fields("zoe") })
    }));
    let (good, reasons) = outcomes(many.await);
    assert_eq!((good, reasons), (1, vec!["username_taken".to_owned(); 7]));
}

async fn one_of_many_confirmations_makes_the_account(house: &House) {
    let id = house.pend("ann", EMAIL).await.registration_id;
    let code = house.letter("registration_code").await.code;
    let (good, reasons) = outcomes(join_all((0..20).map(|_| house.confirm(&id, &code))).await);
    assert_eq!((good, reasons), (1, vec!["registration_not_found".to_owned(); 19]));
    assert_eq!(house.usernames(Default::default()).await, ["ann"]);
    assert_eq!((house.events().await.len(), house.letters("welcome").await.len()), (1, 1));
}

async fn one_of_many_registrations_of_an_address_becomes_an_account(house: &House) {
    let mut codes = Vec::new();
    for name in ["ann", "eve", "ida", "ivy"] {
        let id = house.pend(name, EMAIL).await.registration_id;
        codes.push((id, house.letter("registration_code").await.code));
    }
    let answers = join_all(codes.iter().map(|(id, code)| house.confirm(id, code))).await;
    let (good, reasons) = outcomes(answers);
    assert_eq!((good, reasons), (1, vec!["registration_not_found".to_owned(); 3]));
    assert_eq!(house.usernames(Default::default()).await.len(), 1);
    assert_eq!(house.events().await.len(), 1);
}

async fn a_letter_is_sent_again_thrice_a_minute_apart(house: &House) {
    let id = house.pend("ann", EMAIL).await.registration_id;
    let mut codes = vec![house.letter("registration_code").await.code];
    for _ in 0..3 {
        let early = house.resend(&id).await.unwrap_err();
        assert_eq!((early.kind, early.reason.as_str()), (Kind::Exhausted, "resend_limit"));
        assert_eq!(early.retry_after, Some(Duration::from_secs(60)));
        house.clock.advance(TimeDelta::seconds(60));
        let pending = house.resend(&id).await.unwrap();
        assert_eq!(pending.registration_id, id);
        assert_eq!(pending.expires_at_us - house.clock.now_us(), 900_000_000);
        codes.push(house.letter("registration_code").await.code);
    }
    house.clock.advance(TimeDelta::seconds(60));
    let last = house.resend(&id).await.unwrap_err();
    assert_eq!(last.retry_after, Some(Duration::from_secs(840)));
    let letters = house.letters("registration_code").await;
    let obsolete: Vec<bool> = letters.iter().map(|letter| letter.obsolete).collect();
    assert_eq!(obsolete, [true, true, true, false]);
    for old in &codes[..3] {
        assert_eq!(refusal(house.confirm(&id, old).await).1, "wrong_code");
    }
    assert_eq!(house.confirm(&id, &codes[3]).await.unwrap().username, "ann");
}

async fn at_most_five_wait_for_one_address(house: &House) {
    house.person("ann").await;
    for (address, name) in [(EMAIL, "known"), ("new@shop.example", "fresh")] {
        for i in 0..5 {
            house.pend(&format!("{name}{i}"), address).await;
        }
        let more = UserFields { email: Some(address.into()), ..fields(&format!("{name}5")) };
        let refused = house.register(more).await.unwrap_err();
        assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Exhausted, "too_many_attempts"));
        assert_eq!(refused.retry_after, Some(Duration::from_secs(900)));
    }
    house.clock.advance(TimeDelta::minutes(15));
    house.pend("fresh6", "new@shop.example").await;
}

async fn every_broken_field_of_a_registration_is_named_at_once(house: &House) {
    let empty = house.register(UserFields::default()).await.unwrap_err();
    assert_eq!(broken_fields(&empty), ["username", "email", "password"]);
    let wrong = UserFields {
        username: Some("S0uk".into()),
        email: Some("postmaster@shop.example".into()),
        full_name: Some("x".repeat(201)),
        password: Some("Password".into()),
        role: Some("admin".into()),
        active: Some(true),
        password_hash: Some("x".into()),
    };
    let wrong = house.register(wrong).await.unwrap_err();
    let named = ["full_name", "password", "username", "email", "role", "active", "password_hash"];
    assert_eq!((wrong.kind, broken_fields(&wrong)), (Kind::Invalid, named.to_vec()));
    for bad in ["fuckyou", "5h1t", "H1tler"] {
        let refused = house.register(fields(bad)).await.unwrap_err();
        assert_eq!(broken_fields(&refused), ["username", "email"], "{bad}");
    }
    for told in ["ann@shop.example", "annannann", "souk-ann", "souksouk"] {
        let refused = UserFields { password: Some(told.into()), ..fields("ann") };
        assert_eq!(broken_fields(&house.register(refused).await.unwrap_err()), ["password"]);
    }
    assert!(house.texts("SELECT username FROM registration").await.is_empty());
    // an admin names whom they like
    assert_eq!(house.person("support").await.username, "support");
}

async fn a_check_of_a_registration_writes_nothing(house: &House) {
    let check = |fields: UserFields| {
        let request =
            RegisterRequest { fields: Some(fields), check_only: true, ..Default::default() };
        let mut client = house.registrations();
        async move { answer(client.register(request)).await }
    };
    assert_eq!(check(fields("ann")).await.unwrap(), RegisterResponse::default());
    assert_eq!(broken_fields(&check(fields("admin")).await.unwrap_err()), ["username", "email"]);
    assert!(house.texts("SELECT username FROM registration").await.is_empty());
    assert!(house.told().await.is_empty());
}

async fn where_registration_is_open_the_account_is_there_at_once(house: &House) {
    let open = house.configured(|config| config.registration = Registration::Open);
    let register = |fields: UserFields| {
        let mut client = RegistrationServiceClient::new(house.transport(&open, "gateway"));
        let request = RegisterRequest { fields: Some(fields), ..Default::default() };
        async move { answer(client.register(request)).await }
    };
    house.pend("eve", "eve@shop.example").await;
    let made = register(fields("ann")).await.unwrap();
    assert!(made.pending.is_none());
    assert_eq!(house.login("ann", PASSWORD).await.unwrap().user, made.user);
    assert_eq!((house.events().await.len(), house.letters("welcome").await.len()), (1, 1));
    let other = UserFields { email: Some(EMAIL.into()), ..fields("ben") };
    assert_eq!(refusal(register(other).await), (Kind::Conflict, "email_taken".to_owned()));
    assert_eq!(refusal(register(fields("ANN")).await).1, "username_taken");
    assert_eq!(refusal(register(fields("eve")).await).1, "username_taken");
    assert!(house.letters("address_in_use").await.is_empty());
}

async fn what_waits_in_vain_is_forgotten(house: &House) {
    let ann = house.person("ann").await;
    let token = house.token("ann").await;
    house.pend("eve", "eve@shop.example").await;
    house.forgot("ann", "").await.unwrap();
    house.want_email(&token, "lee@shop.example", PASSWORD).await.unwrap();
    let left = || async {
        let mut left = Vec::new();
        for table in ["registration", "password_reset", "email_change", "mail_request"] {
            left.extend(house.texts(&format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await);
        }
        left
    };
    tidy(house).await;
    assert_eq!(left().await, ["1", "1", "1", "4"]);
    house.clock.advance(TimeDelta::minutes(31));
    tidy(house).await;
    assert_eq!(left().await, ["0", "0", "0", "4"]);
    house.clock.advance(TimeDelta::days(7));
    tidy(house).await;
    assert_eq!(left().await, ["0", "0", "0", "0"]);
    assert_eq!(house.get(&ann.id).await.unwrap(), ann);
}

async fn tidy(house: &House) {
    for schedule in schedules(&house.app) {
        (schedule.run)().await.unwrap();
    }
}

async fn only_the_gateway_registers_people(house: &House) {
    let mut client = RegistrationServiceClient::new(house.from("catalog"));
    let request = RegisterRequest { fields: Some(fields("ann")), ..Default::default() };
    assert_eq!(answer(client.register(request)).await.unwrap_err().kind, Kind::Forbidden);
}
