//! From settings to a started process.
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use anyhow::Context;
use souk_audit::Audit;
use souk_auth::{KeySource, MethodTable, ServiceTokens, Verifier};
use souk_cache::Cache;
use souk_events::dead_letter::DeadLetters;
use souk_events::{Outbox, bus, registry};
use souk_jobs::Jobs;
use souk_proto::accounts::v1::GetKeysRequest;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::operations::v1::operations_service_server::OperationsServiceServer;
use souk_rpc::{Identity, Refusals, Stack, Tls, Transport};
use souk_storage::{Database, migrate};
use souk_values::Clock;

use super::{Blueprint, Built, House, ORDER, Phases, Tasks, ports, run};
use crate::frame::FrameInner;
use crate::health::Readiness;
use crate::integrity;
use crate::lock::DataLock;
use crate::operations::{self, Operations};
use crate::personal::{self, Keeper, Keepers};
use crate::secrets::Secrets;
use crate::{Frame, Loaded, Parts, Settings};

/// What is built for each service before it is started.
pub(crate) struct Prepared {
    pub(crate) name: &'static str,
    pub(crate) parts: Parts,
    pub(crate) frame: Frame,
    pub(crate) dead_letters: Option<DeadLetters>,
}

impl House {
    /// Builds and starts the services. Nothing answers before everything is built; an impossible
    /// setting or an occupied port ends the start with a sentence.
    pub async fn start(
        loaded: &Loaded,
        blueprints: &[Blueprint],
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let house = Self::prepare(loaded, blueprints, clock).await?;
        house.open();
        Ok(house)
    }

