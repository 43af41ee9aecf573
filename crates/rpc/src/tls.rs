//! TLS between processes: what a certificate names is who it is, on both sides of a call.
//!
//! A certificate names services as DNS names: `catalog`. Who calls catalog takes only a server
//! whose certificate says `catalog`, wherever it answers. With [`TlsFiles::mutual`] the server
//! takes only callers with a certificate, and of them only service tokens of services that it
//! names.
mod authority;
mod connector;
mod material;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use authority::{Authority, AuthorityError, Issued, Validity};
pub(crate) use connector::Connector;
use material::{Material, Stamp};

/// For the handshake of a caller; who takes longer is cut off.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The services that a caller's certificate names.
pub(crate) type Names = Arc<[String]>;

/// Where the certificates of a process are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Whether callers must show a certificate, too.
    pub mutual: bool,
    /// Certificates of the authorities that are believed, PEM.
    pub ca: PathBuf,
    /// The process's own certificate, then those between it and the authority, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The services of this process: the certificate must name them all.
    pub services: Vec<String>,
}

/// What is wrong with a file: `ca`, `certificate` or `key`, and a sentence without secrets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{file}: {sentence}")]
pub struct TlsError {
    file: &'static str,
    sentence: String,
}

impl TlsError {
    fn new(file: &'static str, sentence: impl Into<String>) -> Self {
        Self { file, sentence: sentence.into() }
    }
}

/// The certificates in use; cheap to clone. Files that were replaced count from the next connection
/// on; while they are unusable the ones before stay.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    files: TlsFiles,
    current: Mutex<Current>,
}

struct Current {
    material: Material,
    /// The files as they were when they were refused.
    refused: Option<Stamp>,
}

impl Tls {
    /// Reads and checks everything: form, that key and certificate belong together, that the
    /// authority issued it, its time, the services that it names.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let current = Mutex::new(Current { material: Material::read(&files)?, refused: None });
        Ok(Self { shared: Arc::new(Shared { files, current }) })
    }

    pub(crate) fn is_mutual(&self) -> bool {
        self.shared.files.mutual
    }

    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        self.fresh(|material| material.client.clone())
    }

    /// Shakes hands with a caller; with mutual TLS, answers whom its certificate names.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, Option<Names>)> {
        let config: Arc<ServerConfig> = self.fresh(|material| material.server.clone());
        let handshake = TlsAcceptor::from(config).accept(stream);
        let stream = tokio::time::timeout(HANDSHAKE, handshake)
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no handshake within 5 s"))??;
        let names = self.is_mutual().then(|| {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            shown.map(material::names_of).unwrap_or_default().into()
        });
        Ok((stream, names))
    }

    /// Looks whether the files were replaced: connections are rare, three looks at files are cheap.
    fn fresh<T>(&self, pick: fn(&Material) -> T) -> T {
        let mut current = self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Stamp::of(&self.shared.files);
        if stamp != current.material.stamp && current.refused.as_ref() != Some(&stamp) {
            match Material::read(&self.shared.files) {
                Ok(material) => {
                    tracing::info!("new certificates are in use");
                    *current = Current { material, refused: None };
                }
                Err(error) => {
                    tracing::error!(%error, "new certificates refused; the ones before stay");
                    current.refused = Some(stamp);
                }
            }
        }
        pick(&current.material)
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tls").field(&self.shared.files).finish()
    }
}
