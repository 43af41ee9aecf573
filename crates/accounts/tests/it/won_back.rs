//! An account that its owner won back, by a letter or an admin: nothing that led into it before
//! does so any more.

use std::collections::BTreeSet;

use souk_audit::Entry;
use souk_proto::accounts::v1::{ApiKeyCreated, GetMeRequest, UserFields};
use souk_rpc::Kind;

use crate::audit::entries;
use crate::house::{House, PASSWORD, answer_as};
use crate::mailed::token;
use crate::people::refusal;
use crate::told::fact;

crate::on_both! {
    s10_a_reset_revokes_every_api_key
    s10_a_reset_forgets_every_device
    a_new_password_by_an_admin_does_both
    a_new_password_by_its_owner_does_neither
}

const NEW: &str = "seven green lanterns";

async fn reset(house: &House, new: &str) {
    house.forgot("ann", "").await.unwrap();
    let link = token(&house.letter("password_reset").await);
    house.reset(&link, new).await.unwrap();
}

/// Which keys were revoked by this actor, as the audit tells.
async fn revoked_by(house: &House, actor: &str) -> BTreeSet<String> {
    let by = |entry: &Entry| entry.action == "api_key.revoked" && entry.actor == actor;
    let found: Vec<Entry> = entries(house).await.into_iter().filter(by).collect();
    let targets: BTreeSet<String> = found.iter().map(|entry| entry.target.clone()).collect();
    assert_eq!(targets.len(), found.len(), "an entry for each key");
    targets
}

fn target(made: &ApiKeyCreated) -> String {
    format!("api_key/{}", made.api_key.as_ref().unwrap().id)
}

async fn is_dead(house: &House, key: &str) -> bool {
    let dead = (Kind::Unauthenticated, "invalid_api_key".to_owned());
    house.exchange(key).await.is_err_and(|refused| (refused.kind, refused.reason) == dead)
}

async fn s10_a_reset_revokes_every_api_key(house: &House) {
    let ann = house.person("ann").await;
    house.person("ben").await;
    let (mine, other) = (house.token("ann").await, house.token("ben").await);
    let bens = house.make_key(&other, &[]).await.unwrap().key;
    let [one, two, before] = [
        house.make_key(&mine, &[]).await.unwrap(),
        house.make_key(&mine, &[]).await.unwrap(),
        house.make_key(&mine, &[]).await.unwrap(),
    ];
    house.revoke_key(&mine, &before.api_key.as_ref().unwrap().id).await.unwrap();
    let given = [house.token_of(&one.key).await, house.token_of(&two.key).await];
    let mut programs = BTreeSet::new();
    for given in &given {
        programs.insert(house.verifier.verify(given).await.unwrap().session.to_string());
    }

    reset(house, NEW).await;
    assert!(is_dead(house, &one.key).await && is_dead(house, &two.key).await);
    for given in &given {
        assert!(house.verifier.verify(given).await.is_err());
        // nor in a process that has not heard
        let unheard = answer_as(given, house.elsewhere().get_me(GetMeRequest {})).await;
        assert_eq!(refusal(unheard).1, "session_ended");
    }
    // gateways hear of it as of every end, in the one event of this change
    let told = house.ends().await.pop().unwrap();
    assert_eq!(told.reason, "password");
    assert!(programs.is_subset(&told.session_ids.into_iter().collect()));
    assert!(programs.is_subset(&house.all_ended().await));
    let all = BTreeSet::from([target(&one), target(&two), target(&before)]);
    assert_eq!(revoked_by(house, &ann.id).await, all);
    assert_eq!(fact(&house.letter("password_changed").await, "revoked_api_keys"), "2");
    assert!(house.exchange(&bens).await.is_ok());

    let mine = house.login("ann", NEW).await.unwrap().access_token;
    let keys = house.keys_of(&mine, "").await.unwrap();
    assert!(keys.len() == 3 && keys.iter().all(|key| key.revoked_at_us > 0));
    // what ends with nothing tells of nothing
    reset(house, PASSWORD).await;
    assert_eq!(fact(&house.letter("password_changed").await, "revoked_api_keys"), "");
    assert_eq!(revoked_by(house, &ann.id).await, all);
    let mine = house.token("ann").await;
    let key = house.make_key(&mine, &[]).await.unwrap().key;
    assert!(house.exchange(&key).await.is_ok());
}

async fn s10_a_reset_forgets_every_device(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let stolen = house.enter_with(PASSWORD, "").await.unwrap().device_token;
    assert!(house.enter_with(PASSWORD, &stolen).await.is_ok());
    assert!(house.letters("new_device").await.is_empty());
    reset(house, NEW).await;
    // guesses on it count with everybody's
    for _ in 0..5 {
        assert!(house.enter_with("a wrong guess", &stolen).await.is_err());
    }
    let braked = (Kind::Exhausted, "too_many_attempts".to_owned());
    assert_eq!(refusal(house.enter_with(NEW, "").await), braked);
    assert_eq!(refusal(house.enter_with(NEW, &stolen).await), braked);
    house.clock.advance(chrono::TimeDelta::minutes(1));
    let fresh = house.enter_with(NEW, &stolen).await.unwrap().device_token;
    assert_eq!(house.letters("new_device").await.len(), 1);
    // what was given since is known, whatever is guessed elsewhere
    for _ in 0..5 {
        assert!(house.enter_with("a wrong guess", &stolen).await.is_err());
    }
    assert!(house.enter_with(NEW, &fresh).await.is_ok());
    assert_eq!(house.letters("new_device").await.len(), 1);
}

async fn a_new_password_by_an_admin_does_both(house: &House) {
    let (root, admin) = house.with_role("root", "admin").await;
    let ann = house.person("ann").await;
    let first = house.enter_with(PASSWORD, "").await.unwrap();
    let made = house.make_key(&first.access_token, &[]).await.unwrap();
    let name = UserFields { full_name: Some("Ann Lee".into()), ..Default::default() };
    house.change_as(&admin, &ann.id, name).await.unwrap();
    assert!(house.exchange(&made.key).await.is_ok());
    let password = UserFields { password: Some(NEW.into()), ..Default::default() };
    house.change_as(&admin, &ann.id, password).await.unwrap();
    assert!(is_dead(house, &made.key).await);
    assert_eq!(revoked_by(house, &root.id).await, BTreeSet::from([target(&made)]));
    house.enter_with(NEW, &first.device_token).await.unwrap();
    assert_eq!(house.letters("new_device").await.len(), 1);
}

async fn a_new_password_by_its_owner_does_neither(house: &House) {
    let ann = house.person("ann").await;
    let first = house.enter_with(PASSWORD, "").await.unwrap();
    let key = house.make_key(&first.access_token, &[]).await.unwrap().key;
    house.change_password(&first.access_token, PASSWORD, NEW).await.unwrap();
    assert!(house.exchange(&key).await.is_ok());
    assert!(revoked_by(house, &ann.id).await.is_empty());
    assert_eq!(fact(&house.letter("password_changed").await, "revoked_api_keys"), "");
    assert!(house.enter_with(NEW, &first.device_token).await.is_ok());
    assert!(house.letters("new_device").await.is_empty());
}