    /// Like [`start`](Self::start), but not ready yet: for what must be there before the first
    /// request. [`open`](Self::open) makes it ready.
    pub async fn prepare(
        loaded: &Loaded,
        blueprints: &[Blueprint],
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let settings = Arc::new(loaded.settings.clone());
        for blueprint in blueprints {
            (blueprint.check)(loaded)?;
        }
        let names: Vec<&str> = blueprints.iter().map(|blueprint| blueprint.name).collect();
        let tls = crate::tls(&settings, &names)?;
        let lock = owns_files(loaded, blueprints)?
            .then(|| DataLock::take(&settings.data_dir))
            .transpose()?;
        crate::descriptors::allow_all();
        std::fs::create_dir_all(&settings.data_dir)
            .with_context(|| format!("cannot make {}", settings.data_dir.display()))?;
        let secrets = Secrets::take(&settings)?;
        let mut settings = (*settings).clone();
        settings.secrets.signing_key = secrets.signing_key.clone();
        let settings = Arc::new(settings);

        let databases = open_databases(loaded, blueprints).await?;
        let bus = bus::open(settings.bus.url.reveal(), &settings.data_dir).await?;
        let cache = Cache::open(settings.cache.url.reveal()).await?;
        let readiness = Arc::new(Readiness {
            databases: databases.iter().map(|(n, d)| (*n, d.clone())).collect(),
            bus: bus.clone(),
            cache: cache.clone(),
            started: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        });
        let tokens = Arc::new(ServiceTokens::new(&secrets.service_token, clock.clone()));
        let keys = Arc::new(OnceLock::new());
        let verifier = Arc::new(Verifier::new(key_source(Arc::downgrade(&keys)), clock.clone()));
        let keepers = Arc::new(OnceLock::new());
        let phases = Phases::default();

        let mut built: BTreeMap<&'static str, Built> = BTreeMap::new();
        let mut prepared = Vec::new();
        for name in ORDER {
            let Some(blueprint) = blueprints.iter().find(|b| b.name == name) else { continue };
            let identity = Identity { name: name.into(), tokens: tokens.clone() };
            let mut transports = HashMap::new();
            for ask in blueprint.asks {
                transports.insert(*ask, way_to(ask, &built, &settings, &identity, tls.as_ref())?);
            }
            let db = databases.get(name).cloned();
            let frame = Frame {
                inner: Arc::new(FrameInner {
                    name,
                    settings: settings.clone(),
                    clock: clock.clone(),
                    jobs: db.clone().map(|db| Jobs::new(db, clock.clone())),
                    audit: db.clone().map(|db| Audit::new(name, db, clock.clone())),
                    db: db.clone(),
                    bus: bus.clone(),
                    outbox: Outbox::new(name, clock.clone()),
                    cache: cache.clone(),
                    verifier: verifier.clone(),
                    transports,
                    keepers: Keepers::of(&keepers),
                    readiness: readiness.clone(),
                    stop: phases.doors.clone(),
                }),
            };
            let mut parts = (blueprint.build)(frame.clone(), loaded)?
                .await
                .with_context(|| format!("cannot build {name}"))?;
            let dead_letters =
                db.clone().map(|db| DeadLetters::new(db, bus.clone(), clock.clone()));
            let guarded = guard(&frame, &mut parts, dead_letters.clone(), &tokens);
            let audit = frame.inner.audit.clone();
            built.insert(name, Built { guarded, db, audit });
            prepared.push(Prepared { name, parts, frame, dead_letters });
        }
        // public keys are infrastructure: any process may ask accounts for them, as whichever of
        // its services its certificate names
        let own = names.first().copied().unwrap_or("keys");
        let own = Identity { name: own.into(), tokens: tokens.clone() };
        if let Ok(accounts) = way_to("accounts", &built, &settings, &own, tls.as_ref()) {
            let _ = keys.set(accounts);
        }

        if built.contains_key("accounts") {
            let own = Identity { name: "accounts".into(), tokens: tokens.clone() };
            let _ = keepers.set(ways_to_keepers(&built, &settings, &own, tls.as_ref()));
        }

        let tasks = Tasks::default();
        // every process declares everything: no event is unroutable because its listener never ran
        run::declare(&bus, registry::QUEUES, &tasks, &phases).await;
        // commands find the owner of the data directory there; processes on servers share no
        // directory
        let socket = lock.is_some().then(|| settings.data_dir.join("souk.sock"));
        let addresses =
            ports::open(&settings, &built, &mut prepared, socket, tls, &phases, &tasks).await?;
        run::begin(prepared, &bus, &phases, &tasks);
        Ok(Self {
            built,
            addresses,
            operator: Identity { name: "operator".into(), tokens },
            bus,
            cache,
            phases,
            tasks,
            ready: readiness,
            delay: Duration::from_secs(settings.stop.delay_s),
            drain: Duration::from_secs(settings.stop.drain_s),
            _keys: keys,
            _keepers: keepers,
            _lock: lock,
        })
    }

    /// Says that it is ready.
    pub fn open(&self) {
        self.ready.started.store(true, Ordering::SeqCst);
    }

    /// Opens the databases of the services and brings their schemas up to date; for `souk migrate`.
    pub async fn migrate(loaded: &Loaded, blueprints: &[Blueprint]) -> anyhow::Result<()> {
        let _lock = owns_files(loaded, blueprints)?
            .then(|| DataLock::take(&loaded.settings.data_dir))
            .transpose()?;
        for (_, db) in open_databases(loaded, blueprints).await? {
            db.close().await?;
        }
        Ok(())
    }
}

/// Whether this process would own SQLite files.
fn owns_files(loaded: &Loaded, blueprints: &[Blueprint]) -> anyhow::Result<bool> {
    let mut owns = loaded.settings.bus.url.is_empty();
    for blueprint in blueprints.iter().filter(|b| b.keeps) {
        owns |= !loaded.database(blueprint.name)?.url.starts_with("postgres");
    }
    Ok(owns)
}

