//! `souk certs`: a small certificate authority, and a certificate for each process.
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use souk_rpc::{Authority, Tls, TlsFiles, Validity};
use souk_service::ORDER;
use souk_values::Clock;

use super::say;

const DAY_S: u64 = 24 * 3600;
/// Clocks of other machines may be behind.
const EARLIER_S: u64 = 300;

/// Make the certificates by which services know one another (grpc.tls).
///
/// The first time it makes an authority (ca.pem, ca.key), later it uses the one in the folder. Keep
/// ca.key where no service can read it: whoever has it can be any service.
#[derive(Args)]
#[command(after_help = "Examples:
  souk certs                                     one certificate for each service, in ./certs
  souk certs gateway accounts,catalog            two processes, the second with two services
  souk certs --name shop-1.internal --days 30    also for other clients, by that name
  souk certs --renew                             new certificates; running processes take them up")]
pub(crate) struct CertsArgs {
    /// One certificate for each process: its services, separated by commas [default: each alone].
    #[arg(value_name = "SERVICES")]
    processes: Vec<String>,
    /// Folder of the files.
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
    /// How long the certificates are good, from 1 to 825 days.
    #[arg(long, value_name = "DAYS", default_value_t = 90,
        value_parser = clap::value_parser!(u64).range(1..=825))]
    days: u64,
    /// How long a new authority is good, from 1 to 7300 days.
    #[arg(long, value_name = "DAYS", default_value_t = 3650,
        value_parser = clap::value_parser!(u64).range(1..=7300))]
    ca_days: u64,
    /// One more name or address in every certificate; services, localhost, 127.0.0.1 and ::1 are
    /// there. May be repeated.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Replace certificates that are there; the authority stays.
    #[arg(long)]
    renew: bool,
}

/// The services of one process, and its two files.
struct Process {
    services: Vec<String>,
    certificate: PathBuf,
    key: PathBuf,
}

pub(crate) fn run(args: &CertsArgs) -> anyhow::Result<ExitCode> {
    let processes = processes(args)?;
    names(&args.names)?;
    if !args.renew {
        for process in &processes {
            for path in [&process.certificate, &process.key] {
                anyhow::ensure!(
                    !path.exists(),
                    "{} is there already; --renew replaces certificates",
                    path.display()
                );
            }
        }
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&args.dir)
        .with_context(|| format!("cannot make {}", args.dir.display()))?;
    let mut written = Vec::new();
    // nothing is replaced before all is made and found good
    let done = make(args, &processes, &mut written).and_then(|()| {
        written.iter().try_for_each(|path| {
            fs::rename(fresh(path), path)
                .with_context(|| format!("cannot write {}", path.display()))
        })
    });
    if done.is_err() {
        for path in &written {
            let _ = fs::remove_file(fresh(path));
        }
    }
    done?;
    for path in &written {
        say(path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn make(args: &CertsArgs, processes: &[Process], written: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let now = Clock::system().now().timestamp().unsigned_abs();
    let from = now.saturating_sub(EARLIER_S);
    let validity = |days: u64| Validity { from, until: now + days * DAY_S };
    let authority = authority(&args.dir, validity(args.ca_days), written)?;
    for process in processes {
        issue(process, args, &authority, validity(args.days), written)?;
    }
    Ok(())
}

fn processes(args: &CertsArgs) -> anyhow::Result<Vec<Process>> {
    let wanted: Vec<Vec<String>> = if args.processes.is_empty() {
        ORDER.map(|name| vec![name.to_owned()]).into()
    } else {
        let split = |process: &String| process.split(',').map(str::to_owned).collect::<Vec<_>>();
        args.processes.iter().map(split).collect()
    };
    let mut processes: Vec<Process> = Vec::new();
    for services in wanted {
        for name in &services {
            anyhow::ensure!(
                ORDER.contains(&name.as_str()),
                "there is no service {name:?}; services: {}",
                ORDER.join(", ")
            );
        }
        let file = |ending: &str| args.dir.join(format!("{}.{ending}", services.join("-")));
        let (certificate, key) = (file("pem"), file("key"));
        anyhow::ensure!(
            processes.iter().all(|other| other.certificate != certificate),
            "{} is named twice",
            services.join(",")
        );
        processes.push(Process { services, certificate, key });
    }
    Ok(processes)
}

/// A name of a service would make every process that service.
fn names(names: &[String]) -> anyhow::Result<()> {
    for name in names {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:*".contains(&b);
        anyhow::ensure!(
            !name.is_empty() && name.bytes().all(plain),
            "--name {name:?} is neither a host's name nor an address"
        );
        let bare = name.trim_end_matches('.');
        anyhow::ensure!(
            !ORDER.iter().any(|service| service.eq_ignore_ascii_case(bare)),
            "--name {name} is a service: with it every process could be {name}"
        );
    }
    Ok(())
}

/// The one in the folder, or a new one.
fn authority(
    dir: &Path,
    validity: Validity,
    written: &mut Vec<PathBuf>,
) -> anyhow::Result<Authority> {
    let (certificate, key) = (dir.join("ca.pem"), dir.join("ca.key"));
    match (certificate.exists(), key.exists()) {
        (true, true) => {
            let read = |path: &Path| {
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
            };
            Authority::from_pem(&read(&certificate)?, &read(&key)?)
                .with_context(|| format!("{} and {}", certificate.display(), key.display()))
        }
        (false, false) => {
            let word = format!("{:08x}", rand::random::<u32>());
            let authority = Authority::new(&format!("Souk CA {word}"), validity)?;
            write(&key, &authority.key(), written)?;
            write(&certificate, authority.certificate(), written)?;
            Ok(authority)
        }
        (true, false) => anyhow::bail!(
            "{} is not there: certificates are made where the authority's key is",
            key.display()
        ),
        (false, true) => anyhow::bail!("{} is not there", certificate.display()),
    }
}

/// Makes the certificate of a process and looks whether the process could use it.
fn issue(
    process: &Process,
    args: &CertsArgs,
    authority: &Authority,
    validity: Validity,
    written: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let names: Vec<String> =
        process.services.iter().chain(&local).chain(&args.names).cloned().collect();
    let issued = authority.issue(&names, validity)?;
    write(&process.key, &issued.key, written)?;
    write(&process.certificate, &issued.certificate, written)?;
    let ca = args.dir.join("ca.pem");
    let files = TlsFiles {
        mutual: true,
        ca: if written.contains(&ca) { fresh(&ca) } else { ca },
        certificate: fresh(&process.certificate),
        key: fresh(&process.key),
        services: process.services.clone(),
    };
    Tls::read(files).context("the authority makes nothing that could be used")?;
    Ok(())
}

/// Where a file is until all are made.
fn fresh(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn write(path: &Path, text: &str, written: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let fresh = fresh(path);
    written.push(path.to_owned());
    // one that was left behind may have another mode
    let _ = fs::remove_file(&fresh);
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&fresh)
        .with_context(|| format!("cannot write {}", fresh.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
