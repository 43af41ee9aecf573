//! TLS between processes: who is let in, who is not, and what files are good for it.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use souk_auth::Permission;
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::catalog::v1::{DeleteCategoryRequest, ExportProductsRequest, LoadDemoShopRequest};
use souk_rpc::{
    Authority, Failure, Identity, Kind, ServerListener, Tls, TlsFiles, Transport, Validity, scope,
};
use souk_testkit::log::Log;
use souk_values::Clock;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::Request;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::house::{House, ask, context, failure, known, until};

fn now() -> u64 {
    Clock::system().now().timestamp().unsigned_abs()
}

fn good() -> Validity {
    Validity { from: now() - 60, until: now() + 3600 }
}

fn over() -> Validity {
    Validity { from: now() - 7200, until: now() - 3600 }
}

/// An authority, and a folder with what it issued.
struct Registry {
    authority: Authority,
    dir: tempfile::TempDir,
}

impl Registry {
    fn new() -> Self {
        let authority = Authority::new("of the tests", good()).unwrap();
        let registry = Self { authority, dir: tempfile::tempdir().unwrap() };
        registry.write("ca.pem", registry.authority.certificate());
        registry
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes a certificate with these names; for mutual TLS.
    fn files(&self, file: &str, names: &[&str], validity: Validity) -> TlsFiles {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let issued = self.authority.issue(&names, validity).unwrap();
        self.write(&format!("{file}.pem"), &issued.certificate);
        self.write(&format!("{file}.key"), &issued.key);
        TlsFiles {
            mutual: true,
            ca: self.path("ca.pem"),
            certificate: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
            services: Vec::new(),
        }
    }

    fn mutual(&self, names: &[&str]) -> Tls {
        Tls::read(self.files(&names.join("-"), names, good())).unwrap()
    }

    /// Without showing the certificate to those who are called.
    fn one_sided(&self, names: &[&str]) -> Tls {
        let files = self.files(&names.join("-"), names, good());
        Tls::read(TlsFiles { mutual: false, ..files }).unwrap()
    }
}

/// The catalog and the front behind a door with TLS.
struct Door {
    house: House,
    address: SocketAddr,
}

impl Door {
    async fn open(tls: Tls) -> Self {
        let house = House::new().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let services = [("catalog", house.catalog.clone()), ("front", house.front.clone())].into();
        let listener = ServerListener::Tls(listener, tls);
        tokio::spawn(souk_rpc::serve(listener, services, house.stop.clone(), Duration::ZERO));
        Self { house, address }
    }

    fn identity(&self, name: &str) -> Identity {
        Identity { name: name.into(), tokens: self.house.stack.tokens.clone() }
    }

    /// To the catalog, as `name` with the certificates of `tls`.
    fn transport(&self, name: &str, tls: &Tls) -> Transport {
        let url = format!("https://{}", self.address);
        Transport::secured("catalog", &url, self.identity(name), tls).unwrap()
    }

    /// Who the catalog thinks is calling, or why it does not answer.
    async fn called(&self, name: &str, tls: &Tls) -> Result<String, Failure> {
        let mut client = CategoryServiceClient::new(self.transport(name, tls));
        match client.create_category(ask("facts")).await {
            Ok(answer) => Ok(known(Ok(answer))["service"].as_str().unwrap().to_owned()),
            Err(status) => Err(status.into()),
        }
    }