async fn open_databases(
    loaded: &Loaded,
    blueprints: &[Blueprint],
) -> anyhow::Result<BTreeMap<&'static str, Database>> {
    let data_dir = &loaded.settings.data_dir;
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("cannot make {}", data_dir.display()))?;
    let mut databases = BTreeMap::new();
    for blueprint in blueprints.iter().filter(|b| b.keeps) {
        let settings = loaded.database(blueprint.name)?;
        let db = Database::open(&settings, data_dir, blueprint.name).await?;
        let lists = [
            souk_events::migrations,
            souk_jobs::migrations,
            souk_audit::migrations,
            (blueprint.migrations)(),
        ];
        migrate(&db, &lists)
            .await
            .with_context(|| format!("cannot migrate the database of {}", blueprint.name))?;
        databases.insert(blueprint.name, db);
    }
    Ok(databases)
}

/// The way to a neighbour: through this process, or to its address.
fn way_to(
    to: &'static str,
    built: &BTreeMap<&'static str, Built>,
    settings: &Settings,
    from: &Identity,
    tls: Option<&Tls>,
) -> anyhow::Result<Transport> {
    if let Some(neighbour) = built.get(to) {
        return Ok(Transport::local(to, neighbour.guarded.clone(), from.clone()));
    }
    let url = settings.services.get(to).map(|s| s.url.as_str()).unwrap_or_default();
    anyhow::ensure!(
        !url.is_empty(),
        "{} asks {to}, which is not in this process: set services.{to}.url",
        from.name
    );
    let way = match tls {
        Some(tls) => Transport::secured(to, url, from.clone(), tls),
        None => Transport::remote(to, url, from.clone()),
    };
    way.with_context(|| format!("services.{to}.url is not an address: {url}"))
}

/// Jobs of accounts ask every service for what it keeps of a person; also those that are built
/// later, because nobody waits for a job.
fn ways_to_keepers(
    built: &BTreeMap<&'static str, Built>,
    settings: &Settings,
    from: &Identity,
    tls: Option<&Tls>,
) -> Vec<Keeper> {
    let way = |name| {
        let way = way_to(name, built, settings, from, tls).map_err(|error| {
            tracing::warn!(%error, "personal data of this service can be neither given nor erased");
            error.to_string()
        });
        Keeper { name, way }
    };
    personal::KEEPERS.into_iter().map(way).collect()
}

/// Weak: the way leads into the house, whose services hold the verifier that holds this.
fn key_source(accounts: Weak<OnceLock<Transport>>) -> KeySource {
    Arc::new(move || {
        let accounts = accounts.clone();
        Box::pin(async move {
            let known = accounts.upgrade().context("the process has stopped")?;
            let way = known.get().context("accounts has no address in this process")?;
            let mut client = SessionServiceClient::new(way.clone());
            Ok(client.get_keys(GetKeysRequest {}).await?.into_inner().jwks_json)
        })
    })
}

/// The service's routes with what every service offers operators, behind the common stack.
fn guard(
    frame: &Frame,
    parts: &mut Parts,
    dead_letters: Option<DeadLetters>,
    tokens: &Arc<ServiceTokens>,
) -> souk_rpc::Guarded {
    let mut routes = parts.grpc.take().unwrap_or_default();
    let mut methods = parts.methods.to_vec();
    let audit = frame.inner.audit.clone();
    if let (Some(db), Some(jobs), Some(audit), Some(dead_letters)) =
        (frame.inner.db.clone(), frame.inner.jobs.clone(), audit.clone(), dead_letters)
    {
        let mut invariants = std::mem::take(&mut parts.invariants);
        invariants.push(integrity::of_every_service(&db));
        let service = frame.name();
        let data = parts.personal.take();
        let door = personal::door(service, db.clone(), audit.clone(), data);
        routes = routes.add_service(door);
        methods.extend_from_slice(personal::METHODS);
        let operations = Operations { service, db, jobs, audit, dead_letters, invariants };
        routes = routes.add_service(OperationsServiceServer::new(operations));
        methods.extend_from_slice(operations::METHODS);
    }
    // once per service and process
    let methods: MethodTable = methods.leak();
    Stack {
        name: frame.name(),
        methods,
        verifier: frame.verifier(),
        tokens: tokens.clone(),
        concurrency: 0,
        refusals: audit.map(|audit| Arc::new(audit) as Arc<dyn Refusals>),
    }
    .guard(routes)
}
