//! The way to a server whose certificate must name the service that is called.
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::Tls;

type Problem = Box<dyn std::error::Error + Send + Sync>;
type Stream = TokioIo<BufReader<TlsStream<TcpStream>>>;

/// Opens connections to one address.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    to: Arc<str>,
    address: Uri,
    tls: Tls,
}

impl Connector {
    /// `tcp` says how to reach `address`.
    pub(crate) fn new(mut tcp: HttpConnector, to: &str, address: Uri, tls: &Tls) -> Self {
        tcp.enforce_http(false);
        Self { tcp, to: to.into(), address, tls: tls.clone() }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Problem>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Problem>> {
        Service::<Uri>::poll_ready(&mut self.tcp, cx).map_err(Into::into)
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = Service::call(&mut self.tcp, self.address.clone());
        let (to, tls) = (self.to.clone(), self.tls.clone());
        Box::pin(async move {
            let name = ServerName::try_from(to.to_string())?;
            let stream = stream.await?.into_inner();
            let stream = TlsConnector::from(tls.client()).connect(name, stream).await?;
            let mut stream = BufReader::new(stream);
            // a server that refuses our certificate says so after the handshake: wait for its first
            // word, so that no call leaves before we are let in
            if tls.is_mutual() && stream.fill_buf().await?.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            Ok(TokioIo::new(stream))
        })
    }
}