    /// A call that must not reach the handler.
    async fn kept_out(&self, transport: Transport) -> Failure {
        let mut request = Request::new(ask("slow"));
        request.set_timeout(Duration::from_secs(60));
        let answer = CategoryServiceClient::new(transport).create_category(request).await;
        let failure = failure(answer);
        assert_eq!(self.house.shop.begun.load(Ordering::SeqCst), 0, "it came in: {failure:?}");
        assert_ne!(failure.reason, "timeout", "nobody said no");
        failure
    }
}

fn unreachable(failure: &Failure) {
    let said = (failure.kind, failure.reason.as_str(), failure.message.as_str());
    let expected =
        (Kind::Unavailable, "service_unavailable", "catalog cannot answer at the moment");
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_call_over_tls_is_answered_and_its_token_says_who_calls() {
    let registry = Registry::new();
    let door = Door::open(registry.one_sided(&["catalog"])).await;
    let tls = registry.one_sided(&["gateway"]);
    assert_eq!(door.called("gateway", &tls).await, Ok("gateway".to_owned()));
    assert_eq!(door.called("orders", &tls).await, Ok("orders".to_owned()));
}

#[tokio::test]
async fn calls_and_streams_over_mutual_tls_are_answered() {
    let registry = Registry::new();
    let door = Door::open(registry.mutual(&["catalog", "localhost"])).await;
    let tls = registry.mutual(&["gateway", "localhost"]);
    assert_eq!(door.called("gateway", &tls).await, Ok("gateway".to_owned()));

    let mut transfers = TransferServiceClient::new(door.transport("gateway", &tls));
    let export = transfers.export_products(ExportProductsRequest::default()).await.unwrap();
    let mut stream = export.into_inner();
    let mut chunks = 0;
    while stream.message().await.unwrap().is_some() {
        chunks += 1;
    }
    assert_eq!(chunks, 1000);
    let mut health = HealthClient::new(door.transport("gateway", &tls));
    assert!(health.check(HealthCheckRequest::default()).await.is_ok());
}

#[tokio::test]
async fn s43_a_caller_without_a_certificate_of_ours_is_kept_out() {
    let (log, _listening) = Log::listen();
    let (registry, elsewhere) = (Registry::new(), Registry::new());
    let door = Door::open(registry.mutual(&["catalog"])).await;

    // none
    door.kept_out(door.transport("gateway", &registry.one_sided(&["gateway"]))).await;
    until(|| log.lines_with(&["refused a connection"]) >= 1).await;
    let before = log.lines_with(&["refused a connection"]);

    // of an authority that we do not know; it believes in ours
    let files = elsewhere.files("gateway", &["gateway"], good());
    let both = [registry.authority.certificate(), elsewhere.authority.certificate()].concat();
    elsewhere.write("ca.pem", &both);
    let stranger = Tls::read(files).unwrap();
    unreachable(&door.kept_out(door.transport("gateway", &stranger)).await);
    until(|| log.lines_with(&["refused a connection"]) > before).await;
    // and the caller's own log says why
    assert!(log.lines_with(&["received fatal alert"]) >= 1);

    // one whose time is over: our own client would not even start with it
    let files = registry.files("late", &["gateway"], over());
    let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
    let identity = tonic::transport::Identity::from_pem(read(&files.certificate), read(&files.key));
    let config = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read(&files.ca)))
        .identity(identity)
        .domain_name("catalog");
    let channel = Endpoint::from_shared(format!("https://{}", door.address)).unwrap();
    let channel = channel.tls_config(config).unwrap().connect_lazy();
    let mut request = Request::new(ask("slow"));
    request.set_timeout(Duration::from_secs(60));
    assert!(CategoryServiceClient::new(channel).create_category(request).await.is_err());
    assert_eq!(door.house.shop.begun.load(Ordering::SeqCst), 0);
    until(|| log.lines_with(&["certificate expired"]) >= 1).await;

    // plain text
    let plain = format!("http://{}", door.address);
    let plain = Transport::remote("catalog", &plain, door.identity("gateway")).unwrap();
    let before = log.lines_with(&["refused a connection"]);
    door.kept_out(plain).await;
    until(|| log.lines_with(&["refused a connection"]) > before).await;

    // and the door still opens
    let tls = registry.mutual(&["gateway"]);
    assert_eq!(door.called("gateway", &tls).await, Ok("gateway".to_owned()));
}

#[tokio::test]
async fn s43_a_certificate_is_good_for_the_services_that_it_names() {
    let registry = Registry::new();
    let door = Door::open(registry.mutual(&["catalog"])).await;
    let two = registry.mutual(&["orders", "notifier"]);
    assert_eq!(door.called("orders", &two).await, Ok("orders".to_owned()));
    assert_eq!(door.called("notifier", &two).await, Ok("notifier".to_owned()));
    // with the secret of all processes, and yet not the gateway, nor the operator
    let nobody = registry.mutual(&["localhost", "*.gateway"]);
    for (name, tls) in [("gateway", &two), ("operator", &two), ("gateway", &nobody)] {
        let refused = door.called(name, tls).await.unwrap_err();
        let said = (refused.kind, refused.reason.as_str());
        assert_eq!(said, (Kind::Unauthenticated, "unknown_service"), "{name}");
    }
    // and a certificate alone, without a token, is nobody's either
    let forger = souk_auth::ServiceTokens::new(b"a guess", Clock::system());
    let identity = Identity { name: "orders".into(), tokens: forger.into() };
    let url = format!("https://{}", door.address);
    let forged = Transport::secured("catalog", &url, identity, &two).unwrap();
    let refused = failure(CategoryServiceClient::new(forged).create_category(ask("facts")).await);
    assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Unauthenticated, "unknown_service"));
}

