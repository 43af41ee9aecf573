//! Networks that may not come in: accounts decides, this process remembers. While accounts is away
//! the last list holds.
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use souk_proto::accounts::v1::block_service_client::BlockServiceClient;
use souk_proto::accounts::v1::{ListNetworkBlocksRequest, NetworkBlock};
use souk_rpc::{Failure, Kind, Transport};
use souk_values::Clock;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::http::network::Network;
use crate::http::problem::Problem;

/// How often the list is read when nobody says that it changed.
const EVERY: Duration = Duration::from_secs(30);
/// How soon again when accounts did not answer.
const SOON: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

/// The end of a block that has none.
const FOREVER: i64 = i64::MAX;

/// Who is shut out now.
pub(crate) struct Blocks {
    clock: Clock,
    list: RwLock<Arc<List>>,
    stale: Notify,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct List {
    four: Spans,
    six: Spans,
}

/// Disjoint, in order.
type Spans = Vec<Span>;

/// Addresses that are shut out as long as each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    first: u128,
    last: u128,
    until_us: i64,
}

impl Blocks {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, list: RwLock::default(), stale: Notify::new() }
    }

    /// What a client is told who may not come in; `None`: they may.
    pub(crate) fn blocked(&self, address: IpAddr) -> Option<Problem> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner).clone();
        let until_us = list.until(address)?;
        (until_us > self.clock.now_us()).then(|| problem(until_us))
    }

    /// The list changed, or may have: it is read again at once.
    pub(crate) fn changed(&self) {
        self.stale.notify_one();
    }

    /// Keeps the list as accounts has it.
    pub(crate) async fn keep(
        &self,
        mut accounts: BlockServiceClient<Transport>,
        stop: CancellationToken,
    ) {
        loop {
            let asked = accounts.list_network_blocks(ListNetworkBlocksRequest {});
            let answer = tokio::select! {
                () = stop.cancelled() => return,
                answer = timeout(PATIENCE, asked) => answer,
            };
            let wait = match answer {
                Ok(Ok(list)) => {
                    self.take(&list.into_inner().items);
                    EVERY
                }
                Ok(Err(status)) => {
                    tracing::debug!(error = status.message(), "list of blocks not read");
                    SOON
                }
                Err(_) => {
                    tracing::debug!("list of blocks not read in time");
                    SOON
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.stale.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    fn take(&self, blocks: &[NetworkBlock]) {
        let list = Arc::new(List::new(blocks));
        *self.list.write().unwrap_or_else(PoisonError::into_inner) = list;
    }
}

/// 403, whatever was asked for.
fn problem(until_us: i64) -> Problem {
    let refused =
        Failure::new(Kind::Forbidden, "address_blocked", "nobody may come in from this address");
    match DateTime::<Utc>::from_timestamp_micros(until_us).filter(|_| until_us != FOREVER) {
        Some(until) => {
            refused.with("until", until.to_rfc3339_opts(SecondsFormat::Secs, true)).into()
        }
        None => refused.into(),
    }
}

impl List {
    fn new(blocks: &[NetworkBlock]) -> Self {
        let (mut four, mut six) = (Vec::new(), Vec::new());
        for block in blocks {
            let Ok(network) = block.network.parse::<Network>() else {
                tracing::warn!(network = block.network, "a blocked network cannot be read");
                continue;
            };
            let until_us = if block.until_us == 0 { FOREVER } else { block.until_us };
            let (first, last) = network.bounds();
            let span = Span { first: number(first), last: number(last), until_us };
            if first.is_ipv4() { four.push(span) } else { six.push(span) }
        }
        Self { four: disjoint(four), six: disjoint(six) }
    }

    fn until(&self, address: IpAddr) -> Option<i64> {
        let address = address.to_canonical();
        let spans = if address.is_ipv4() { &self.four } else { &self.six };
        let number = number(address);
        let before = spans.partition_point(|span| span.first <= number);
        let span = spans.get(before.checked_sub(1)?)?;
        (number <= span.last).then_some(span.until_us)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_bits().into(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// Networks lie within one another or apart; an address is shut out as long as the longest block
/// around it says.
fn disjoint(mut networks: Vec<Span>) -> Spans {
    networks.sort_by_key(|span| (span.first, std::cmp::Reverse(span.last)));
    let mut spans = Spans::new();
    let mut around: Vec<Span> = Vec::new();
    // what lies before it is told
    let mut told = 0;
    for network in networks {
        end_before(network.first, &mut told, &mut around, &mut spans);
        let mut until_us = network.until_us;
        if let Some(outer) = around.last() {
            if let Some(last) = network.first.checked_sub(1).filter(|last| told <= *last) {
                spans.push(Span { first: told, last, ..*outer });
            }
            until_us = until_us.max(outer.until_us);
        }
        told = network.first;
        around.push(Span { until_us, ..network });
    }
    while let Some(rest) = around.pop() {
        end(rest, &mut told, &mut spans);
    }
    spans
}

/// Tells of those that end before this address.
fn end_before(address: u128, told: &mut u128, around: &mut Vec<Span>, spans: &mut Spans) {
    while let Some(inner) = around.pop_if(|span| span.last < address) {
        end(inner, told, spans);
    }
}

fn end(span: Span, told: &mut u128, spans: &mut Spans) {
    if *told <= span.last {
        spans.push(Span { first: *told, ..span });
        *told = span.last.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_800_000_000_000_000;

    fn blocks(list: &[(&str, i64)]) -> Blocks {
        let blocks = Blocks::new(Clock::fixed(DateTime::from_timestamp_micros(NOW_US).unwrap()));
        let item = |(network, until_us): &(&str, i64)| NetworkBlock {
            network: (*network).to_owned(),
            until_us: if *until_us == 0 { 0 } else { NOW_US + until_us },
        };
        blocks.take(&list.iter().map(item).collect::<Vec<_>>());
        blocks
    }

    fn is_blocked(blocks: &Blocks, address: &str) -> bool {
        blocks.blocked(address.parse().unwrap()).is_some()
    }

    #[test]
    fn nobody_is_shut_out_by_an_empty_list() {
        assert!(!is_blocked(&blocks(&[]), "203.0.113.9"));
        assert!(!is_blocked(&Blocks::new(Clock::system()), "::1"));
    }

    #[test]
    fn whoever_is_within_is_shut_out_and_nobody_beside() {
        let blocks = blocks(&[
            ("203.0.113.0/24", 0),
            ("198.51.100.7/32", 0),
            ("2001:db8::/32", 0),
            ("255.255.255.255/32", 0),
            ("0.0.0.0/32", 0),
            ("rubbish", 0),
        ]);
        for address in [
            "203.0.113.0",
            "203.0.113.255",
            "::ffff:203.0.113.9",
            "198.51.100.7",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "255.255.255.255",
            "0.0.0.0",
        ] {
            assert!(is_blocked(&blocks, address), "{address}");
        }
        for address in [
            "203.0.112.255",
            "203.0.114.0",
            "198.51.100.6",
            "198.51.100.8",
            "2001:db9::",
            "2001:db7:ffff::",
            "0.0.0.1",
            "255.255.255.254",
            "::",
            "::1",
        ] {
            assert!(!is_blocked(&blocks, address), "{address}");
        }
    }

    #[test]
    fn a_block_ends_by_itself_though_nobody_said_so() {
        let blocks = blocks(&[("203.0.113.0/24", 1_000_000)]);
        assert!(is_blocked(&blocks, "203.0.113.9"));
        assert_eq!(blocks.blocked("203.0.113.9".parse().unwrap()).unwrap().status(), 403);
        blocks.clock.advance(chrono::Duration::seconds(1));
        assert!(!is_blocked(&blocks, "203.0.113.9"));
    }

    #[test]
    fn of_blocks_around_one_another_the_longest_holds() {
        let list = [
            ("10.0.0.0/8", 20),
            ("10.1.0.0/16", 50),
            ("10.1.1.0/24", 10),
            ("10.1.1.1/32", 90),
            ("10.1.2.0/24", 70),
            ("10.255.255.255/32", 40),
            ("11.0.0.0/8", 30),
            ("10.1.0.0/16", 45),
            ("2001:db8::/32", 20),
            ("2001:db8:1::/48", 0),
        ];
        // a slow and plain look at every network, for every address of interest
        let plain = |address: IpAddr| {
            let holds = list
                .iter()
                .filter(|(network, _)| network.parse::<Network>().unwrap().contains(address));
            holds.map(|(_, until)| if *until == 0 { FOREVER } else { NOW_US + until }).max()
        };
        for turned in [false, true] {
            let mut list = list.to_vec();
            if turned {
                list.reverse();
            }
            let kept = blocks(&list).list.into_inner().unwrap();
            for spans in [&kept.four, &kept.six] {
                assert!(spans.windows(2).all(|two| two[0].last < two[1].first), "{spans:?}");
            }
            for address in [
                "9.255.255.255",
                "10.0.0.0",
                "10.0.255.255",
                "10.1.0.0",
                "10.1.0.255",
                "10.1.1.0",
                "10.1.1.1",
                "10.1.1.2",
                "10.1.1.255",
                "10.1.2.0",
                "10.1.2.255",
                "10.1.3.0",
                "10.1.255.255",
                "10.2.0.0",
                "10.255.255.254",
                "10.255.255.255",
                "11.0.0.0",
                "11.255.255.255",
                "12.0.0.0",
                "2001:db8::1",
                "2001:db8:1::1",
                "2001:db8:2::",
                "2001:db9::",
            ] {
                let address: IpAddr = address.parse().unwrap();
                assert_eq!(kept.until(address), plain(address), "{address}");
            }
        }
    }
}
