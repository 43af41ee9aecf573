//! A RabbitMQ of our own that may be killed.
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::server;
use crate::process::{Process, free_port, tied, until};

const SETTINGS: &str = "\
# A full disk is the machine's trouble, not the test's: the alarm would block publishers.
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
";

/// A broker and its port mapper.
pub(crate) struct Broker {
    dir: TempDir,
    port: u16,
    distribution: u16,
    mapper_port: u16,
    server: Option<Process>,
    _mapper: Process,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join(".erlang.cookie"), "ANERLANGCOOKIEOFTHEPROVINGHOUSE");
        write(&dir.path().join("rabbitmq.conf"), SETTINGS);
        write(&dir.path().join("enabled_plugins"), "[].\n");
        let mapper_port = free_port();
        // a node starts a port mapper of its own accord, as a daemon that outlives it, unless one
        // is there first
        let mut mapper = tied(&found("epmd"));
        mapper.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
        let mapper = Process::start("epmd", mapper, &dir.path().join("epmd.log"));
        let connects = until(Duration::from_secs(60), async || {
            TcpStream::connect(("127.0.0.1", mapper_port)).await.is_ok()
        });
        assert!(connects.await, "epmd: {}", mapper.last_lines());
        let (port, distribution) = (free_port(), free_port());
        let mut broker =
            Self { dir, port, distribution, mapper_port, server: None, _mapper: mapper };
        broker.open().await;
        broker
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Starts it over the data of the one before, and waits until it speaks.
    pub(crate) async fn open(&mut self) {
        let dir = self.dir.path();
        let mut command = tied(Path::new(&server("SOUK_TEST_RABBITMQ_SERVER")));
        command
            .current_dir(dir)
            .env("HOME", dir)
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("RABBITMQ_NODENAME", format!("prove-{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", dir.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", dir.join("log"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_CONFIG_FILE", dir.join("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", dir.join("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", dir.join("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", dir.join("generated"))
            .env("RABBITMQ_SCHEMA_DIR", dir.join("schema"))
            .env("RABBITMQ_PID_FILE", dir.join("pid"))
            .env("RABBITMQ_CONF_ENV_FILE", dir.join("rabbitmq-env.conf"))
            // the script becomes the broker instead of staying as its parent: our kill hits it
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} \
                 +sbwt none +sbwtdcpu none +sbwtdio none",
            );
        let mut process = Process::start("RabbitMQ", command, &dir.join("server.log"));
        let port = self.port;
        let speaks = until(Duration::from_secs(120), async || {
            process.must_live();
            answers(port).await.unwrap_or(false)
        });
        let speaks = speaks.await;
        assert!(speaks, "RabbitMQ is not ready\n{}", process.last_lines());
        self.server = Some(process);
    }

    /// Kill -9.
    pub(crate) async fn kill(&mut self) {
        self.server.take().unwrap().kill().await;
    }

    /// An orderly stop.
    pub(crate) async fn stop(&mut self) {
        let mut server = self.server.take().unwrap();
        server.signal(Signal::TERM);
        server.ended(Duration::from_secs(60)).await;
    }
}

/// A broker that speaks answers the protocol header with `Connection.Start`: a method frame on
/// channel 0.
async fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    let mut answer = [0; 3];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer));
    read.await.map_err(std::io::Error::from)??;
    Ok(answer == [1, 0, 0])
}

fn write(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn found(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|dir| dir.join(program));
    places.find(|file| file.is_file()).unwrap_or_else(|| {
        panic!("{program} of Erlang is not on the path: start with `cargo xtask test`")
    })
}
