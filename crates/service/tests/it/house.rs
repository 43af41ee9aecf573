//! How a process starts.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use souk_auth::ServiceTokens;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{GetKeysRequest, LogoutRequest};
use souk_rpc::{Failure, Identity, Kind, Transport};
use souk_service::House;
use souk_values::Clock;

use crate::tenants::{Stage, desk, door, get};

#[tokio::test(flavor = "multi_thread")]
async fn a_started_house_is_ready_and_answers_on_all_its_ports() {
    let stage = Stage::new();
    let house = stage.start(&[door(), desk()], &[]).await.unwrap();
    assert_eq!(house.services(), ["accounts", "gateway"]);
    let site = house.address("site").unwrap();
    assert!(get(site, "/ready").await.unwrap().ends_with("down: []"));
    assert!(get(site, "/keys").await.unwrap().ends_with("{\"keys\":[]}"));
    assert!(get(house.address("side").unwrap(), "/").await.unwrap().ends_with("hello"));
    assert!(house.address("grpc").is_none() && house.database("gateway").is_none());
    stage.until("tick").await;
    assert!(house.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occupied_port_ends_the_start_before_anything_answers() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let occupied = format!("\"{}\"", taken.local_addr().unwrap());
    let listen = format!("\"{free}\"");
    let flags = [("gateway.listen", listen.as_str()), ("gateway.side_listen", &occupied)];
    let sentence = format!("{:#}", stage.start(&[door(), desk()], &flags).await.err().unwrap());
    let address = taken.local_addr().unwrap();
    assert!(sentence.contains(&format!("cannot listen on {address} (side)")), "{sentence}");
    assert!(get(free, "/").await.is_err(), "the other door was opened");
    assert!(!stage.diary().contains(&"tick".to_owned()), "work was begun");
    // the place is free again
    assert!(stage.start(&[door(), desk()], &[]).await.unwrap().stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impossible_setting_ends_the_start_before_anything_is_made() {
    let stage = Stage::new();
    for (key, value, words) in [
        ("gateway.listen", "\"192.0.2.1:80\"", "gateway.listen: 192.0.2.1:80 is not an address"),
        ("gateway.lsten", "5", "lsten"),
        ("accounts.colour", "red", "colour"),
    ] {
        let sentence = stage.start(&[door(), desk()], &[(key, value)]).await.err().unwrap();
        assert!(format!("{sentence:#}").contains(words), "{sentence:#}");
    }
    assert!(!stage.data_dir().exists(), "something was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_comes_in_by_the_socket() {
    let stage = Stage::new();
    let house = stage.start(&[desk()], &[]).await.unwrap();
    let socket = stage.data_dir().join("souk.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let tokens =
        Arc::new(ServiceTokens::new(b"not known to the house at all....", Clock::system()));
    let identity = Identity { name: "operator".into(), tokens };
    let url = format!("unix://{}", socket.display());
    let outside = Transport::remote("accounts", &url, identity).unwrap();
    for way in [outside, house.transport("accounts").unwrap()] {
        let mut client = SessionServiceClient::new(way);
        assert!(client.get_keys(GetKeysRequest {}).await.is_ok());
        // the operator may call what only the notifier may
        assert!(client.logout(LogoutRequest::default()).await.is_ok());
        let unlisted = client.login(souk_proto::accounts::v1::LoginRequest::default()).await;
        assert_eq!(Failure::from(unlisted.unwrap_err()).kind, Kind::Forbidden);
    }
    assert!(house.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_service_has_a_database_of_its_own_where_the_settings_say() {
    let stage = Stage::new();
    let url = format!("sqlite:{}/own-{{service}}.db", stage.data_dir().display());
    let loaded = stage.load(&[("database.url", &url)]).unwrap();
    House::migrate(&loaded, &[door(), desk()]).await.unwrap();
    House::migrate(&loaded, &[door(), desk()]).await.unwrap();
    assert!(stage.data_dir().join("own-accounts.db").exists());
    assert!(!stage.data_dir().join("own-gateway.db").exists());
    assert!(!stage.data_dir().join("accounts.db").exists());
}
