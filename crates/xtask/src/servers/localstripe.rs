//! A private localstripe: a look-alike of Stripe from PyPI, for the tests of the client.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::keeper::Running;
use super::place::Place;
use super::ports;
use crate::process::{self, Process};
use crate::workspace;

/// The one that the tests were written against.
const VERSION: &str = "1.15.10";
/// Its own way to start shares a file in the temporary folder between all that run.
const START: &str = "
import sys
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host='127.0.0.1', port=int(sys.argv[1]), print=None)
";

pub(crate) fn start(place: &Place) -> Result<Running> {
    let python = provide().with_context(|| {
        format!("tests of the Stripe client need `pip install localstripe=={VERSION}` to work")
    })?;
    let [port] = ports::free()?;
    let mut server = process::tied(&python, "KILL", &[]);
    server.args(["-c", START, &port.to_string()]).current_dir(place.dir());
    let mut process = Process::start("localstripe", server, place.dir().join("localstripe.log"))?;
    let answers = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    process.wait_until(Duration::from_secs(30), answers)?;
    let env = vec![("SOUK_TEST_STRIPE_URL".to_owned(), format!("http://127.0.0.1:{port}"))];
    Ok(Running { processes: vec![(process, Signal::TERM)], env })
}

/// The Python that has it, in an environment of its own below the build folder.
fn provide() -> Result<PathBuf> {
    let home = workspace::target().join("python");
    fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
    // two of us at once would install over each other
    let queue = File::create(home.join("lock"))?;
    queue.lock()?;
    let dir = home.join(format!("localstripe-{VERSION}"));
    let (python, ready) = (dir.join("bin/python"), dir.join("ready"));
    if ready.exists() && python.exists() {
        return Ok(python);
    }
    let python3 = workspace::on_path("python3").context("Python 3 is not installed")?;
    let package = format!("localstripe=={VERSION}");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"];
    quietly(Command::new(python3).args(["-m", "venv", "--clear"]).arg(&dir))?;
    quietly(Command::new(&python).args(pip).arg(package))?;
    File::create(ready)?;
    Ok(python)
}

/// Our standard output is for the report, so its chatter joins the errors.
fn quietly(command: &mut Command) -> Result<()> {
    process::run(command.stdin(Stdio::null()).stdout(std::io::stderr()))
}
