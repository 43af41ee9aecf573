//! From files to what the two ends of a connection need.
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use webpki::{EndEntityCert, KeyUsage};

use super::{TlsError, TlsFiles};

const CA: &str = "ca";
const CERTIFICATE: &str = "certificate";
const KEY: &str = "key";
const HTTP2: &[u8] = b"h2";

pub(super) struct Material {
    pub(super) stamp: Stamp,
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

/// By what a replaced file is known: inode, change time and size of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<(u64, i64, i64, u64)>; 3]);

impl Stamp {
    pub(super) fn of(files: &TlsFiles) -> Self {
        Self([&files.ca, &files.certificate, &files.key].map(|path| {
            let data = fs::metadata(path).ok()?;
            Some((data.ino(), data.mtime(), data.mtime_nsec(), data.len()))
        }))
    }
}

impl Material {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        // before the reading: what is replaced meanwhile is read again
        let stamp = Stamp::of(files);
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(roots(&files.ca)?);
        let chain = certificates(CERTIFICATE, &files.certificate)?;
        let key = key(&files.key)?;
        check(&chain, &roots, &provider, files)?;
        // key and certificate are compared by both
        let server = server(files, &provider, roots.clone(), chain.clone(), key.clone_key())?;
        let client = client(files, provider, roots, chain, key)?;
        Ok(Self { stamp, client: Arc::new(client), server: Arc::new(server) })
    }
}

/// What nobody expects of files that were checked.
fn odd(error: impl std::fmt::Display) -> TlsError {
    TlsError::new(CERTIFICATE, format!("cannot be used: {error}"))
}

/// Of the key; the library knows one other fault only.
fn unfit(error: rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::new(KEY, "does not belong to the certificate")
        }
        error => TlsError::new(KEY, format!("cannot be used: {error}")),
    }
}

fn server(
    files: &TlsFiles,
    provider: &Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(odd)?;
    let builder = if files.mutual {
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
        builder.with_client_cert_verifier(verifier.build().map_err(odd)?)
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    // a resumed session would not look at the caller's certificate again
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    files: &TlsFiles,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(odd)?
        .with_root_certificates(roots);
    let mut config = if files.mutual {
        builder.with_client_auth_cert(chain, key).map_err(unfit)?
    } else {
        builder.with_no_client_auth()
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Whether our own certificate would be believed by our neighbors.
fn check(
    chain: &[CertificateDer<'static>],
    roots: &RootCertStore,
    provider: &CryptoProvider,
    files: &TlsFiles,
) -> Result<(), TlsError> {
    let refused = |sentence: String| TlsError::new(CERTIFICATE, sentence);
    let path = files.certificate.display();
    let Some((own, between)) = chain.split_first() else {
        return Err(refused(format!("{path} holds no certificate")));
    };
    let parsed = EndEntityCert::try_from(own)
        .map_err(|error| refused(format!("{path} is not a certificate: {error}")))?;
    let mut usages = vec![KeyUsage::server_auth()];
    if files.mutual {
        usages.push(KeyUsage::client_auth());
    }
    for usage in usages {
        let algorithms = provider.signature_verification_algorithms.all;
        let now = UnixTime::now();
        parsed
            .verify_for_usage(algorithms, &roots.roots, between, now, usage, None, None)
            .map_err(|error| refused(format!("{path} {}", untrusted(&error, files))))?;
    }
    let names = names_of(own);
    match files.services.iter().find(|service| !names.contains(service)) {
        Some(service) => Err(refused(format!(
            "{path} does not name {service}: every service of this process must be a DNS name in it"
        ))),
        None => Ok(()),
    }
}

fn untrusted(error: &webpki::Error, files: &TlsFiles) -> String {
    match error {
        webpki::Error::CertExpired { .. } => "has expired".to_owned(),
        webpki::Error::CertNotValidYet { .. } => "is not valid yet".to_owned(),
        error => format!("was not issued by {} for services: {error}", files.ca.display()),
    }
}

/// The DNS names in a certificate, as they stand there.
pub(super) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    EndEntityCert::try_from(certificate)
        .map(|parsed| parsed.valid_dns_names().map(str::to_owned).collect())
        .unwrap_or_default()
}

fn read(file: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path)
        .map_err(|error| TlsError::new(file, format!("cannot read {}: {error}", path.display())))
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, path)? {
        roots.add(certificate).map_err(|error| {
            TlsError::new(CA, format!("{} holds no authority: {error}", path.display()))
        })?;
    }
    Ok(roots)
}

fn certificates(file: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::new(file, format!("{} holds no certificate in PEM", path.display()))),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // the library's own words could repeat some of the key
    PrivateKeyDer::from_pem_slice(&read(KEY, path)?)
        .map_err(|_| TlsError::new(KEY, format!("{} holds no private key in PEM", path.display())))
}
