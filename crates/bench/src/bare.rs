//! The bare handler: axum with nothing around it, answering bytes that it was given.
//!
//! What Souk could reach at best on this machine. It looks nothing up: every id gets one answer.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
    /// The body of `/api/products/{key}`
    #[arg(long)]
    product: PathBuf,
    /// The body of `/api/products`
    #[arg(long)]
    list: PathBuf,
}

/// Serves until it is killed.
pub(crate) fn serve(options: &Options) -> Result<()> {
    let router = router(read(&options.product)?, read(&options.list)?);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let socket = tokio::net::TcpListener::bind(options.listen).await?;
        Ok(axum::serve(socket, router).await?)
    })
}

pub(crate) fn router(product: Bytes, list: Bytes) -> Router {
    Router::new().route("/api/products/{key}", fixed(product)).route("/api/products", fixed(list))
}

fn fixed(body: Bytes) -> MethodRouter {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    get(|| async move { ([(header::CONTENT_TYPE, JSON)], body) })
}

fn read(path: &Path) -> Result<Bytes> {
    Ok(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.into())
}
