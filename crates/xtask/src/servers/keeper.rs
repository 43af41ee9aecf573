//! The process that owns the servers: it starts them, tells how to reach them, waits for the end
//! of its standard input and stops them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::place::Place;
use super::{Report, localstripe, packages, postgres, rabbitmq, redis};
use crate::process::Process;

/// The processes of one server in the order of their start, each with the signal that ends it.
pub(crate) struct Running {
    pub(crate) processes: Vec<(Process, Signal)>,
    pub(crate) env: Env,
}

/// `keep-servers`
pub(crate) fn run() -> Result<()> {
    let binaries = packages::provide()?;
    let place = Arc::new(Place::prepare()?);

    let (here, bin) = (Arc::clone(&place), binaries.postgres_bin.clone());
    let postgres = Guard::new(move || postgres::start(&here, &bin));
    let (here, program) = (Arc::clone(&place), binaries.redis_server.clone());
    let redis = Guard::new(move || Ok((redis::start(&here, &program)?, ())));
    let here = Arc::clone(&place);
    let rabbitmq = Guard::new(move || Ok((rabbitmq::start(&here, &binaries)?, ())));

    let here = Arc::clone(&place);
    let stripe = Guard::new(move || Ok((localstripe::start(&here)?, ())));

    // A failure drops the guards, which stop whatever did start.
    let (mut env, reached) = postgres.ready()?;
    env.extend(rabbitmq.ready()?.0);
    env.extend(redis.ready()?.0);
    match stripe.ready() {
        Ok((reached, ())) => env.extend(reached),
        // the tests that need it fail and say so; all others can do without
        Err(error) => say(&format!("no localstripe: {error:#}")),
    }
    if let Some(user) = place.user() {
        env.push(("SOUK_TEST_SERVER_USER".to_owned(), user.name.clone()));
    }
    let report = Report { dir: place.dir().to_owned(), postgres: reached, env };
    let told = writeln!(io::stdout(), "{}", serde_json::to_string(&report)?);
    if told.and_then(|()| io::stdout().flush()).is_ok() {
        // Nobody writes to us. The end of the input means that whoever needed us has ended.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
    }
    say("stopping the servers");
    drop((stripe, rabbitmq, postgres, redis));
    Ok(())
}

/// Names and values of environment variables.
type Env = Vec<(String, String)>;

/// A thread that starts one server, watches it and stops it.
///
/// It is one thread from start to stop because the system kills a server with the very *thread*
/// that started it, not with the process.
struct Guard<T> {
    ready: Receiver<Result<(Env, T)>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Guard<T> {
    fn new(start: impl Fn() -> Result<(Running, T)> + Send + 'static) -> Self {
        let (tell, ready) = mpsc::channel();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || match persistently(start) {
            Ok((mut running, value)) => {
                let _ = tell.send(Ok((std::mem::take(&mut running.env), value)));
                running.watch(&stopped);
                running.stop();
            }
            Err(error) => {
                let _ = tell.send(Err(error));
            }
        });
        Self { ready, stop: Some(stop), thread: Some(thread) }
    }

    fn ready(&self) -> Result<(Env, T)> {
        self.ready.recv().context("the guard of a server is gone")?
    }
}

impl<T> Drop for Guard<T> {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Running {
    /// Until told to stop; a server that ends by itself is reported, once.
    fn watch(&mut self, stopped: &Receiver<()>) {
        let mut reported = false;
        while stopped.recv_timeout(Duration::from_millis(500)) == Err(RecvTimeoutError::Timeout) {
            for (process, _) in &mut self.processes {
                if let Some(status) = process.ended().filter(|_| !reported) {
                    let (name, log) = (process.name(), process.last_lines());
                    say(&format!("{name} ended by itself ({status})\n{log}"));
                    reported = true;
                }
            }
        }
    }

    fn stop(&mut self) {
        for (process, signal) in self.processes.iter_mut().rev() {
            process.stop(*signal, Duration::from_secs(10));
        }
    }
}

/// Another program may take a port between our look and the server's start: three tries.
fn persistently<T>(start: impl Fn() -> Result<T>) -> Result<T> {
    for _ in 0..2 {
        match start() {
            Ok(started) => return Ok(started),
            Err(error) => say(&format!("once more, because {error:#}")),
        }
    }
    start()
}

/// To the terminal, if it is still there: unlike `eprintln!` this survives a closed one.
fn say(words: &str) {
    let _ = writeln!(io::stderr(), "xtask: {words}");
}
