//! Services in two processes that know one another by certificates, and settings that are no good
//! for it.
use std::path::{Path, PathBuf};

use souk_rpc::{Authority, Validity};
use souk_values::Clock;

use crate::tenants::{Stage, desk, door, get};

const KNOWN: &str = "known to both of the houses and to nobody else";

fn good() -> Validity {
    let now = Clock::system().now().timestamp().unsigned_abs();
    Validity { from: now - 60, until: now + 3600 }
}

/// A folder with `ca.pem` and a certificate for each of the two services.
struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let made = Self { dir: tempfile::tempdir().unwrap() };
        let authority = Authority::new("of the tests", good()).unwrap();
        let write = |name: &str, text: &str| std::fs::write(made.path(name), text).unwrap();
        write("ca.pem", authority.certificate());
        for service in ["accounts", "gateway"] {
            let issued = authority.issue(&[service.to_owned()], good()).unwrap();
            write(&format!("{service}.pem"), &issued.certificate);
            write(&format!("{service}.key"), &issued.key);
        }
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The settings of a process.
    fn flags(&self, service: &str, mode: &str) -> Vec<(String, String)> {
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        [
            ("grpc.tls.mode", mode.to_owned()),
            ("grpc.tls.ca", quoted(&self.path("ca.pem"))),
            ("grpc.tls.certificate", quoted(&self.path(&format!("{service}.pem")))),
            ("grpc.tls.key", quoted(&self.path(&format!("{service}.key")))),
            ("secrets.service_token", KNOWN.to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }
}

fn borrowed(flags: &[(String, String)]) -> Vec<(&str, &str)> {
    flags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

fn with<'a>(flags: &'a [(String, String)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [borrowed(flags), more.to_vec()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_speak_over_tls_and_over_mutual_tls() {
    for mode in ["tls", "mutual"] {
        let certificates = Certificates::new();
        let (there, here) = (Stage::new(), Stage::new());
        let flags = certificates.flags("accounts", mode);
        let flags = with(&flags, &[("grpc.listen", "\"127.0.0.1:0\"")]);
        let accounts = there.start(&[desk()], &flags).await.unwrap();
        let url = format!("https://{}", accounts.address("grpc").unwrap());
        let flags = certificates.flags("gateway", mode);
        let flags = with(&flags, &[("services.accounts.url", url.as_str())]);
        let gateway = here.start(&[door()], &flags).await.unwrap();
        let answer = get(gateway.address("site").unwrap(), "/keys").await.unwrap();
        assert!(answer.ends_with("{\"keys\":[]}"), "{mode}: {answer}");
        assert!(gateway.stop().await && accounts.stop().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s43_a_process_with_the_secret_and_without_our_certificate_is_kept_out() {
    let (ours, theirs) = (Certificates::new(), Certificates::new());
    let (there, here) = (Stage::new(), Stage::new());
    let flags = ours.flags("accounts", "mutual");
    let flags = with(&flags, &[("grpc.listen", "\"127.0.0.1:0\"")]);
    let accounts = there.start(&[desk()], &flags).await.unwrap();
    let url = format!("https://{}", accounts.address("grpc").unwrap());
    let flags = theirs.flags("gateway", "mutual");
    let flags = with(&flags, &[("services.accounts.url", url.as_str())]);
    let gateway = here.start(&[door()], &flags).await.unwrap();
    let answer = get(gateway.address("site").unwrap(), "/keys").await.unwrap();
    assert!(answer.ends_with("service_unavailable"), "{answer}");
    assert!(gateway.stop().await && accounts.stop().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_good_ends_the_start_with_a_sentence_that_names_its_setting() {
    let certificates = Certificates::new();
    let stage = Stage::new();
    let flags = certificates.flags("gateway", "mutual");
    let broken = certificates.path("broken");
    std::fs::write(&broken, "-----BEGIN NOTHING-----\n").unwrap();
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let (nowhere, broken) = (quoted(Path::new("/nowhere.pem")), quoted(&broken));
    let other = quoted(&certificates.path("accounts.pem"));
    let url = ("services.accounts.url", "https://127.0.0.1:1");
    for (key, value, words) in [
        ("grpc.tls.ca", &nowhere, "grpc.tls.ca: cannot read /nowhere.pem"),
        ("grpc.tls.ca", &broken, "grpc.tls.ca: "),
        ("grpc.tls.certificate", &nowhere, "grpc.tls.certificate: cannot read /nowhere.pem"),
        ("grpc.tls.certificate", &broken, "grpc.tls.certificate: "),
        ("grpc.tls.certificate", &other, "does not name gateway"),
        ("grpc.tls.key", &nowhere, "grpc.tls.key: cannot read /nowhere.pem"),
        ("grpc.tls.key", &broken, "grpc.tls.key: "),
    ] {
        let all = with(&flags, &[url, (key, value.as_str())]);
        let sentence = format!("{:#}", stage.start(&[door()], &all).await.err().unwrap());
        assert!(sentence.contains(words), "{key}={value}: {sentence}");
    }
    assert!(!stage.data_dir().exists(), "something was made");
}

#[test]
fn settings_of_tls_that_make_no_sense_are_refused() {
    let certificates = Certificates::new();
    let stage = Stage::new();
    let flags = certificates.flags("gateway", "mutual");
    assert!(stage.load(&borrowed(&flags)).is_ok());
    for (key, value, words) in [
        ("grpc.tls.mode", "on", "grpc.tls.mode"),
        ("grpc.tls.ca", "\"\"", "grpc.tls.ca must be set"),
        ("grpc.tls.certificate", "\"\"", "grpc.tls.certificate must be set"),
        ("grpc.tls.key", "\"\"", "grpc.tls.key must be set"),
        ("grpc.tls.cert", "x", "cert"),
        ("services.accounts.url", "http://accounts:50051", "services.accounts.url must begin"),
    ] {
        let sentence = stage.load(&with(&flags, &[(key, value)])).unwrap_err().to_string();
        assert!(sentence.contains(words), "{key}={value}: {sentence}");
    }
    // without TLS of our own a proxy may speak it for a neighbor
    assert!(stage.load(&[("services.accounts.url", "https://accounts.internal")]).is_ok());
}
