//! A Redis of our own that may be killed.
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::house::server;
use crate::process::{Process, free_port, tied, until};

pub(crate) struct Redis {
    port: u16,
    server: Process,
    _dir: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = tied(Path::new(&server("SOUK_TEST_REDIS_SERVER")));
        command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(dir.path());
        let mut process = Process::start("Redis", command, &dir.path().join("redis.log"));
        let speaks = until(Duration::from_secs(180), async || {
            process.must_live();
            TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        });
        let speaks = speaks.await;
        assert!(speaks, "Redis is not ready\n{}", process.last_lines());
        Self { port, server: process, _dir: dir }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kill -9.
    pub(crate) async fn kill(mut self) {
        self.server.kill().await;
    }
}
