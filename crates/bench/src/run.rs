//! A whole run: for each back end fill a shop, start it again on its data, load it, look at it.

mod buying;
mod loaded;
mod logins;
mod overload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::goods;
use crate::load::Load;
use crate::report::{Figure, Report, Target as Promise};
use crate::series;
use crate::shop::{Backend, Import, Open, Shop};
use crate::system::{self, Machine};

const PRODUCTS: usize = 10_000;
const IMPORTED: usize = 100_000;
/// Souk keeps an answer for 5 s: what is measured is a shop that has been asked for longer.
const WARM_UP: Duration = Duration::from_secs(6);
/// Enough for the work of a graceful stop.
const STOP: Duration = Duration::from_secs(30);

/// Where the database, the broker and the cache are.
pub(crate) struct Servers {
    pub(crate) database: String,
    pub(crate) rabbitmq: String,
    pub(crate) redis: String,
    pub(crate) pid: u32,
}

/// A part of the figures, for a look at what was just changed. Every run fills a shop first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    Starts,
    Reads,
    Buying,
    Overload,
    Logins,
    /// Of 100,000 products
    Import,
}

/// What is to be measured, and how long.
pub(crate) struct Plan {
    souk: PathBuf,
    dir: TempDir,
    backends: Vec<Backend>,
    servers: Option<Servers>,
    /// Nothing: all of them.
    part: Option<Part>,
    load: Load,
    /// Customers who order once a round.
    buyers: usize,
    rounds: u64,
    starts: usize,
}

impl Plan {
    pub(crate) fn new(
        souk: PathBuf,
        dir: PathBuf,
        quick: bool,
        only: Option<Backend>,
        part: Option<Part>,
        servers: Option<Servers>,
    ) -> Result<Self> {
        let souk = souk
            .canonicalize()
            .with_context(|| format!("no {}: start with `cargo xtask bench`", souk.display()))?;
        let all = vec![Backend::Default, Backend::Production];
        let backends = only.map_or(all, |only| vec![only]);
        if backends.contains(&Backend::Production) && servers.is_none() {
            bail!("no database, broker and cache: start with `cargo xtask bench`");
        }
        let seconds = Duration::from_secs;
        Ok(Self {
            souk,
            dir: tempfile::Builder::new().prefix("bench-").tempdir_in(dir)?,
            backends,
            servers,
            part,
            load: Load {
                connections: 16,
                threads: 2,
                time: if quick { seconds(2) } else { seconds(8) },
            },
            buyers: if quick { 160 } else { 800 },
            rounds: 3,
            starts: if quick { 3 } else { 7 },
        })
    }

    fn wants(&self, part: Part) -> bool {
        self.part.is_none_or(|only| only == part)
    }

    fn method(&self) -> Vec<String> {
        let Load { connections, time, .. } = self.load;
        vec![
            format!(
                "Load from this program over loopback, {connections} connections, closed loop, on \
                 the same cores as the servers; {} rounds of {} s each, bare and Souk in turn; \
                 medians.",
                self.rounds,
                time.as_secs()
            ),
            format!(
                "{PRODUCTS} products; detail by random id, list: first 24 of one of {} categories; \
                 views, limits, metrics and tracing (log level info) on.",
                goods::CATEGORIES
            ),
            "CPU: user + system of all server processes, with the work left after the last answer."
                .to_owned(),
            format!(
                "Logins: known devices, Argon2id at its default cost; the floor is the same hash in \
                 a loop on {} threads of this program.",
                logins::cores()
            ),
            "Overload: open loop; searches and carts of people who are logged in, five times as many \
             as were answered in a closed loop; the bare figure is that of as many as that."
                .to_owned(),
        ]
    }
}

/// Measures everything that the plan names.
pub(crate) fn all(plan: &Plan, commit: String) -> Result<Report> {
    overload::allow_connections()?;
    let mut figures = Vec::new();
    for backend in &plan.backends {
        figures.extend(
            measure(plan, *backend).with_context(|| format!("measuring {}", backend.name()))?,
        );
    }
    Ok(Report {
        commit,
        date: chrono::Local::now().format("%Y-%m-%d %H:%M").to_string(),
        machine: Machine::here(),
        method: plan.method(),
        figures,
    })
}

