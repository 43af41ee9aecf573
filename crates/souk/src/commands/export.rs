//! `souk export`.
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use souk_proto::catalog::v1::ExportProductsRequest;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_rpc::Transport;

use super::refused;
use crate::Place;
use crate::connect::Connection;

#[derive(Args)]
pub(crate) struct ExportArgs {
    /// Where the CSV goes; "-" or nothing: standard output.
    file: Option<PathBuf>,
    /// Leave hidden products out.
    #[arg(long)]
    active_only: bool,
}

pub(crate) async fn run(place: &Place, args: ExportArgs) -> anyhow::Result<ExitCode> {
    let connection = Connection::open(place).await?;
    let outcome = export(connection.transport("catalog")?, &args).await;
    connection.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn export(catalog: Transport, args: &ExportArgs) -> anyhow::Result<()> {
    let request = ExportProductsRequest { include_hidden: !args.active_only };
    let mut client = TransferServiceClient::new(catalog);
    let mut parts = client.export_products(request).await.map_err(refused)?.into_inner();
    // a command has nothing else to do while it writes
    let mut out: Box<dyn Write + Send> = match &args.file {
        Some(file) if file.as_os_str() != "-" => {
            let made = std::fs::File::create(file);
            Box::new(made.with_context(|| format!("cannot write {}", file.display()))?)
        }
        _ => Box::new(std::io::stdout()),
    };
    while let Some(part) = parts.message().await.map_err(refused)? {
        out.write_all(&part.content)?;
    }
    Ok(out.flush()?)
}
