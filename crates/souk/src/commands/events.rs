//! `souk events`: what is on its way, and what was given up.
use std::process::ExitCode;

use chrono::DateTime;
use clap::{Args, Subcommand};
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{
    DeadLetter, DropDeadLetterRequest, EventRow, GetDeadLetterRequest, ListDeadLettersRequest,
    ListEventsRequest, ReplayDeadLetterRequest,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Kind, Transport};

use super::{refused, say};
use crate::Place;
use crate::connect::Connection;

#[derive(Subcommand)]
pub(crate) enum EventsCommand {
    /// The newest events of the services, or the dead letters (--dead).
    List(ListArgs),
    /// One event, or dead letter (dlt_…), in full.
    Show { id: String },
    /// Hand a dead letter to its consumer again.
    Replay { id: String },
    /// Give a dead letter up for good.
    Drop { id: String },
}

#[derive(Args)]
pub(crate) struct ListArgs {
    /// Only this service.
    #[arg(long)]
    service: Option<String>,
    /// Dead letters instead.
    #[arg(long)]
    dead: bool,
    /// 1 to 100 for each service.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

/// Services with events and dead letters.
pub(crate) const KEEPERS: [&str; 5] = ["accounts", "catalog", "orders", "analytics", "notifier"];
type Client = OperationsServiceClient<Transport>;

pub(crate) async fn run(place: &Place, command: EventsCommand) -> anyhow::Result<ExitCode> {
    let connection = Connection::open(place).await?;
    let outcome = act(&connection, command).await;
    connection.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn act(connection: &Connection, command: EventsCommand) -> anyhow::Result<()> {
    match command {
        EventsCommand::List(args) => list(connection, args).await,
        EventsCommand::Show { id } if id.starts_with("dlt_") => {
            let ask =
                async |mut c: Client, id| c.get_dead_letter(GetDeadLetterRequest { id }).await;
            show_dead(&first(connection, &id, ask).await?);
            Ok(())
        }
        EventsCommand::Show { id } => {
            let ask = async |mut c: Client, event_id| {
                c.list_events(ListEventsRequest { page: None, event_id }).await
            };
            first(connection, &id, ask).await?.items.iter().for_each(show_event);
            Ok(())
        }
        EventsCommand::Replay { id } => {
            let ask = async |mut c: Client, id| {
                c.replay_dead_letter(ReplayDeadLetterRequest { id }).await
            };
            let letter = first(connection, &id, ask).await?;
            say(format!("{} goes to {} again", letter.id, letter.queue));
            Ok(())
        }
        EventsCommand::Drop { id } => {
            let ask =
                async |mut c: Client, id| c.drop_dead_letter(DropDeadLetterRequest { id }).await;
            say(format!("{} is dropped", first(connection, &id, ask).await?.id));
            Ok(())
        }
    }
}

/// The answer of the first service that knows the id.
async fn first<T>(
    connection: &Connection,
    id: &str,
    ask: impl AsyncFn(Client, String) -> Result<tonic::Response<T>, tonic::Status>,
) -> anyhow::Result<T> {
    for service in KEEPERS {
        let client = OperationsServiceClient::new(connection.transport(service)?);
        match ask(client, id.to_owned()).await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) if Kind::from_code(status.code()) == Kind::NotFound => {}
            Err(status) => return Err(refused(status)),
        }
    }
    anyhow::bail!("no service knows {id}")
}

async fn list(connection: &Connection, args: ListArgs) -> anyhow::Result<()> {
    for service in KEEPERS {
        if args.service.as_deref().is_some_and(|only| only != service) {
            continue;
        }
        let mut client = OperationsServiceClient::new(connection.transport(service)?);
        let page = Some(PageRequest { limit: args.limit, cursor: String::new() });
        if args.dead {
            let request = ListDeadLettersRequest { page, status: String::new() };
            let found = client.list_dead_letters(request).await.map_err(refused)?.into_inner();
            for d in found.items {
                say(format!(
                    "{}  {}  {}  {}  {} tries: {}",
                    time(d.parked_at_us),
                    d.id,
                    d.queue,
                    d.event_type,
                    d.attempts,
                    d.reason
                ));
            }
        } else {
            let request = ListEventsRequest { page, event_id: String::new() };
            let found = client.list_events(request).await.map_err(refused)?.into_inner();
            for e in found.items {
                say(format!(
                    "{}  {}  {:7}  {}  {}",
                    time(e.created_at_us),
                    e.event_id,
                    e.status,
                    e.event_type,
                    e.subject
                ));
            }
        }
    }
    Ok(())
}

fn show_event(e: &EventRow) {
    say(format!("{}  {}  {}", e.event_id, e.event_type, e.subject));
    say(format!("{}, made {}, {} failed tries", e.status, time(e.created_at_us), e.attempts));
    if !e.last_error.is_empty() {
        say(format!("last error: {}", e.last_error));
    }
    headers(&e.headers);
    say(&e.payload);
}

fn show_dead(d: &DeadLetter) {
    say(format!("{}  {}  {}", d.id, d.queue, d.status));
    say(format!("event {}  {}  {}", d.event_id, d.event_type, d.subject));
    say(format!("parked {} after {} tries: {}", time(d.parked_at_us), d.attempts, d.reason));
    headers(&d.headers);
    say(&d.payload);
}

fn headers(headers: &std::collections::HashMap<String, String>) {
    let mut lines: Vec<String> = headers.iter().map(|(k, v)| format!("  {k}: {v}")).collect();
    lines.sort();
    lines.iter().for_each(say);
}

fn time(us: i64) -> String {
    let at = DateTime::from_timestamp_micros(us).unwrap_or_default();
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}
