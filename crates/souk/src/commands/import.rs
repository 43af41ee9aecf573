//! `souk import`: sends the file, follows the job, tells what became of the rows.
use std::collections::HashMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use souk_proto::catalog::v1::import_products_request::Part;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::catalog::v1::{ImportOptions, ImportProductsRequest};
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{GetJobRequest, Job, JobResult, ListJobResultsRequest};
use souk_proto::types::v1::PageRequest;
use souk_rpc::Transport;
use tokio::io::AsyncReadExt;

use super::{refused, say};
use crate::Place;
use crate::connect::Connection;

/// Uploads over slow disks may take their time.
const UPLOAD_TIME: Duration = Duration::from_secs(3600);

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// CSV file.
    file: PathBuf,
    /// Which column fills which field: sku=StockCode,name=Description,price=UnitPrice. Fields: sku,
    /// name, price, currency, old_price, stock, brand, category, tags, kind, condition, active,
    /// description, images, slug, handle, attributes.NAME. Without it the header decides.
    #[arg(long, value_delimiter = ',', value_parser = pair, value_name = "FIELD=COLUMN")]
    map: Vec<(String, String)>,
    /// Currency of prices that say none (ISO 4217) [default: the shop's].
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    currency: String,
    /// Change nothing, only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Show at most so many rows that made no product.
    #[arg(long, default_value_t = 20, value_name = "N")]
    show: usize,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (field, column) = text.split_once('=').ok_or("must be FIELD=COLUMN")?;
    Ok((field.trim().to_owned(), column.trim().to_owned()))
}

pub(crate) async fn run(place: &Place, args: ImportArgs) -> anyhow::Result<ExitCode> {
    let file = tokio::fs::File::open(&args.file)
        .await
        .with_context(|| format!("cannot read {}", args.file.display()))?;
    let connection = Connection::open(place).await?;
    let outcome = import(connection.transport("catalog")?, file, args).await;
    connection.close().await;
    outcome
}

async fn import(
    catalog: Transport,
    file: tokio::fs::File,
    args: ImportArgs,
) -> anyhow::Result<ExitCode> {
    let name = args.file.file_name().map(|n| n.to_string_lossy().into_owned());
    let options = ImportOptions {
        mapping: args.map.iter().cloned().collect::<HashMap<_, _>>(),
        currency: args.currency.clone(),
        dry_run: args.dry_run,
        file_name: name.unwrap_or_default(),
        idempotency_key: String::new(),
    };
    let mut request = tonic::Request::new(parts(options, file));
    request.set_timeout(UPLOAD_TIME);
    let mut client = TransferServiceClient::new(catalog.clone());
    let started = client.import_products(request).await.map_err(refused)?.into_inner();
    let mut operations = OperationsServiceClient::new(catalog);
    let job = follow(&mut operations, &started.job_id).await?;
    tell(&mut operations, &job, &args).await?;
    Ok(if job.status == "succeeded" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parts(
    options: ImportOptions,
    file: tokio::fs::File,
) -> impl futures::Stream<Item = ImportProductsRequest> {
    let part = |part| ImportProductsRequest { part: Some(part) };
    let first = futures::stream::once(async move { part(Part::Options(options)) });
    let chunks = futures::stream::unfold(file, move |mut file| async move {
        let mut chunk = vec![0; 256 * 1024];
        let read = file.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        chunk.truncate(read);
        Some((part(Part::Chunk(chunk)), file))
    });
    first.chain(chunks)
}

/// Shows the progress until the job ends.
async fn follow(
    operations: &mut OperationsServiceClient<Transport>,
    id: &str,
) -> anyhow::Result<Job> {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    let known = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {msg} {eta}")?;
    loop {
        let request = GetJobRequest { id: id.to_owned() };
        let job = operations.get_job(request).await.map_err(refused)?.into_inner();
        if job.total > 0 && bar.length() != Some(job.total) {
            bar.set_style(known.clone());
            bar.set_length(job.total);
        }
        bar.set_position(job.done);
        bar.set_message(job.message.clone());
        if ["succeeded", "failed", "cancelled"].contains(&job.status.as_str()) {
            bar.finish_and_clear();
            return Ok(job);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn tell(
    operations: &mut OperationsServiceClient<Transport>,
    job: &Job,
    args: &ImportArgs,
) -> anyhow::Result<()> {
    let count = |name: &str| job.counts.get(name).copied().unwrap_or_default();
    let would = if args.dry_run { "would be " } else { "" };
    let outcomes = ["created", "updated", "unchanged", "skipped", "rejected", "failed"];
    let figures: Vec<String> = outcomes.iter().map(|o| format!("{} {o}", count(o))).collect();
    say(format!("{}: {would}{}", job.status, figures.join(", ")));
    if job.status != "succeeded" {
        say(&job.message);
    }
    let left_out = count("skipped") + count("rejected") + count("failed");
    let shown = problems(operations, &job.id, args.show).await?;
    for row in &shown {
        say(format!("  line {}: {} {}: {}", row.position, row.outcome, row.key, row.detail));
    }
    if (shown.len() as u64) < left_out {
        say(format!("  … and {} more (--show N)", left_out - shown.len() as u64));
    }
    Ok(())
}

/// The first rows that made no product.
async fn problems(
    operations: &mut OperationsServiceClient<Transport>,
    id: &str,
    most: usize,
) -> anyhow::Result<Vec<JobResult>> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = Some(PageRequest { limit: 100, cursor });
        let request = ListJobResultsRequest { id: id.to_owned(), page };
        let part = operations.list_job_results(request).await.map_err(refused)?.into_inner();
        let bad = |row: &JobResult| !["created", "updated"].contains(&row.outcome.as_str());
        found.extend(part.items.into_iter().filter(bad));
        cursor = part.next_cursor;
        if cursor.is_empty() || found.len() >= most {
            found.truncate(most);
            return Ok(found);
        }
    }
}