fn measure(plan: &Plan, backend: Backend) -> Result<Vec<Figure>> {
    let figure = |name: &str, unit, value| Figure::new(backend.name(), name, unit, value);
    let servers = plan.servers.as_ref().filter(|_| backend == Backend::Production);
    let dir = plan.dir.path().join(format!("{backend:?}").to_lowercase());
    let shop = Shop::new(&plan.souk, &dir, servers)?;

    step(backend, "first start, import");
    let open = shop.open()?;
    let first_start = open.took.as_secs_f64();
    let filled = open.import(&goods::csv(PRODUCTS), PRODUCTS)?;
    series::settle(&processes(&open, servers))?;
    open.process.stop(STOP)?;

    let mut started = Vec::new();
    if plan.wants(Part::Starts) {
        step(backend, "starts on existing data");
        let mut starts = Vec::new();
        for _ in 1..plan.starts {
            let open = shop.open()?;
            starts.push(open.took.as_secs_f64());
            open.process.stop(STOP)?;
        }
        let open = shop.open()?;
        starts.push(open.took.as_secs_f64());
        thread::sleep(Duration::from_secs(10));
        let idle = megabytes(system::memory(open.process.id())?);
        open.process.stop(STOP)?;
        started = vec![
            figure("memory idle", "MB", idle).target(Promise::AtMost(80.0)),
            figure("start on existing data to the first answer", "s", series::median(starts))
                .target(Promise::AtMost(0.5))
                .note(format!("{} starts", plan.starts)),
        ];
    }
    let mut figures = Vec::new();
    if [Part::Reads, Part::Buying, Part::Overload].into_iter().any(|part| plan.wants(part)) {
        let open = shop.open()?;
        if plan.wants(Part::Reads) {
            figures.extend(loaded::figures(plan, backend, &open, servers, &dir)?);
        }
        if plan.wants(Part::Buying) {
            figures.extend(buying::figures(plan, backend, &open, servers, &dir)?);
        }
        if plan.wants(Part::Overload) {
            figures.extend(overload::figures(plan, backend, &open, servers)?);
        }
        open.process.stop(STOP)?;
    }
    if plan.wants(Part::Logins) {
        let open = shop.with_full_hashes().open()?;
        figures.extend(logins::figures(plan, backend, &open, servers)?);
        open.process.stop(STOP)?;
    }

    figures.extend(started);
    figures.extend([
        figure("first start to the first answer", "s", first_start).note("no data, no demo shop"),
        figure("import of 10,000", "products/s", rate(PRODUCTS, &filled))
            .note(told(PRODUCTS, &filled)),
    ]);
    if backend == Backend::Default && plan.wants(Part::Import) {
        step(backend, "import of 100,000");
        let shop = Shop::new(&plan.souk, &plan.dir.path().join("import"), None)?;
        let open = shop.open()?;
        let csv = goods::csv(IMPORTED);
        let watch = Watch::start(open.process.id());
        let imported = open.import(&csv, IMPORTED)?;
        let memory = megabytes(watch.stop());
        open.process.stop(STOP)?;
        figures.push(
            figure("import of 100,000", "products/s", rate(IMPORTED, &imported))
                .target(Promise::AtLeast(5_000.0))
                .note(told(IMPORTED, &imported)),
        );
        figures.push(figure("memory at the import of 100,000", "MB", memory));
    }
    Ok(figures)
}

/// Looks at a process's memory ten times a second and remembers the most.
struct Watch {
    most: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn start(process: u32) -> Self {
        let (most, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (seen, ended) = (Arc::clone(&most), Arc::clone(&end));
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                seen.fetch_max(system::memory(process).unwrap_or_default(), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(100));
            }
        });
        Self { most, end, thread }
    }

    fn stop(self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.most.load(Ordering::Relaxed)
    }
}

/// All processes that work for an answer.
fn processes(open: &Open, servers: Option<&Servers>) -> Vec<u32> {
    let mut all = vec![open.process.id()];
    all.extend(servers.map(|servers| servers.pid));
    all
}

fn rate(count: usize, import: &Import) -> f64 {
    count as f64 / import.took.as_secs_f64()
}

fn told(count: usize, import: &Import) -> String {
    let took = import.took.as_secs_f64();
    let told = import.told.map_or_else(String::new, |told| {
        format!(", every event on the bus after {:.2} s", told.as_secs_f64())
    });
    let each = import.cpu.as_secs_f64() * 1e6 / count as f64;
    format!("{took:.2} s{told}; CPU of souk {each:.0} us/product")
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn step(backend: Backend, what: &str) {
    eprintln!("bench: {}: {what}", backend.name());
}
