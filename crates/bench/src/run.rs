//! A whole run: for each back end fill a shop, start it again on its data, load it, look at it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::goods;
use crate::http::Client;
use crate::load::{Load, Target};
use crate::process::{Process, free_address};
use crate::report::{Figure, Report, Target as Promise};
use crate::series::{self, Medians, Side};
use crate::shop::{self, Backend, Import, Open, Shop};
use crate::system::{self, Cpu, Machine};

const PRODUCTS: usize = 10_000;
const IMPORTED: usize = 100_000;
/// Enough for the work of a graceful stop.
const STOP: Duration = Duration::from_secs(30);

/// Where the database, the broker and the cache are.
pub(crate) struct Servers {
    pub(crate) database: String,
    pub(crate) rabbitmq: String,
    pub(crate) redis: String,
    pub(crate) pid: u32,
}

/// What is to be measured, and how long.
pub(crate) struct Plan {
    souk: PathBuf,
    dir: TempDir,
    backends: Vec<Backend>,
    servers: Option<Servers>,
    load: Load,
    rounds: u64,
    starts: usize,
}

impl Plan {
    pub(crate) fn new(
        souk: PathBuf,
        dir: PathBuf,
        quick: bool,
        only: Option<Backend>,
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
            load: Load {
                connections: 16,
                threads: 2,
                warm_up: if quick { Duration::from_millis(500) } else { seconds(1) },
                measured: if quick { seconds(2) } else { seconds(8) },
            },
            rounds: 3,
            starts: if quick { 3 } else { 7 },
        })
    }

    fn method(&self) -> Vec<String> {
        let Load { connections, measured, .. } = self.load;
        vec![
            format!(
                "Load from this program over loopback, {connections} connections, closed loop, on \
                 the same cores as the servers; {} rounds of {} s each, bare and Souk in turn; \
                 medians.",
                self.rounds,
                measured.as_secs()
            ),
            format!(
                "{PRODUCTS} products; detail by random id, list: first 24 of one of {} categories; \
                 views, limits, metrics and tracing (log level info) on.",
                goods::CATEGORIES
            ),
            "CPU: user + system of all server processes, with the work left after the last answer."
                .to_owned(),
        ]
    }
}

/// Measures everything that the plan names.
pub(crate) fn all(plan: &Plan, commit: String) -> Result<Report> {
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

    let mut figures = loaded(plan, backend, &open, servers, &dir)?;
    open.process.stop(STOP)?;

    let start = series::median(starts);
    figures.extend([
        figure("memory idle", "MB", idle).target(Promise::AtMost(80.0)),
        figure("start on existing data to the first answer", "s", start)
            .target(Promise::AtMost(0.5))
            .note(format!("{} starts", plan.starts)),
        figure("first start to the first answer", "s", first_start).note("no data, no demo shop"),
        figure("import of 10,000", "products/s", rate(PRODUCTS, &filled)).note(told(&filled)),
    ]);
    if backend == Backend::Default {
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
                .note(told(&imported)),
        );
        figures.push(figure("memory at the import of 100,000", "MB", memory));
    }
    Ok(figures)
}

/// The figures under load.
fn loaded(
    plan: &Plan,
    backend: Backend,
    open: &Open,
    servers: Option<&Servers>,
    dir: &Path,
) -> Result<Vec<Figure>> {
    let figure = |name: &str, unit, value| Figure::new(backend.name(), name, unit, value);
    step(backend, "learning the answers");
    let answers = Answers::of(open)?;
    let bare = Bare::start(dir, &answers)?;
    let souk_processes = processes(open, servers);
    let side = |address, targets: &Arc<[Target]>, processes: &[u32]| Side {
        address,
        targets: Arc::clone(targets),
        processes: processes.to_vec(),
    };
    series::settle(&souk_processes)?;
    let before = shop::views(&mut open.admin()?)?;

    let watch = Watch::start(open.process.id());
    step(backend, "product detail");
    let [bare_detail, souk_detail] = series::compare(
        [
            &side(bare.address, &answers.bare_products, &[bare.process.id()]),
            &side(open.address, &answers.products, &souk_processes),
        ],
        plan.load,
        plan.rounds,
    )?;
    step(backend, "list of 24");
    let [bare_list, souk_list] = series::compare(
        [
            &side(bare.address, &answers.bare_lists, &[bare.process.id()]),
            &side(open.address, &answers.lists, &souk_processes),
        ],
        plan.load,
        plan.rounds,
    )?;
    let peak = megabytes(watch.stop());

    step(backend, "views");
    let (views, waited) = counted_views(open, before, souk_detail.answers)?;
    let dropped = open.metric("views_dropped_total", "")?.unwrap_or_default();

    let mut figures = Vec::new();
    for (name, least, bare, souk) in [
        ("product detail", 0.6, &bare_detail, &souk_detail),
        ("list of 24", 0.5, &bare_list, &souk_list),
    ] {
        let of = |what: &str, unit, value| figure(&format!("{name}{what}"), unit, value);
        figures.extend([
            of("", "answers/s", souk.rate).beside(bare.rate).target(Promise::RatioAtLeast(least)),
            of(", server CPU", "us/answer", souk.cpu_total())
                .beside(bare.cpu_total())
                .note(shares(souk)),
            of(", p50", "ms", souk.p50).beside(bare.p50),
            of(", p99", "ms", souk.p99).beside(bare.p99),
        ]);
    }
    let given = souk_detail.answers;
    figures.push(
        figure("views recorded of details answered", "%", views as f64 * 100.0 / given as f64)
            .target(Promise::AtLeast(100.0))
            .note(format!(
                "{views} of {given}, dropped {dropped:.0}; counted {:.1} s after the last answer of \
                 a round, {:.1} s at the end",
                souk_detail.settled,
                waited.as_secs_f64()
            )),
    );
    figures.push(figure("memory under load", "MB", peak).target(Promise::AtMost(200.0)));
    Ok(figures)
}

