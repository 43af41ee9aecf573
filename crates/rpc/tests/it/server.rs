//! The door itself: which service, health, stopping, a server that goes away, the socket file.
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use souk_proto::catalog::v1::ExportProductsRequest;
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_rpc::{Failure, Identity, Kind, ServerListener, Transport};
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::house::{House, WAYS, Way, ask, failure, known, until};

fn channel(house: &House) -> Channel {
    Endpoint::from_shared(house.url(Way::Tcp)).unwrap().connect_lazy()
}

#[tokio::test]
async fn without_a_target_the_first_service_with_the_method_answers() {
    let house = House::new().await;
    let send = async |target: Option<&str>, to: &str| {
        let mut request = Request::new(ask("facts"));
        let token = house.stack.tokens.issue("gateway", to);
        let token = MetadataValue::try_from(token).unwrap();
        request.metadata_mut().insert("souk-service-token", token);
        if let Some(target) = target {
            request.metadata_mut().insert("souk-target", target.parse().unwrap());
        }
        CategoryServiceClient::new(channel(&house)).create_category(request).await
    };
    assert!(send(None, "catalog").await.is_ok());
    assert!(send(Some("front"), "front").await.is_ok());
    // each service takes tokens for itself only
    assert_eq!(send(Some("front"), "catalog").await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(send(Some("orders"), "orders").await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn health_answers_anybody() {
    let house = House::new().await;
    let check = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let serving = ServingStatus::Serving as i32;
    let mut process = HealthClient::new(channel(&house));
    for service in ["", "catalog", "front"] {
        let answer = process.check(check(service)).await.unwrap().into_inner();
        assert_eq!(answer.status, serving, "{service}");
    }
    assert_eq!(process.check(check("orders")).await.unwrap_err().code(), Code::NotFound);
    for way in WAYS {
        let mut one = HealthClient::new(house.transport(way, "catalog"));
        assert_eq!(one.check(check("")).await.unwrap().into_inner().status, serving, "{way:?}");
    }
    let mut direct = HealthClient::new(house.catalog.clone());
    assert_eq!(direct.check(check("")).await.unwrap().into_inner().status, serving);
}

#[tokio::test]
async fn a_stop_lets_running_calls_end_and_takes_no_new_ones() {
    let mut house = House::new().await;
    let mut running = house.categories(Way::Tcp);
    let running = tokio::spawn(async move {
        let mut request = Request::new(ask("slow"));
        request.set_timeout(Duration::from_millis(300));
        running.create_category(request).await
    });
    until(|| house.shop.begun.load(Ordering::SeqCst) == 1).await;
    house.stop.cancel();
    until(|| std::net::TcpStream::connect(house.address).is_err()).await;
    let refused = failure(house.categories(Way::Tcp).create_category(ask("facts")).await);
    assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Unavailable, "service_unavailable"));
    assert_eq!(refused.message, "catalog cannot answer at the moment");
    assert_eq!(running.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    for server in house.servers.drain(..) {
        server.await.unwrap();
    }
    assert!(!house.socket.exists());
}

#[tokio::test]
async fn at_the_end_of_the_drain_calls_are_cut_off_and_nobody_claims_that_nothing_happened() {
    let mut house = House::with(0, Duration::from_millis(50)).await;
    let mut running = house.categories(Way::Tcp);
    let running = tokio::spawn(async move { running.create_category(ask("slow")).await });
    let mut stream = house.transfers(Way::Tcp);
    let stream = stream.export_products(ExportProductsRequest { include_hidden: false }).await;
    let _unread = stream.unwrap().into_inner();
    until(|| house.shop.begun.load(Ordering::SeqCst) == 1).await;
    house.stop.cancel();
    for server in house.servers.drain(..) {
        server.await.unwrap();
    }
    let cut = failure(running.await.unwrap());
    assert_eq!((cut.kind, cut.reason.as_str()), (Kind::Timeout, "answer_lost"));
    until(|| house.shop.dropped.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_transport_finds_its_server_again() {
    let house = House::new().await;
    let tokens = house.stack.tokens.clone();
    let listener = ServerListener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let identity = Identity { name: "gateway".into(), tokens };
    let url = format!("http://{address}");
    let transport = Transport::remote("catalog", &url, identity).unwrap();
    let mut client = CategoryServiceClient::new(transport);
    assert_eq!(client.create_category(ask("facts")).await.unwrap_err().code(), Code::Unavailable);

    let listener = ServerListener::tcp(address).await.unwrap();
    let services = [("catalog", house.catalog.clone())].into();
    tokio::spawn(souk_rpc::serve(listener, services, house.stop.clone(), Duration::ZERO));
    assert_eq!(known(client.create_category(ask("facts")).await)["service"], "gateway");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_at_once() {
    let house = House::new().await;
    let identity = Identity { name: "gateway".into(), tokens: house.stack.tokens.clone() };
    assert!(Transport::remote("catalog", "http://a b", identity).is_err());
}

#[tokio::test]
async fn the_socket_is_the_operator_s_alone_and_has_one_owner() {
    let house = House::new().await;
    let mode = std::fs::metadata(&house.socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = ServerListener::unix(&house.socket).await;
    assert_eq!(second.err().map(|e| e.kind()), Some(std::io::ErrorKind::AddrInUse));
}

#[tokio::test]
async fn a_socket_left_behind_by_a_killed_process_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("souk.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(ServerListener::unix(&path).await.is_ok());
}

#[tokio::test]
async fn a_failed_transport_s_status_says_nothing_about_addresses() {
    let house = House::new().await;
    house.stop.cancel();
    until(|| std::net::TcpStream::connect(house.address).is_err()).await;
    let status = house.categories(Way::Tcp).create_category(ask("facts")).await.unwrap_err();
    let told = format!("{:?}", Failure::from(status));
    assert!(!told.contains("127.0.0.1"), "{told}");
}
