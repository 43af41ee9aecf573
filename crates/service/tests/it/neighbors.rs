//! Services in two processes.

use crate::tenants::{Stage, desk, door, get};

const KNOWN: &str = "known to both of the houses and to nobody else";

#[tokio::test(flavor = "multi_thread")]
async fn a_service_asks_its_neighbor_in_another_house() {
    let (there, here) = (Stage::new(), Stage::new());
    let flags = [("grpc.listen", "\"127.0.0.1:0\""), ("secrets.service_token", KNOWN)];
    let accounts = there.start(&[desk()], &flags).await.unwrap();
    let url = format!("http://{}", accounts.address("grpc").unwrap());
    let flags = [("services.accounts.url", url.as_str()), ("secrets.service_token", KNOWN)];
    let gateway = here.start(&[door()], &flags).await.unwrap();
    let site = gateway.address("site").unwrap();
    assert!(get(site, "/keys").await.unwrap().ends_with("{\"keys\":[]}"));
    assert!(accounts.stop().await);
    assert!(get(site, "/keys").await.unwrap().ends_with("service_unavailable"));
    assert!(gateway.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_that_does_not_know_the_secret_is_nobody() {
    let (there, here) = (Stage::new(), Stage::new());
    let flags = [("grpc.listen", "\"127.0.0.1:0\"")];
    let accounts = there.start(&[desk()], &flags).await.unwrap();
    let url = format!("http://{}", accounts.address("grpc").unwrap());
    let gateway = here.start(&[door()], &[("services.accounts.url", &url)]).await.unwrap();
    let answer = get(gateway.address("site").unwrap(), "/keys").await.unwrap();
    assert!(answer.ends_with("unknown_service"), "{answer}");
    assert!(gateway.stop().await && accounts.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbor_without_an_address_ends_the_start_with_a_sentence() {
    let stage = Stage::new();
    let sentence = format!("{:#}", stage.start(&[door()], &[]).await.err().unwrap());
    assert!(sentence.contains("set services.accounts.url"), "{sentence}");
    let flags = [("services.accounts.url", "no address")];
    let sentence = format!("{:#}", stage.start(&[door()], &flags).await.err().unwrap());
    assert!(sentence.contains("services.accounts.url is not an address"), "{sentence}");
}