/// Waits until analytics has counted all views, or counts no more of them.
fn counted_views(open: &Open, before: u64, given: u64) -> Result<(u64, Duration)> {
    let mut admin = open.admin()?;
    let start = Instant::now();
    let mut grown = Instant::now();
    let mut views = shop::views(&mut admin)?.saturating_sub(before);
    while views < given && grown.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(100));
        let now = shop::views(&mut admin)?.saturating_sub(before);
        if now > views {
            (views, grown) = (now, Instant::now());
        }
        if start.elapsed() > Duration::from_secs(240) {
            break;
        }
    }
    Ok((views, start.elapsed()))
}

/// What is asked, and what is to be answered.
struct Answers {
    products: Arc<[Target]>,
    lists: Arc<[Target]>,
    /// The same questions to the bare handler, which has one answer of each kind.
    bare_products: Arc<[Target]>,
    bare_lists: Arc<[Target]>,
    product: Vec<u8>,
    list: Vec<u8>,
}

impl Answers {
    /// Asks Souk for everything once.
    fn of(open: &Open) -> Result<Self> {
        let ids = open.products()?;
        if ids.len() != PRODUCTS {
            bail!("{} products are listed instead of {PRODUCTS}", ids.len());
        }
        let products: Vec<String> = ids.iter().map(|id| format!("/api/products/{id}")).collect();
        let lists = (0..goods::CATEGORIES)
            .map(|number| format!("/api/products?category={}&limit=24", goods::category(number)));
        let (products, bare_products, product) = learn(open.address, &products)?;
        let (lists, bare_lists, list) = learn(open.address, &lists.collect::<Vec<_>>())?;
        Ok(Self { products, lists, bare_products, bare_lists, product, list })
    }
}

/// Targets of Souk and of the bare handler, and the latter's answer: one of median length.
fn learn(address: SocketAddr, paths: &[String]) -> Result<(Arc<[Target]>, Arc<[Target]>, Vec<u8>)> {
    let mut client = Client::new(address);
    let bodies = paths.iter().map(|path| client.body(path));
    let mut bodies = bodies.collect::<Result<Vec<_>>>()?;
    let targets = paths.iter().zip(&bodies).map(|(path, body)| Target::new(path, body.len()));
    let targets: Arc<[Target]> = targets.collect();
    bodies.sort_unstable_by_key(Vec::len);
    let middle = bodies.swap_remove(bodies.len() / 2);
    let bare = paths.iter().map(|path| Target::new(path, middle.len())).collect();
    Ok((targets, bare, middle))
}

/// The bare handler in a process of its own.
struct Bare {
    process: Process,
    address: SocketAddr,
}

impl Bare {
    fn start(dir: &Path, answers: &Answers) -> Result<Self> {
        let (product, list) = (dir.join("product.json"), dir.join("list.json"));
        fs::write(&product, &answers.product)?;
        fs::write(&list, &answers.list)?;
        let address = free_address()?;
        let mut serve = Command::new(std::env::current_exe()?);
        serve.args(["bare", "--listen", &address.to_string()]);
        serve.arg("--product").arg(product).arg("--list").arg(list);
        let mut process = Process::start("the bare handler", &mut serve, dir.join("bare.log"))?;
        process.wait_until_ready(address, "/api/products", Duration::from_secs(10))?;
        Ok(Self { process, address })
    }
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

/// Which program took how much, if there are several.
fn shares(medians: &Medians) -> String {
    if medians.cpu.len() < 2 {
        return String::new();
    }
    let share = |(name, time): (&&str, &f64)| format!("{name} {time:.1}");
    medians.cpu.iter().map(share).collect::<Vec<_>>().join(", ")
}

fn rate(count: usize, import: &Import) -> f64 {
    count as f64 / import.took.as_secs_f64()
}

fn told(import: &Import) -> String {
    let took = import.took.as_secs_f64();
    match import.told {
        Some(told) => {
            format!("{took:.2} s; every event on the bus after {:.2} s", told.as_secs_f64())
        }
        None => format!("{took:.2} s"),
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn step(backend: Backend, what: &str) {
    eprintln!("bench: {}: {what}", backend.name());
}
