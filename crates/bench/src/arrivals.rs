//! Requests that come at a pace of their own, whether earlier ones are answered or not, as people
//! do: a load that waits for its answers hides what happens above the limit.

use std::net::SocketAddr;
use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::dice::Dice;
use crate::http::Head;

/// Whole requests, ready to send.
pub(crate) type Requests = Arc<[Vec<u8>]>;

/// Nobody waits longer for an answer, however late it may come.
const AT_LAST: Duration = Duration::from_secs(60);

/// How many come, and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrivals {
    /// A second.
    pub(crate) rate: f64,
    pub(crate) time: Duration,
    /// Answers that take longer, counted from when the request was due, come too late.
    pub(crate) patience: Duration,
    pub(crate) threads: usize,
    /// At most; who finds none is lost.
    pub(crate) connections: usize,
}

/// What became of them.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) came: u64,
    /// Answered 200 within the patience.
    pub(crate) in_time: u64,
    /// Answered 200, too late.
    pub(crate) late: u64,
    /// Answered 429 or 503 with `Retry-After`.
    pub(crate) told: u64,
    /// Answered otherwise.
    pub(crate) failed: u64,
    /// Not answered, or without a connection to ask on.
    pub(crate) lost: u64,
    /// Of the answers that are 200s.
    latencies: Vec<Duration>,
}

enum Fate {
    Answered(Duration),
    Told,
    Failed,
    Lost,
}

impl Tally {
    fn note(&mut self, fate: &Fate, patience: Duration) {
        self.came += 1;
        match fate {
            Fate::Answered(took) => {
                self.latencies.push(*took);
                *(if *took <= patience { &mut self.in_time } else { &mut self.late }) += 1;
            }
            Fate::Told => self.told += 1,
            Fate::Failed => self.failed += 1,
            Fate::Lost => self.lost += 1,
        }
    }

    /// Milliseconds that 99 of 100 of the 200s took at most.
    pub(crate) fn p99(&mut self) -> f64 {
        self.latencies.sort_unstable();
        let at = self.latencies.len().saturating_sub(1) * 99 / 100;
        self.latencies.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.came += other.came;
        self.in_time += other.in_time;
        self.late += other.late;
        self.told += other.told;
        self.failed += other.failed;
        self.lost += other.lost;
        self.latencies.extend(other.latencies);
    }
}

/// Sends at the pace, and waits for what is answered behind it.
pub(crate) fn run(
    address: SocketAddr,
    requests: &Requests,
    arrivals: Arrivals,
    seed: u64,
) -> Result<Tally> {
    on_threads(arrivals.threads, |number| {
        let requests = Arc::clone(requests);
        let mut dice = Dice::new(seed + number as u64);
        async move {
            let lines = Arc::new(Lines::new(address, arrivals.connections / arrivals.threads));
            let gap = arrivals.threads as f64 / arrivals.rate;
            let start = Instant::now();
            let mut asked = JoinSet::new();
            for turn in 0_u32.. {
                let due = Duration::from_secs_f64(gap * (f64::from(turn) + dice.part()));
                if due >= arrivals.time {
                    break;
                }
                let due = start + due;
                if due > Instant::now() {
                    tokio::time::sleep_until(due.into()).await;
                } else {
                    // answers must be heard, too
                    tokio::task::yield_now().await;
                }
                let (lines, requests) = (Arc::clone(&lines), Arc::clone(&requests));
                let request = dice.below(requests.len());
                asked.spawn(async move { lines.ask(&requests[request], due).await });
            }
            let mut tally = Tally::default();
            while let Some(fate) = asked.join_next().await {
                tally.note(&fate?, arrivals.patience);
            }
            Ok(tally)
        }
    })
}

/// What can be answered: this many connections, each with the next request as soon as it has its
/// answer, which must be a 200. Answers a second.
pub(crate) fn peak(
    address: SocketAddr,
    requests: &Requests,
    connections: usize,
    threads: usize,
    time: Duration,
    seed: u64,
) -> Result<f64> {
    let until = Instant::now() + time;
    let tally = on_threads(threads, |number| {
        let requests = Arc::clone(requests);
        async move {
            let mut asking = JoinSet::new();
            for number in (number..connections).step_by(threads) {
                let (requests, mut dice) = (Arc::clone(&requests), Dice::new(seed + number as u64));
                asking.spawn(async move {
                    let mut line = Line::open(address).await?;
                    let mut tally = Tally::default();
                    while Instant::now() < until {
                        let request: &Vec<u8> = dice.pick(&requests);
                        match line.ask(request, Instant::now()).await? {
                            answered @ Fate::Answered(_) => tally.note(&answered, AT_LAST),
                            _ => bail!("a request was refused although few were on their way"),
                        }
                    }
                    Ok(tally)
                });
            }
            let mut sum = Tally::default();
            while let Some(some) = asking.join_next().await {
                sum += some??;
            }
            Ok(sum)
        }
    })?;
    Ok(tally.in_time as f64 / time.as_secs_f64())
}

/// The sum of what each thread, with a reactor of its own, comes to.
fn on_threads<F>(threads: usize, work: impl Fn(usize) -> F) -> Result<Tally>
where
    F: Future<Output = Result<Tally>> + Send + 'static,
{
    let started: Vec<_> = (0..threads)
        .map(|number| {
            let work = work(number);
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(work)
            })
        })
        .collect();
    let mut sum = Tally::default();
    for thread in started {
        sum += thread.join().map_err(|_| anyhow!("a thread of the load panicked"))??;
    }
    Ok(sum)
}

