//! `souk audit`: whether nobody has touched what is kept of who did what, and what that is.
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand};
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{
    AuditEntry, ListAuditRequest, VerifyAuditRequest, VerifyAuditResponse,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{CallContext, scope};

use super::events::KEEPERS;
use super::{refused, say};
use crate::Place;
use crate::connect::Connection;

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Read every chain again; exit code 0 when each row is what it was.
    Verify(VerifyArgs),
    /// The newest entries of all services.
    List(ListArgs),
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// JSON, one object: keep `last_hash` of each service elsewhere.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// How many, 1 to 100.
    #[arg(long, default_value_t = 24, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// By this user's id, service, "operator" or "anonymous".
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// Whole, or a beginning with a dot: "login.".
    #[arg(long, value_name = "WHAT")]
    action: Option<String>,
    /// Such as "product/prd_…".
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// done, refused or failed.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
}

/// A long chain takes its time.
const PATIENCE: Duration = Duration::from_secs(600);
/// What was left unsealed by a process that died is sealed soon after the start.
const SETTLE: Duration = Duration::from_secs(5);

pub(crate) async fn run(place: &Place, command: AuditCommand) -> anyhow::Result<ExitCode> {
    let connection = Connection::open(place).await?;
    let deadline = Some(Instant::now() + PATIENCE);
    let context = CallContext { deadline, ..CallContext::default() };
    let outcome = match command {
        AuditCommand::Verify(args) => scope(context, verify(&connection, &args)).await,
        AuditCommand::List(args) => scope(context, list(&connection, args)).await,
    };
    connection.close().await;
    outcome
}

async fn verify(connection: &Connection, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let mut verdicts = Vec::with_capacity(KEEPERS.len());
    for service in KEEPERS {
        verdicts.push((service, of_service(connection, service).await?));
    }
    let sound = verdicts.iter().all(|(_, found)| found.broken == 0 && found.unsealed == 0);
    if args.json {
        let all: serde_json::Map<String, serde_json::Value> =
            verdicts.iter().map(|(service, found)| ((*service).to_owned(), json(found))).collect();
        say(serde_json::Value::Object(all));
    } else {
        for (service, found) in &verdicts {
            tell(service, found);
        }
        say(if sound { "every chain holds" } else { "the audit is broken" });
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn of_service(
    connection: &Connection,
    service: &'static str,
) -> anyhow::Result<VerifyAuditResponse> {
    let mut client = OperationsServiceClient::new(connection.transport(service)?);
    let until = Instant::now() + SETTLE;
    loop {
        let found = client.verify_audit(VerifyAuditRequest {}).await.map_err(refused)?;
        let found = found.into_inner();
        if found.unsealed == 0 || Instant::now() >= until {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn tell(service: &str, found: &VerifyAuditResponse) {
    let verdict = if found.broken == 0 { "holds" } else { "BROKEN" };
    let (rows, first, last) = (found.rows, found.first_seq, found.last_seq);
    say(match rows {
        0 => format!("{service:<9} {verdict:<6} no rows"),
        _ => {
            format!("{service:<9} {verdict:<6} {rows} rows, {first} to {last}, {}", found.last_hash)
        }
    });
    if found.unsealed > 0 {
        say(format!("    {} rows have waited for more than ten seconds", found.unsealed));
    }
    for breach in &found.breaches {
        say(format!("    {}: {}", breach.subject, breach.detail));
    }
    let named = found.breaches.len() as u64;
    if found.broken > named {
        say(format!("    and {} more", found.broken - named));
    }
}

fn json(found: &VerifyAuditResponse) -> serde_json::Value {
    let breaches: Vec<serde_json::Value> = found
        .breaches
        .iter()
        .map(|b| serde_json::json!({ "subject": b.subject, "detail": b.detail }))
        .collect();
    serde_json::json!({
        "rows": found.rows,
        "first_seq": found.first_seq,
        "last_seq": found.last_seq,
        "last_hash": found.last_hash,
        "unsealed": found.unsealed,
        "broken": found.broken,
        "breaches": breaches,
    })
}

async fn list(connection: &Connection, args: ListArgs) -> anyhow::Result<ExitCode> {
    let request = ListAuditRequest {
        page: Some(PageRequest { limit: args.limit, cursor: String::new() }),
        actor: args.actor.unwrap_or_default(),
        action: args.action.unwrap_or_default(),
        target: args.target.unwrap_or_default(),
        outcome: args.outcome.unwrap_or_default(),
        ..ListAuditRequest::default()
    };
    let mut items = Vec::new();
    for service in KEEPERS {
        let mut client = OperationsServiceClient::new(connection.transport(service)?);
        let answer = client.list_audit(request.clone()).await.map_err(refused)?;
        items.extend(answer.into_inner().items);
    }
    items.sort_unstable_by(|a, b| b.id.cmp(&a.id));
    for entry in items.iter().take(args.limit as usize) {
        say(line(entry));
    }
    Ok(ExitCode::SUCCESS)
}

fn line(entry: &AuditEntry) -> String {
    let at = DateTime::from_timestamp_micros(entry.at_us).unwrap_or_default();
    let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let AuditEntry { service, actor, action, target, outcome, reason, address, .. } = entry;
    let changes: Vec<String> = entry
        .changes
        .iter()
        .map(|change| format!("{}: {:?} → {:?}", change.field, change.before, change.after))
        .collect();
    let words = [at.as_str(), service, outcome, action, target, "by", actor, address, reason];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let mut line = words.join(" ");
    if !changes.is_empty() {
        line = format!("{line}  {}", changes.join(", "));
    }
    line
}
