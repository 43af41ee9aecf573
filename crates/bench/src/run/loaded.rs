//! The figures under load: the same questions to Souk and to the bare handler.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{PRODUCTS, Plan, Servers, WARM_UP, Watch, megabytes, processes, step};
use crate::goods;
use crate::http::Client;
use crate::load::Target;
use crate::process::{Process, free_address};
use crate::report::{Figure, Target as Promise};
use crate::series::{self, Medians, Side};
use crate::shop::{self, Backend, Open};

/// The figures under load.
pub(super) fn figures(
    plan: &Plan,
    backend: Backend,
    open: &Open,
    servers: Option<&Servers>,
    dir: &Path,
) -> Result<Vec<Figure>> {
    let figure = |name: &str, unit, value| Figure::new(backend.name(), name, unit, value);
    step(backend, "learning the answers");
    let (details, lists) = (Questions::details(open)?, Questions::lists(open)?);
    let bare = Bare::start(dir, &details, &lists)?;
    let souk_processes = processes(open, servers);
    series::settle(&souk_processes)?;
    let before = shop::views(&mut open.admin()?)?;

    let watch = Watch::start(open.process.id());
    let compare = |questions: &Questions| {
        let bare = Side {
            address: bare.address,
            targets: Arc::clone(&questions.bare),
            processes: vec![bare.process.id()],
            warm_up: Duration::from_secs(1),
        };
        let souk = Side {
            address: open.address,
            targets: Arc::clone(&questions.souk),
            processes: souk_processes.clone(),
            warm_up: WARM_UP,
        };
        series::compare([&bare, &souk], plan.load, plan.rounds)
    };
    step(backend, "product detail");
    let [bare_detail, souk_detail] = compare(&details)?;
    step(backend, "list of 24");
    let [bare_list, souk_list] = compare(&lists)?;
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

/// One kind of question to both servers.
struct Questions {
    souk: Arc<[Target]>,
    /// The same to the bare handler, which has one answer of each kind.
    bare: Arc<[Target]>,
    /// The bare handler's answer: one of Souk's, of median length.
    body: Vec<u8>,
}

impl Questions {
    /// A product by its id.
    fn details(open: &Open) -> Result<Self> {
        let ids = open.products()?;
        if ids.len() != PRODUCTS {
            bail!("{} products are listed instead of {PRODUCTS}", ids.len());
        }
        Self::learn(open, ids.iter().map(|id| format!("/api/products/{id}")).collect())
    }

    /// The first page of a category.
    fn lists(open: &Open) -> Result<Self> {
        let path = |number| format!("/api/products?category={}&limit=24", goods::category(number));
        Self::learn(open, (0..goods::CATEGORIES).map(path).collect())
    }

    /// Asks Souk for everything once.
    fn learn(open: &Open, paths: Vec<String>) -> Result<Self> {
        let mut client = Client::new(open.address);
        let bodies = paths.iter().map(|path| client.body(path));
        let mut bodies = bodies.collect::<Result<Vec<_>>>()?;
        let souk = paths.iter().zip(&bodies).map(|(path, body)| Target::new(path, body.len()));
        let souk = souk.collect();
        bodies.sort_unstable_by_key(Vec::len);
        let body = bodies.swap_remove(bodies.len() / 2);
        let bare = paths.iter().map(|path| Target::new(path, body.len())).collect();
        Ok(Self { souk, bare, body })
    }
}

/// The bare handler in a process of its own.
struct Bare {
    process: Process,
    address: SocketAddr,
}

impl Bare {
    fn start(dir: &Path, details: &Questions, lists: &Questions) -> Result<Self> {
        let (product, list) = (dir.join("product.json"), dir.join("list.json"));
        fs::write(&product, &details.body)?;
        fs::write(&list, &lists.body)?;
        let address = free_address()?;
        let mut serve = Command::new(std::env::current_exe()?);
        serve.args(["bare", "--listen", &address.to_string()]);
        serve.arg("--product").arg(product).arg("--list").arg(list);
        let mut process = Process::start("the bare handler", &mut serve, dir.join("bare.log"))?;
        process.wait_until_ready(address, "/api/products", Duration::from_secs(10))?;
        Ok(Self { process, address })
    }
}

/// Which program took how much, if there are several.
fn shares(medians: &Medians) -> String {
    if medians.cpu.len() < 2 {
        return String::new();
    }
    let share = |(name, time): (&&str, &f64)| format!("{name} {time:.1}");
    medians.cpu.iter().map(share).collect::<Vec<_>>().join(", ")
}
