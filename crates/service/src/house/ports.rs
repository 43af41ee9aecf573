//! The ports of a process: HTTP listeners of its services, gRPC for other processes, the operator's
//! socket.
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use souk_rpc::{ServerListener, Tls, serve};
use tokio::net::TcpListener;

use super::build::Prepared;
use super::{Built, Phases, Tasks};
use crate::Settings;

/// For calls in flight when the process stops.
const DRAIN: Duration = Duration::from_secs(4);

/// Binds all, then serves all: an occupied port ends the start before anything answers.
pub(super) async fn open(
    settings: &Settings,
    built: &BTreeMap<&'static str, Built>,
    prepared: &mut [Prepared],
    operator_socket: Option<PathBuf>,
    tls: Option<Tls>,
    phases: &Phases,
    tasks: &Tasks,
) -> anyhow::Result<BTreeMap<&'static str, SocketAddr>> {
    let mut addresses = BTreeMap::new();
    let mut bound = Vec::new();
    for service in prepared {
        for listener in std::mem::take(&mut service.parts.listeners) {
            let socket = bind(listener.name, listener.address).await?;
            addresses.insert(listener.name, socket.local_addr()?);
            bound.push((listener.serve, socket));
        }
    }
    let guarded: HashMap<&'static str, souk_rpc::Guarded> =
        built.iter().map(|(name, b)| (*name, b.guarded.clone())).collect();
    if let Some(address) = settings.grpc.listen {
        let socket = bind("grpc", address).await?;
        addresses.insert("grpc", socket.local_addr()?);
        let listener = match tls {
            Some(tls) => ServerListener::Tls(socket, tls),
            None => {
                if !address.ip().is_loopback() {
                    let why = "grpc.tls.mode is off";
                    tracing::warn!(%address, why, "calls between processes are not encrypted");
                }
                ServerListener::Tcp(socket)
            }
        };
        tasks.work.spawn(serve(listener, guarded.clone(), phases.work.clone(), DRAIN));
    }
    if let Some(path) = operator_socket {
        let listener = ServerListener::unix(&path)
            .await
            .with_context(|| format!("cannot open {}", path.display()))?;
        tasks.work.spawn(serve(listener, guarded, phases.work.clone(), DRAIN));
    }
    for (answer, socket) in bound {
        tasks.doors.spawn(answer(socket, phases.doors.clone()));
    }
    Ok(addresses)
}

async fn bind(name: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} ({name}); is something else there?"))
}