/// Connections that are open and not in use.
struct Lines {
    address: SocketAddr,
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Line>,
    open: usize,
}

impl Lines {
    fn new(address: SocketAddr, most: usize) -> Self {
        Self { address, most: most.max(1), state: Mutex::default() }
    }

    async fn ask(&self, request: &[u8], due: Instant) -> Fate {
        let idle = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let idle = state.idle.pop();
            if idle.is_none() {
                if state.open == self.most {
                    return Fate::Lost;
                }
                state.open += 1;
            }
            idle
        };
        let asked = async {
            let mut line = match idle {
                Some(line) => line,
                None => Line::open(self.address).await?,
            };
            let fate = line.ask(request, due).await?;
            anyhow::Ok((line, fate))
        };
        let answered = tokio::time::timeout(AT_LAST, asked).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match answered {
            Ok(Ok((line, fate))) => {
                state.idle.push(line);
                fate
            }
            Ok(Err(_)) | Err(_) => {
                state.open -= 1;
                Fate::Lost
            }
        }
    }
}

/// One connection.
struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Line {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 8 * 1024] })
    }

    async fn ask(&mut self, request: &[u8], due: Instant) -> Result<Fate> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head = loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            match self.stream.read(&mut self.buffer[filled..]).await? {
                0 => bail!("the connection was closed under the load"),
                some => filled += some,
            }
            let Some(head) = Head::read(&self.buffer[..filled])? else { continue };
            if filled >= head.size + head.length {
                break head;
            }
        };
        Ok(match head.status {
            200 => Fate::Answered(due.elapsed()),
            429 | 503 if says_when(&self.buffer[..head.size]) => Fate::Told,
            _ => Fate::Failed,
        })
    }
}

fn says_when(head: &[u8]) -> bool {
    const NAME: &[u8] = b"retry-after:";
    let mut lines = head.split(|byte| *byte == b'\n');
    lines.any(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Condvar;

    use super::*;

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const AGAIN: &str =
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
    const SILENT: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

    /// Answers each request on a connection with the next of these; then closes.
    fn served(answers: &'static [&'static str]) -> SocketAddr {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("an address");
        thread::spawn(move || {
            while let Ok((mut stream, _)) = socket.accept() {
                thread::spawn(move || {
                    for answer in answers {
                        let mut request = [0; 1024];
                        if !matches!(stream.read(&mut request), Ok(1..)) {
                            return;
                        }
                        let _ = stream.write_all(answer.as_bytes());
                    }
                });
            }
        });
        address
    }

    fn requests() -> Requests {
        Arc::from([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()])
    }

    /// A hundred requests.
    fn few(connections: usize) -> Arrivals {
        let (rate, time) = (1_000.0, Duration::from_millis(100));
        Arrivals { rate, time, patience: AT_LAST, threads: 1, connections }
    }

    #[test]
    fn every_request_has_one_fate() {
        let served = served(&[OK, AGAIN, SILENT]);
        let tally = run(served, &requests(), few(1_000), 1).expect("a tally");
        assert!((90..=110).contains(&tally.came), "{tally:?}");
        let known = tally.in_time + tally.late + tally.told + tally.failed + tally.lost;
        assert_eq!(known, tally.came, "{tally:?}");
        assert!(tally.in_time > 0 && tally.late == 0, "{tally:?}");
        assert_eq!(tally.latencies.len() as u64, tally.in_time);
    }

    #[test]
    fn a_refusal_counts_as_told_only_when_it_says_when() {
        let tally = run(served(&[AGAIN; 200]), &requests(), few(1), 1).expect("a tally");
        assert!(tally.told > 0 && tally.failed == 0, "{tally:?}");
        let tally = run(served(&[SILENT; 200]), &requests(), few(1), 1).expect("a tally");
        assert!(tally.failed > 0 && tally.told == 0, "{tally:?}");
    }

    #[test]
    fn requests_come_whether_or_not_there_are_answers() {
        const TOGETHER: usize = 50;
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("an address");
        let asking = Arc::new((Mutex::new(0), Condvar::new()));
        thread::spawn(move || {
            while let Ok((mut stream, _)) = socket.accept() {
                let asking = Arc::clone(&asking);
                // nobody is answered before so many have asked
                thread::spawn(move || {
                    let mut request = [0; 1024];
                    while matches!(stream.read(&mut request), Ok(1..)) {
                        let (count, more) = &*asking;
                        let mut count = count.lock().expect("nobody panics");
                        *count += 1;
                        more.notify_all();
                        drop(more.wait_while(count, |count| *count < TOGETHER));
                        let _ = stream.write_all(OK.as_bytes());
                    }
                });
            }
        });
        let tally = run(address, &requests(), few(1_000), 1).expect("a tally");
        assert!(tally.came >= 90 && tally.in_time == tally.came, "{tally:?}");
    }

    #[test]
    fn an_answer_after_the_patience_is_late() {
        let arrivals = Arrivals { patience: Duration::ZERO, ..few(100) };
        let tally = run(served(&[OK; 200]), &requests(), arrivals, 1).expect("a tally");
        assert!(tally.late > 0 && tally.in_time == 0, "{tally:?}");
    }

    #[test]
    fn a_peak_is_of_answers_only() {
        let time = Duration::from_millis(100);
        let found = peak(served(&[OK; 100_000]), &requests(), 4, 2, time, 1);
        assert!(found.expect("a peak") > 0.0);
        assert!(peak(served(&[AGAIN; 10]), &requests(), 4, 2, time, 1).is_err());
    }
}
