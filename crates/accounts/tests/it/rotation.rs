//! Another signing key: what the old one signed is believed for as long as it is served.

use chrono::TimeDelta;
use souk_accounts::schedules;
use souk_auth::Jwks;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{GetKeysRequest, LoginRequest, RefreshSessionRequest};
use souk_rpc::{Guarded, Kind};

use crate::devices::{attempt, remembered};
use crate::house::{House, SEED, answer, verifier_of};
use crate::people::refusal;

crate::on_both! {
    s18_the_key_before_is_served_until_it_is_withdrawn
    s18_sessions_and_devices_outlive_a_change_of_keys
    a_change_of_keys_loses_no_second_factor
}

const NEW: [u8; 32] = [8; 32];

async fn served(house: &House, process: &Guarded) -> String {
    let mut client = SessionServiceClient::new(house.transport(process, "gateway"));
    answer(client.get_keys(GetKeysRequest {})).await.unwrap().jwks_json
}

async fn s18_the_key_before_is_served_until_it_is_withdrawn(house: &House) {
    house.person("ann").await;
    let before = house.enter(attempt("ann")).await.unwrap().access_token;
    let (changed, withdrawn) = (house.with_keys(NEW, Some(SEED)), house.with_keys(NEW, None));
    let both = served(house, &changed).await;
    assert_eq!(serde_json::from_str::<Jwks>(&both).unwrap().keys.len(), 2);
    let mut client = SessionServiceClient::new(house.transport(&changed, "gateway"));
    let after = answer(client.login(attempt("ann"))).await.unwrap().access_token;
    let believes_both = verifier_of(both, &house.clock);
    for token in [&before, &after] {
        assert!(believes_both.verify(token).await.is_ok());
    }
    let believes_one = verifier_of(served(house, &withdrawn).await, &house.clock);
    assert!(believes_one.verify(&after).await.is_ok());
    assert!(believes_one.verify(&before).await.is_err());
    // and by then it has expired: no token lives longer than its ten minutes
    house.clock.advance(TimeDelta::minutes(11));
    assert!(believes_both.verify(&before).await.is_err());
}

async fn s18_sessions_and_devices_outlive_a_change_of_keys(house: &House) {
    house.person("ann").await;
    let before = house.enter(remembered("ann")).await.unwrap();
    let changed = house.with_keys(NEW, Some(SEED));
    let mut client = SessionServiceClient::new(house.transport(&changed, "gateway"));
    let refresh_token = before.refresh_token.clone();
    let next = answer(client.refresh_session(RefreshSessionRequest { refresh_token })).await;
    assert_eq!(next.unwrap().session_id, before.session_id);
    let known = LoginRequest { device_token: before.device_token.clone(), ..attempt("ann") };
    let after = answer(client.login(known)).await.unwrap();
    assert_ne!(after.device_token, before.device_token);
    assert!(house.letters("new_device").await.is_empty());
}

async fn a_change_of_keys_loses_no_second_factor(house: &House) {
    let (_, phone, confirmed) = house.somebody_enrolled("ann").await;
    let login = |process: &Guarded, code: &str| {
        let mut client = SessionServiceClient::new(house.transport(process, "gateway"));
        let second_factor_code = code.to_owned();
        let request = LoginRequest { second_factor_code, ..attempt("ann") };
        async move { answer(client.login(request)).await }
    };
    let changed = house.with_keys(NEW, Some(SEED));
    assert!(login(&changed, &phone.shows(house, 0)).await.is_ok());
    assert!(login(&changed, &confirmed.recovery_codes[0]).await.is_ok());
    for schedule in schedules(&house.app_with_keys(NEW, Some(SEED))) {
        (schedule.run)().await.unwrap();
    }
    let withdrawn = house.with_keys(NEW, None);
    assert!(login(&withdrawn, &phone.shows(house, 30)).await.is_ok());
    // the old key does not open it any more
    house.clock.advance(TimeDelta::seconds(90));
    let old = login(&house.with_keys(SEED, None), &phone.shows(house, 0)).await;
    assert_eq!(refusal(old).0, Kind::Internal);
}
