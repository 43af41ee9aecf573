//! `souk`: the whole shop in one process, any part of it, and the operator's commands.

mod commands;
mod connect;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use souk_service::{Sources, install_tls};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A shop backend: catalogue, accounts, letters, figures and the API in front of them.
///
/// Without a command it serves everything at http://127.0.0.1:8080 with its data in ./data.
#[derive(Parser)]
#[command(name = "souk", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
    #[command(flatten)]
    place: Place,
}

/// Where the data and the settings are.
#[derive(Args, Clone)]
pub(crate) struct Place {
    /// Folder of databases, queues, letters, pictures and secrets [default: ./data].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Settings file [default: ./souk.toml if there is one].
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve all services, or some (the default command).
    Serve(Box<serve::ServeArgs>),
    /// Import products from a CSV file: Shopify's, Souk's own, or any with --map.
    Import(commands::import::ImportArgs),
    /// Export all products as CSV; importing the file changes nothing.
    Export(commands::export::ExportArgs),
    /// Accounts of admins.
    #[command(subcommand)]
    Admin(commands::admin::AdminCommand),
    /// Bring the database schemas up to date; a second time changes nothing.
    Migrate,
    Certs(commands::certs::CertsArgs),
    /// Settings.
    #[command(subcommand)]
    Config(commands::config::ConfigCommand),
    /// Ask a running shop whether it can work; exit code 0 when it can.
    Health(commands::health::HealthArgs),
    /// Events on their way, and dead letters.
    #[command(subcommand)]
    Events(commands::events::EventsCommand),
    /// Who did what, and whether nobody has touched it since.
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
    /// Check everything that must always hold of stock, orders, payments and events; exit code 0
    /// when it does.
    Verify(commands::verify::VerifyArgs),
}

impl Place {
    /// The layers of settings; `more` are flags of the command.
    pub(crate) fn sources(&self, more: Vec<(String, String)>) -> Sources {
        let mut flags = more;
        if let Some(dir) = &self.data_dir {
            flags.push(("data_dir".to_owned(), dir.display().to_string()));
        }
        Sources { file: self.config.clone(), environment: true, flags }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    install_tls();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            #[allow(clippy::print_stderr, reason = "the answer to whoever typed the command")]
            {
                eprintln!("souk: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let place = cli.place;
    match cli.command {
        None => serve::run(&place, cli.serve).await,
        Some(Command::Serve(args)) => serve::run(&place, *args).await,
        Some(Command::Import(args)) => commands::import::run(&place, args).await,
        Some(Command::Export(args)) => commands::export::run(&place, args).await,
        Some(Command::Admin(command)) => commands::admin::run(&place, command).await,
        Some(Command::Migrate) => commands::migrate::run(&place).await,
        Some(Command::Certs(args)) => commands::certs::run(&args),
        Some(Command::Config(command)) => commands::config::run(&place, &command),
        Some(Command::Health(args)) => commands::health::run(&place, args).await,
        Some(Command::Events(command)) => commands::events::run(&place, command).await,
        Some(Command::Audit(command)) => commands::audit::run(&place, command).await,
        Some(Command::Verify(args)) => commands::verify::run(&place, args).await,
    }
}