#[tokio::test]
async fn s43_a_certificate_does_not_replace_the_user() {
    let registry = Registry::new();
    let door = Door::open(registry.mutual(&["catalog"])).await;
    let tls = registry.mutual(&["gateway"]);
    let mut client = CategoryServiceClient::new(door.transport("gateway", &tls));
    let mut delete = async |token: Option<&str>| {
        let mut request = Request::new(DeleteCategoryRequest::default());
        request.metadata_mut().insert("x-user-role", "admin".parse().unwrap());
        scope(context(token, "r"), client.delete_category(request)).await
    };
    let (_, customer) = door.house.token(&[]);
    let (writer, may) = door.house.token(&[Permission::ProductsWrite]);
    let (_, elsewhere) = door.house.token_for("orders", &Permission::ALL);
    let unauthenticated = |said: &str| (Kind::Unauthenticated, said.to_owned());
    let refused = |failure: Failure| (failure.kind, failure.reason);
    assert_eq!(refused(failure(delete(None).await)), unauthenticated("login_required"));
    assert_eq!(refused(failure(delete(Some(&elsewhere)).await)), unauthenticated("invalid_token"));
    assert_eq!(failure(delete(Some(&customer)).await).kind, Kind::Forbidden);
    assert_eq!(known(delete(Some(&may)).await)["user"], writer.to_string());
}

#[tokio::test]
async fn s43_a_service_calls_what_is_its_own_to_call_and_nothing_else() {
    let registry = Registry::new();
    let door = Door::open(registry.mutual(&["catalog"])).await;
    let (_, admin) = door.house.token(&Permission::ALL);
    // a method of the gateway's: each with its own certificate and token, and with claims
    let load = async |name: &str, tls: &Tls, token: Option<&str>| {
        let mut client = TransferServiceClient::new(door.transport(name, tls));
        let mut request = Request::new(LoadDemoShopRequest::default());
        for (claim, value) in [("x-user-role", "admin"), ("x-service", "gateway")] {
            request.metadata_mut().insert(claim, value.parse().unwrap());
        }
        let answer = scope(context(token, "r"), client.load_demo_shop(request)).await;
        answer.map_err(Failure::from)
    };
    for name in ["analytics", "notifier", "orders"] {
        let tls = registry.mutual(&[name]);
        for token in [None, Some(admin.as_str())] {
            let refused = load(name, &tls, token).await.unwrap_err();
            let said = (refused.kind, refused.reason.as_str());
            assert_eq!(said, (Kind::Forbidden, "forbidden"), "{name}");
        }
        // nor does it write, for a user that it has not or one that it has: users come through the
        // gateway
        let mut client = CategoryServiceClient::new(door.transport(name, &tls));
        for token in [None, Some(admin.as_str())] {
            let write = client.delete_category(DeleteCategoryRequest::default());
            let refused = failure(scope(context(token, "r"), write).await);
            assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Forbidden, "forbidden"));
        }
    }
    assert!(load("gateway", &registry.mutual(&["gateway"]), None).await.is_ok());
}

#[tokio::test]
async fn s43_a_server_that_is_not_the_service_is_not_called() {
    let (registry, elsewhere) = (Registry::new(), Registry::new());
    let tls = registry.mutual(&["gateway"]);
    // another service, a host without a service, an authority that we do not know
    for server in [
        registry.mutual(&["analytics", "localhost"]),
        registry.mutual(&["localhost", "catalog.internal"]),
        elsewhere.mutual(&["catalog"]),
        elsewhere.one_sided(&["catalog"]),
    ] {
        let door = Door::open(server).await;
        unreachable(&door.kept_out(door.transport("gateway", &tls)).await);
    }
    // one that speaks plain text
    let house = House::new().await;
    let identity = Identity { name: "gateway".into(), tokens: house.stack.tokens.clone() };
    let url = format!("https://{}", house.address);
    let transport = Transport::secured("catalog", &url, identity, &tls).unwrap();
    let answer = CategoryServiceClient::new(transport).create_category(ask("facts")).await;
    unreachable(&failure(answer));
}

#[tokio::test]
async fn s45_who_says_nothing_or_nonsense_holds_up_nobody() {
    let registry = Registry::new();
    let door = Door::open(registry.mutual(&["catalog"])).await;
    let mut strangers = Vec::new();
    for n in 0..50 {
        let mut stranger = TcpStream::connect(door.address).await.unwrap();
        if n % 2 == 0 {
            stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        }
        strangers.push(stranger);
    }
    let tls = registry.mutual(&["gateway"]);
    assert_eq!(door.called("gateway", &tls).await, Ok("gateway".to_owned()));
    drop(strangers);
}

