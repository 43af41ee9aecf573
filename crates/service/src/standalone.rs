//! One service alone: the `main` of the small binaries, and what every process does around its
//! house.
use std::path::PathBuf;
use std::process::ExitCode;

use souk_telemetry::{Telemetry, TelemetrySettings};
use souk_values::Clock;
use tokio::signal::unix::{SignalKind, signal as on};

use crate::{House, Service, Settings, Sources, blueprint};

/// Completes on SIGTERM or SIGINT.
pub async fn signal() {
    let (Ok(mut term), Ok(mut int)) = (on(SignalKind::terminate()), on(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

impl Settings {
    /// What telemetry wants to know.
    pub fn telemetry(&self, service_name: &str) -> TelemetrySettings {
        TelemetrySettings {
            level: self.log.level.clone(),
            format: self.log.format.clone(),
            otlp_endpoint: self.log.otlp_endpoint.clone(),
            sample_ratio: self.log.sample_ratio,
            service_name: service_name.to_owned(),
        }
    }
}

/// Runs `S` alone, with settings from `souk.toml` (or `--config FILE`) and the environment.
pub fn main<S: Service>() -> ExitCode {
    match run::<S>() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "no log yet, and a person waits")]
            {
                eprintln!("souk-{}: {error:#}", S::NAME);
            }
            ExitCode::FAILURE
        }
    }
}

fn run<S: Service>() -> anyhow::Result<bool> {
    let mut sources = Sources { environment: true, ..Sources::default() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next()) {
            ("--config", Some(file)) => sources.file = Some(PathBuf::from(file)),
            ("--data-dir", Some(dir)) => sources.flags.push(("data_dir".to_owned(), dir)),
            _ => anyhow::bail!("usage: souk-{} [--config FILE] [--data-dir DIR]", S::NAME),
        }
    }
    install_tls();
    let loaded = sources.load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let telemetry = Telemetry::start(&loaded.settings.telemetry(S::NAME))?;
        let house = House::start(&loaded, &[blueprint::<S>()], Clock::system()).await?;
        tracing::info!(service = S::NAME, "serving");
        let clean = house.run_until(signal()).await;
        telemetry.shutdown().await;
        Ok(clean)
    })
}

/// One TLS provider for the process (ring); the crates that need one find it here.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
