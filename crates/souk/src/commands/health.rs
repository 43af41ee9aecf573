//! `souk health`: what a container's health check runs.
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::say;
use crate::Place;

#[derive(Args)]
pub(crate) struct HealthArgs {
    /// Where the shop, or its operator port, answers [default: from the settings].
    #[arg(long, value_name = "HOST:PORT")]
    address: Option<String>,
}

pub(crate) async fn run(place: &Place, args: HealthArgs) -> anyhow::Result<ExitCode> {
    let address = match args.address {
        Some(address) => address,
        None => {
            let loaded = place.sources(Vec::new()).load()?;
            let gateway: souk_gateway::Config = loaded.section("gateway")?;
            gateway.listen.to_string()
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(5), ask(&address))
        .await
        .with_context(|| format!("{address} did not answer within 5 s"))?
        .with_context(|| format!("nothing answers at {address}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let ready = head.split_whitespace().nth(1) == Some("200");
    say(body);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
