//! A private RabbitMQ with its own Erlang port mapper, so that it meets no other broker.
//!
//! Beware: `rabbitmq-server --version` does not print a version, it starts a broker.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use super::keeper::Running;
use super::packages::Binaries;
use super::place::Place;
use super::ports;
use crate::process::Process;

const SETTINGS: &str = "\
# A full disk is the machine's trouble, not the test's: the alarm would block publishers.
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
";

pub(crate) fn start(place: &Place, binaries: &Binaries) -> Result<Running> {
    let [port, distribution, mapper_port] = ports::free()?;
    let dir = place.folder("rabbitmq")?;
    place.file(&dir.join(".erlang.cookie"), &ports::word()?)?;
    place.file(&dir.join("rabbitmq.conf"), SETTINGS)?;
    place.file(&dir.join("enabled_plugins"), "[].\n")?;

    // A node starts a port mapper of its own accord, as a daemon that outlives it. Ours is there
    // first, in the foreground, and ends with us.
    let mut mapper = place.command(&binaries.epmd);
    mapper.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
    let mut mapper = Process::start("the Erlang port mapper", mapper, dir.join("epmd.log"))?;
    mapper.wait_until(Duration::from_secs(10), || connects(mapper_port))?;

    let mut server = place.command(&binaries.rabbitmq_server);
    server
        .env("HOME", &dir)
        .env("ERL_EPMD_PORT", mapper_port.to_string())
        .env("RABBITMQ_NODENAME", format!("souk-{port}@localhost"))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", port.to_string())
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("RABBITMQ_MNESIA_BASE", dir.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", dir.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", dir.join("advanced.config"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("enabled_plugins"))
        .env("RABBITMQ_GENERATED_CONFIG_DIR", dir.join("generated"))
        .env("RABBITMQ_SCHEMA_DIR", dir.join("schema"))
        .env("RABBITMQ_PID_FILE", dir.join("pid"))
        // The system's own settings (/etc/rabbitmq) do not apply to us.
        .env("RABBITMQ_CONF_ENV_FILE", dir.join("rabbitmq-env.conf"))
        // As under systemd the script becomes the broker instead of staying as its parent: our
        // signals, and the system's when our thread dies, reach the broker itself.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        // Loopback only, and idle schedulers sleep instead of spinning: the tests need the cores.
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
        );
    let mut process = Process::start("RabbitMQ", server, dir.join("server.log"))?;
    process.wait_until(Duration::from_secs(120), || answers(port).unwrap_or(false))?;

    let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
    let env = vec![
        ("SOUK_TEST_RABBITMQ_URL".to_owned(), url),
        ("SOUK_TEST_RABBITMQ_SERVER".to_owned(), binaries.rabbitmq_server.display().to_string()),
    ];
    Ok(Running { processes: vec![(mapper, Signal::TERM), (process, Signal::TERM)], env })
}

fn connects(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A broker that speaks answers the protocol header with `Connection.Start`: a method frame (1)
/// on channel 0.
fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut answer = [0; 3];
    stream.read_exact(&mut answer)?;
    Ok(answer == [1, 0, 0])
}
