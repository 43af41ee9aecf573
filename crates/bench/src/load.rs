//! The load: connections that ask for one thing after another, each as soon as its answer is there.
//!
//! Two threads with a reactor each, as lean as the servers deserve; they share the cores with them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::dice::Dice;
use crate::http::Head;

/// Something to ask for: the request ready to send, and the length of the body to be answered.
pub(crate) struct Target {
    request: Vec<u8>,
    length: usize,
}

impl Target {
    pub(crate) fn new(path: &str, length: usize) -> Self {
        Self::with(path, length, "")
    }

    /// With these headers, each with its end of line.
    pub(crate) fn with(path: &str, length: usize, headers: &str) -> Self {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n").into_bytes();
        Self { request, length }
    }
}

/// How much load, for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) time: Duration,
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Nanoseconds of each answer, sorted.
    latencies: Vec<u32>,
}

impl Outcome {
    pub(crate) fn answers(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// Milliseconds that this part of the answers took at most.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.latencies.get(at).map_or(0.0, |nanoseconds| f64::from(*nanoseconds) / 1e6)
    }
}

/// Asks for random targets until the time is up. An answer that is not a 200 of the right length
/// is an error: there is no speed of wrong answers.
pub(crate) fn run(
    address: SocketAddr,
    targets: &Arc<[Target]>,
    load: Load,
    seed: u64,
) -> Result<Outcome> {
    let until = Instant::now() + load.time;
    let threads = (0..load.threads).map(|number| {
        let targets = Arc::clone(targets);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let numbers = (number..load.connections).step_by(load.threads);
                // Tasks of one thread: they are spawned to be woken by themselves.
                let asking = numbers.map(|number| {
                    let dice = Dice::new(seed + number as u64);
                    tokio::spawn(ask(address, Arc::clone(&targets), dice, until))
                });
                let mut sum = Outcome::default();
                for asked in asking.collect::<Vec<_>>() {
                    sum.latencies.extend(asked.await??.latencies);
                }
                Ok::<Outcome, anyhow::Error>(sum)
            })
        })
    });
    let mut sum = Outcome::default();
    for thread in threads.collect::<Vec<_>>() {
        let some = thread.join().map_err(|_| anyhow!("a thread of the load panicked"))??;
        sum.latencies.extend(some.latencies);
    }
    sum.latencies.sort_unstable();
    Ok(sum)
}

async fn ask(
    address: SocketAddr,
    targets: Arc<[Target]>,
    mut dice: Dice,
    until: Instant,
) -> Result<Outcome> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut outcome = Outcome::default();
    let mut sent = Instant::now();
    while sent < until {
        let target = dice.pick(&targets);
        stream.write_all(&target.request).await?;
        read(&mut stream, &mut buffer, target.length).await?;
        let answered = Instant::now();
        let nanoseconds = (answered - sent).as_nanos();
        outcome.latencies.push(u32::try_from(nanoseconds).unwrap_or(u32::MAX));
        sent = answered;
    }
    Ok(outcome)
}

/// Reads one whole answer.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Result<()> {
    let mut filled = 0;
    let mut head = None;
    loop {
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        match stream.read(&mut buffer[filled..]).await? {
            0 => bail!("the connection was closed under the load"),
            some => filled += some,
        }
        if head.is_none() {
            head = Head::read(&buffer[..filled])?;
        }
        let Some(Head { status, size, length: told }) = &head else { continue };
        if *status != 200 || *told != length {
            bail!("an answer was {status} with {told} bytes instead of 200 with {length}");
        }
        if filled >= size + told {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bare;

    fn served(body: &'static [u8]) -> SocketAddr {
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("runtime").block_on(async {
                let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
                tell.send(socket.local_addr().expect("address")).expect("listener");
                let body = bytes::Bytes::from_static(body);
                axum::serve(socket, bare::router(body.clone(), body)).await
            })
        });
        told.recv().expect("address")
    }

    fn short() -> Load {
        Load { connections: 4, threads: 2, time: Duration::from_millis(100) }
    }

    #[test]
    fn every_answer_is_counted_and_timed() {
        let targets: Arc<[Target]> =
            [Target::new("/api/products/a", 2), Target::new("/api/products", 2)].into();
        let outcome = run(served(b"{}"), &targets, short(), 1).expect("outcome");
        assert!(outcome.answers() > 4);
        assert!(outcome.percentile(0.5) > 0.0);
        assert!(outcome.percentile(0.5) <= outcome.percentile(0.99));
    }

    #[test]
    fn a_wrong_answer_ends_the_load() {
        for (path, length) in [("/missing", 0), ("/api/products/a", 3)] {
            let targets: Arc<[Target]> = [Target::new(path, length)].into();
            assert!(run(served(b"{}"), &targets, short(), 1).is_err(), "{path}");
        }
    }
}
