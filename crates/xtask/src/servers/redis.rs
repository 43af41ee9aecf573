//! A private Redis that keeps nothing on disk.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use super::keeper::Running;
use super::place::Place;
use super::ports;
use crate::process::Process;

pub(crate) fn start(place: &Place, program: &Path) -> Result<Running> {
    let [port] = ports::free()?;
    let dir = place.folder("redis")?;
    let mut server = place.command(program);
    server.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"]);
    server.args(["--save", "", "--appendonly", "no", "--dir"]).arg(&dir);
    let mut process = Process::start("Redis", server, dir.join("log"))?;
    process.wait_until(Duration::from_secs(30), || answers(port).unwrap_or(false))?;
    let env = vec![
        ("SOUK_TEST_REDIS_URL".to_owned(), format!("redis://127.0.0.1:{port}")),
        ("SOUK_TEST_REDIS_SERVER".to_owned(), program.display().to_string()),
    ];
    Ok(Running { processes: vec![(process, Signal::TERM)], env })
}

fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG")
}
