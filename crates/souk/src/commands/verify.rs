//! `souk verify`: whether everything that must hold of the data holds.
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use souk_events::registry;
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{
    Check, CheckIntegrityRequest, FindUnseenEventsRequest, ListSentEventsRequest, SentEvent,
};
use souk_rpc::{CallContext, Transport, scope};

use super::events::KEEPERS;
use super::{refused, say};
use crate::Place;
use crate::connect::Connection;

#[derive(Args)]
pub(crate) struct VerifyArgs {
    /// How long events and orders on their way may take to arrive, in seconds.
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    settle: u64,
    /// Say only what is broken.
    #[arg(long)]
    quiet: bool,
}

type Client = OperationsServiceClient<Transport>;

/// Sent events of one question.
const PAGE: u32 = 5_000;
/// Looking at everything takes its time on a large installation.
const PATIENCE: Duration = Duration::from_secs(600);
const DELIVERED: (&str, &str) =
    ("I11", "every event sent is done by every consumer, or parked with a reason");

pub(crate) async fn run(place: &Place, args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let connection = Connection::open(place).await?;
    let deadline = Some(Instant::now() + PATIENCE);
    let context = CallContext { deadline, ..CallContext::default() };
    let outcome = scope(context, look(&connection, &args)).await;
    connection.close().await;
    let broken = outcome?;
    say(match broken {
        0 => "everything holds".to_owned(),
        n => format!("{n} things are broken"),
    });
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Looks until nothing is broken or time is up: what is on its way is not broken yet.
async fn look(connection: &Connection, args: &VerifyArgs) -> anyhow::Result<u64> {
    let until = Instant::now() + Duration::from_secs(args.settle);
    loop {
        let mut checks = Vec::new();
        for service in KEEPERS {
            let mut client = OperationsServiceClient::new(connection.transport(service)?);
            let answer = client.check_integrity(CheckIntegrityRequest {}).await.map_err(refused)?;
            checks.extend(answer.into_inner().checks.into_iter().map(|check| (service, check)));
            checks.push((service, delivered(connection, service, client).await?));
        }
        let broken = checks.iter().map(|(_, check)| check.broken).sum();
        if broken == 0 || Instant::now() >= until {
            checks.sort_by(|(_, a), (_, b)| a.invariant.cmp(&b.invariant));
            for (service, check) in &checks {
                tell(service, check, args.quiet);
            }
            return Ok(broken);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn tell(service: &str, check: &Check, quiet: bool) {
    if check.broken > 0 || !quiet {
        let verdict = if check.broken == 0 { "holds" } else { "BROKEN" };
        let (name, title, n) = (&check.invariant, &check.title, check.looked_at);
        say(format!("{name} {service:<9} {verdict:<6} {title} ({n} looked at)"));
    }
    for breach in &check.breaches {
        say(format!("    {}: {}", breach.subject, breach.detail));
    }
    let named = check.breaches.len() as u64;
    if check.broken > named {
        say(format!("    and {} more", check.broken - named));
    }
}

/// Asks every consumer of the service's events whether it has done them.
async fn delivered(
    connection: &Connection,
    service: &str,
    mut producer: Client,
) -> anyhow::Result<Check> {
    let (name, title) = DELIVERED;
    let mut check =
        Check { invariant: name.to_owned(), title: title.to_owned(), ..Check::default() };
    let mut after_seq = 0;
    loop {
        let request = ListSentEventsRequest { after_seq, limit: PAGE };
        let answer = producer.list_sent_events(request).await.map_err(refused)?;
        let sent = answer.into_inner().items;
        let Some(last) = sent.last() else { return Ok(check) };
        after_seq = last.seq;
        check.looked_at += sent.len() as u64;
        for queue in registry::QUEUES {
            let mine = |event: &&SentEvent| queue.takes(&event.event_type);
            let event_ids: Vec<String> =
                sent.iter().filter(mine).map(|event| event.event_id.clone()).collect();
            let owner = queue.name.split('.').next().unwrap_or_default();
            let (Some(owner), false) =
                (KEEPERS.into_iter().find(|k| *k == owner), event_ids.is_empty())
            else {
                continue;
            };
            let mut consumer = OperationsServiceClient::new(connection.transport(owner)?);
            let request = FindUnseenEventsRequest { queue: queue.name.to_owned(), event_ids };
            let unseen = consumer.find_unseen_events(request).await.map_err(refused)?;
            for id in unseen.into_inner().event_ids {
                check.broken += 1;
                if check.breaches.len() < 100 {
                    check.breaches.push(souk_proto::operations::v1::Breach {
                        subject: format!("event/{id}"),
                        detail: format!("sent by {service}, not done by {}", queue.name),
                    });
                }
            }
        }
    }
}
