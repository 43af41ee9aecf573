//! `souk health`: what a container's health check runs.
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use souk_auth::ServiceTokens;
use souk_rpc::{Identity, Transport};
use souk_service::Settings;
use souk_values::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::say;
use crate::Place;

#[derive(Args)]
pub(crate) struct HealthArgs {
    /// Where the shop, or its operator port, answers [default: from the settings].
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
    /// Ask for this service by gRPC, as a process without the gateway answers; with the
    /// certificates of the settings [default address: grpc.listen].
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
}

const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(place: &Place, args: HealthArgs) -> anyhow::Result<ExitCode> {
    if let Some(service) = args.service {
        let loaded = place.sources(Vec::new()).load()?;
        return ask_service(&loaded.settings, &service, args.address).await;
    }
    let address = match args.address {
        Some(address) => address,
        None => {
            let loaded = place.sources(Vec::new()).load()?;
            let gateway: souk_gateway::Config = loaded.section("gateway")?;
            gateway.listen.to_string()
        }
    };
    let answer = tokio::time::timeout(PATIENCE, ask(&address))
        .await
        .with_context(|| format!("{address} did not answer within 5 s"))?
        .with_context(|| format!("nothing answers at {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let ready = head.split_whitespace().nth(1) == Some("200");
    say(body);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Like another process of ours would: what answers here can be called.
async fn ask_service(
    settings: &Settings,
    service: &str,
    address: Option<String>,
) -> anyhow::Result<ExitCode> {
    let address = match (address, settings.grpc.listen) {
        (Some(address), _) => address,
        // 0.0.0.0 is everywhere, also here
        (None, Some(at)) if at.ip().is_unspecified() => format!("localhost:{}", at.port()),
        (None, Some(at)) => at.to_string(),
        (None, None) => anyhow::bail!("grpc.listen is not set: give --address"),
    };
    // health answers anybody; the token is not looked at
    let tokens = Arc::new(ServiceTokens::new(b"health", Clock::system()));
    let from = Identity { name: "health".into(), tokens };
    let way = match souk_service::tls(settings, &[])? {
        Some(tls) => Transport::secured(service, &format!("https://{address}"), from, &tls),
        None => Transport::remote(service, &format!("http://{address}"), from),
    };
    let mut client = HealthClient::new(way.with_context(|| format!("{address} is no address"))?);
    let answer = tokio::time::timeout(PATIENCE, client.check(HealthCheckRequest::default()))
        .await
        .with_context(|| format!("{address} did not answer within 5 s"))?
        .map_err(super::refused)
        .with_context(|| format!("{service} does not answer at {address}"))?;
    let serving = answer.into_inner().status == ServingStatus::Serving as i32;
    say(if serving { "serving" } else { "not serving" });
    Ok(if serving { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
