//! `souk certs`, and processes that know one another by what it made.
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use souk_rpc::{Tls, TlsFiles};
use souk_testkit::{Backend, Process, ProcessPlan, Storehouse, eventually, free_address};

use crate::{SOON, finish, notices, plan};

const SERVICES: [&str; 6] = ["accounts", "catalog", "analytics", "orders", "notifier", "gateway"];

async fn program() -> ProcessPlan {
    let store = Arc::new(Storehouse::new(Backend::Default).await);
    Process::plan(env!("CARGO_BIN_EXE_souk"), &store)
}

fn contents(dir: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(dir).expect("the folder is there").map(|entry| {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a file"))
    });
    files.collect()
}

fn read(dir: &Path, process: &str, services: &[&str]) -> Result<Tls, souk_rpc::TlsError> {
    Tls::read(TlsFiles {
        mutual: true,
        ca: dir.join("ca.pem"),
        certificate: dir.join(format!("{process}.pem")),
        key: dir.join(format!("{process}.key")),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_made_once_and_renewed_when_asked() {
    let plan = program().await;
    let dir = plan.store().dir().join("certs");
    let said = plan.run(&["certs"], "").await.well();
    let first = contents(&dir);
    assert_eq!(first.len(), 14, "{:?}", first.keys());
    assert_eq!(said.lines().count(), 14, "{said}");
    for name in first.keys() {
        assert!(said.contains(&format!("certs/{name}")), "{name} is not told: {said}");
        let mode = std::fs::metadata(dir.join(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(!said.contains("PRIVATE"), "a key is printed");
    let mode = std::fs::metadata(&dir).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for service in SERVICES {
        assert!(read(&dir, service, &[service]).is_ok(), "{service}");
    }
    assert!(read(&dir, "orders", &["gateway"]).is_err(), "orders is the gateway");

    // a second time nothing is touched
    for words in [&["certs"][..], &["certs", "orders"], &["certs", "new,orders"]] {
        let again = plan.run(words, "").await;
        assert!(!again.status.success() && again.stderr.starts_with("souk: "), "{again:?}");
    }
    assert_eq!(contents(&dir), first);

    // one more process, by the authority that is there
    plan.run(&["certs", "orders,notifier", "--name", "shop-1.internal"], "").await.well();
    assert!(read(&dir, "orders-notifier", &["orders", "notifier", "shop-1.internal"]).is_ok());
    plan.run(&["certs", "--renew", "--days", "1"], "").await.well();
    let second = contents(&dir);
    for (name, text) in &first {
        assert_eq!(name.starts_with("ca."), second.get(name) == Some(text), "{name}");
    }
    for service in SERVICES {
        assert!(read(&dir, service, &[service]).is_ok(), "{service}");
    }

    // what would make everybody the gateway, or makes no sense
    for words in [
        &["certs", "--renew", "--name", "gateway"][..],
        &["certs", "--renew", "--name", "Gateway."],
        &["certs", "--renew", "--name", "a b"],
        &["certs", "--renew", "--days", "0"],
        &["certs", "--renew", "pigeon"],
        &["certs", "--renew", "orders", "orders"],
    ] {
        assert!(!plan.run(words, "").await.status.success(), "{words:?}");
    }
    // another authority's key makes nothing, and nothing is lost
    plan.run(&["certs", "--dir", "others"], "").await.well();
    let other = plan.store().dir().join("others").join("ca.key");
    std::fs::copy(other, dir.join("ca.key")).expect("a copy");
    let mixed = plan.run(&["certs", "--renew"], "").await;
    assert!(!mixed.status.success(), "{mixed:?}");
    std::fs::remove_file(dir.join("ca.key")).expect("a file less");
    let without = plan.run(&["certs", "--renew"], "").await;
    assert!(without.stderr.contains("ca.key is not there"), "{without:?}");
    let left = contents(&dir);
    for (name, text) in second.iter().filter(|(name, _)| *name != "ca.key") {
        assert_eq!(left.get(name), Some(text), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_the_operator_work_beside_mutual_tls() {
    let plan = program().await;
    plan.run(&["certs", "accounts"], "").await.well();
    let dir: PathBuf = plan.store().dir().join("certs");
    let file = |name: &str| dir.join(name).display().to_string();
    let plan = plan
        .set("grpc.listen", free_address())
        .set("grpc.tls.mode", "mutual")
        .set("grpc.tls.ca", file("ca.pem"))
        .set("grpc.tls.certificate", file("accounts.pem"))
        .set("grpc.tls.key", file("accounts.key"))
        .arguments(&["serve", "--only", "accounts"]);
    let mut process = plan.start();
    let health = ["health", "--service", "accounts"];
    eventually("accounts is healthy", SOON, || async {
        let asked = plan.run(&health, "").await;
        if asked.status.success() { Ok(()) } else { Err(format!("{asked:?}\n{}", plan.log())) }
    })
    .await;
    // who shows no certificate, or speaks plain text, learns nothing
    for mode in ["tls", "off"] {
        let asked = plan.clone().set("grpc.tls.mode", mode).run(&health, "").await;
        assert!(!asked.status.success(), "{mode}: {asked:?}");
    }
    let create = ["admin", "create", "--email", "eve@cli.test", "--username", "eve"];
    let made = plan.run(&create, "a long enough pass phrase\n").await.well();
    assert!(made.contains("eve is an admin"), "{made}");
    let (status, _) = process.terminate(Duration::from_secs(30)).await;
    assert!(status.success(), "{status}\n{}", process.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_for_each_service_works_over_mutual_tls() {
    let program = program().await;
    program.run(&["certs"], "").await.well();
    let dir = program.store().dir().join("certs");
    let file = |name: &str| dir.join(name).display().to_string();
    let shop = plan(Backend::Servers)
        .with_ses()
        .split()
        .set("grpc.tls.mode", "mutual")
        .set("grpc.tls.ca", file("ca.pem"))
        .set("grpc.tls.certificate", file("{service}.pem"))
        .set("grpc.tls.key", file("{service}.key"))
        .open()
        .await;
    notices::tell_every_admin(&shop).await;
    finish(shop).await;
}