#[tokio::test]
async fn s46_certificates_that_were_replaced_count_from_the_next_connection_on() {
    let (log, _listening) = Log::listen();
    let mut registry = Registry::new();
    let door = Door::open(registry.mutual(&["catalog"])).await;
    let before = registry.mutual(&["gateway"]);
    assert_eq!(door.called("gateway", &before).await, Ok("gateway".to_owned()));

    // everything anew, also the authority
    registry.authority = Authority::new("of tomorrow", good()).unwrap();
    registry.write("ca.pem", registry.authority.certificate());
    registry.files("catalog", &["catalog"], good());
    let after = registry.mutual(&["gateway"]);
    assert_eq!(door.called("gateway", &after).await, Ok("gateway".to_owned()));
    // the caller took its new ones up, too
    assert_eq!(door.called("gateway", &before).await, Ok("gateway".to_owned()));

    // what is no good is told once, and what was good stays
    registry.write("catalog.key", "not a key");
    for _ in 0..3 {
        assert_eq!(door.called("gateway", &after).await, Ok("gateway".to_owned()));
    }
    assert_eq!(log.lines_with(&["new certificates refused"]), 1);
}

#[test]
fn a_file_that_is_no_good_is_refused_by_name() {
    let (registry, elsewhere) = (Registry::new(), Registry::new());
    let fine = registry.files("catalog", &["catalog"], good());
    assert!(Tls::read(fine.clone()).is_ok());
    registry.write("empty", "");
    registry.write("broken", "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n");
    let secret = std::fs::read_to_string(&fine.key).unwrap();
    registry.write("torn", secret.split_at(secret.len() / 2).0);
    let other = registry.files("other", &["catalog"], good());
    let late = registry.files("late", &["catalog"], over());
    let early =
        registry.files("early", &["catalog"], Validity { from: now() + 600, until: now() + 900 });
    let foreign = elsewhere.files("catalog", &["catalog"], good());
    let path = |name: &str| registry.path(name);
    let with = |change: &dyn Fn(&mut TlsFiles)| {
        let mut files = fine.clone();
        change(&mut files);
        let Err(error) = Tls::read(files) else { panic!("refused") };
        let sentence = error.to_string();
        let torn = secret.lines().nth(1).unwrap();
        assert!(!sentence.contains(torn), "some of the key is told: {sentence}");
        sentence
    };
    type Case<'a> = (&'a dyn Fn(&mut TlsFiles), &'a str, &'a str);
    let cases: [Case<'_>; 15] = [
        (&|f| f.ca = path("nowhere"), "ca: ", "nowhere"),
        (&|f| f.ca = path("empty"), "ca: ", "holds no certificate"),
        (&|f| f.ca = path("broken"), "ca: ", "broken"),
        (&|f| f.certificate = path("nowhere"), "certificate: ", "nowhere"),
        (&|f| f.certificate = path("empty"), "certificate: ", "holds no certificate"),
        (&|f| f.certificate = path("broken"), "certificate: ", "broken"),
        (&|f| f.certificate.clone_from(&f.key), "certificate: ", "holds no certificate"),
        (&|f| f.certificate.clone_from(&late.certificate), "certificate: ", "has expired"),
        (&|f| f.certificate.clone_from(&early.certificate), "certificate: ", "is not valid yet"),
        (&|f| f.certificate.clone_from(&foreign.certificate), "certificate: ", "was not issued by"),
        (&|f| f.certificate.clone_from(&other.certificate), "key: ", "does not belong"),
        (&|f| f.key = path("nowhere"), "key: ", "nowhere"),
        (&|f| f.key = path("empty"), "key: ", "holds no private key"),
        (&|f| f.key = path("torn"), "key: ", "holds no private key"),
        (&|f| f.services = vec!["catalog".into(), "orders".into()], "certificate: ", "orders"),
    ];
    for (change, begins, holds) in cases {
        let sentence = with(change);
        assert!(sentence.starts_with(begins) && sentence.contains(holds), "{sentence}");
    }
}

#[test]
fn an_authority_that_was_kept_goes_on() {
    let registry = Registry::new();
    let (certificate, key) =
        (registry.authority.certificate().to_owned(), registry.authority.key());
    let kept = Authority::from_pem(&certificate, &key).unwrap();
    assert_eq!(kept.certificate(), certificate);
    let issued = kept.issue(&["orders".to_owned()], good()).unwrap();
    let files = registry.files("orders", &["catalog"], good());
    registry.write("orders.pem", &issued.certificate);
    registry.write("orders.key", &issued.key);
    assert!(Tls::read(TlsFiles { services: vec!["orders".into()], ..files }).is_ok());
    assert!(Authority::from_pem("nothing", &key).is_err());
    assert!(Authority::from_pem(&certificate, "nothing").is_err());
}
