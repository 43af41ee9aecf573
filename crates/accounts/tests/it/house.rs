//! One accounts service with a database of its own, and clients to call it as somebody.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use futures::FutureExt;
use sea_orm::ConnectionTrait;
use souk_accounts::{
    Accounts, AdminSecondFactor, App, Argon2Config, Config, METHODS, Surroundings, routes,
};
use souk_audit::Audit;
use souk_auth::{ServiceTokens, SigningKey, Verifier};
use souk_events::{Envelope, Outbox};
use souk_jobs::Jobs;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{LoginRequest, SessionTokens};
use souk_proto::events::v1::UserChanged;
use souk_rpc::{CallContext, Failure, Guarded, Identity, Stack, Transport};
use souk_service::Service;
use souk_storage::{Database, DatabaseSettings, Migrations, migrate};
use souk_values::Clock;
use tonic::{Response, Status};
use uuid::Uuid;

pub(crate) const SEED: [u8; 32] = [7; 32];
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) struct House {
    pub(crate) db: Database,
    pub(crate) clock: Clock,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) app: Arc<App>,
    guarded: Guarded,
    tokens: Arc<ServiceTokens>,
    place: Place,
    _dir: tempfile::TempDir,
}

/// All that the database of accounts holds.
pub(crate) fn migrations() -> [Migrations; 4] {
    [souk_events::migrations, souk_jobs::migrations, souk_audit::migrations, Accounts::migrations()]
}

enum Place {
    File,
    Server { url: String, name: String },
}

impl House {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db =
            Database::open(&DatabaseSettings::default(), dir.path(), "accounts").await.unwrap();
        Self::build(db, dir, Place::File, iterations(1)).await
    }

    pub(crate) async fn postgres() -> Self {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let name = format!("accounts_{}", Uuid::now_v7().simple());
        let server = sea_orm::Database::connect(&url).await.unwrap();
        server.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        server.close().await.unwrap();
        let (base, _) = url.rsplit_once('/').unwrap();
        let settings = DatabaseSettings {
            url: format!("{base}/{name}"),
            max_connections: 8,
            ..DatabaseSettings::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&settings, dir.path(), "accounts").await.unwrap();
        Self::build(db, dir, Place::Server { url, name }, iterations(1)).await
    }

    /// Removes the database from the server.
    pub(crate) async fn demolish(self) {
        self.db.close().await.unwrap();
        if let Place::Server { url, name } = self.place {
            let server = sea_orm::Database::connect(&url).await.unwrap();
            server.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
            server.close().await.unwrap();
        }
    }

    async fn build(db: Database, dir: tempfile::TempDir, place: Place, config: Config) -> Self {
        migrate(&db, &migrations()).await.unwrap();
        let clock = Clock::fixed(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let verifier = verifier(&clock);
        let tokens =
            Arc::new(ServiceTokens::new(b"a secret of the tests, 32 bytes!", clock.clone()));
        let app = app(&db, &clock, &verifier, config);
        let guarded = guard(&app, &verifier, &tokens);
        Self { db, clock, verifier, app, guarded, tokens, place, _dir: dir }
    }

    /// The same database behind a service whose hashes cost more.
    pub(crate) fn at_a_higher_cost(&self) -> Guarded {
        let app = app(&self.db, &self.clock, &self.verifier, iterations(2));
        guard(&app, &self.verifier, &self.tokens)
    }

    /// The same database behind a service with other settings.
    pub(crate) fn configured(&self, change: impl FnOnce(&mut Config)) -> Guarded {
        let mut config = iterations(1);
        change(&mut config);
        let app = app(&self.db, &self.clock, &self.verifier, config);
        guard(&app, &self.verifier, &self.tokens)
    }

    /// The application of a process with other settings.
    pub(crate) fn process(&self, change: impl FnOnce(&mut Config)) -> Arc<App> {
        let mut config = iterations(1);
        change(&mut config);
        app(&self.db, &self.clock, &self.verifier, config)
    }

    /// The same database behind another process, which has not heard of what this one did.
    pub(crate) fn elsewhere(&self) -> AccountServiceClient<Transport> {
        let verifier = verifier(&self.clock);
        let app = app(&self.db, &self.clock, &verifier, iterations(1));
        let guarded = guard(&app, &verifier, &self.tokens);
        AccountServiceClient::new(self.transport(&guarded, "gateway"))
    }

    /// The same database behind a process that signs with another key.
    pub(crate) fn with_keys(&self, current: [u8; 32], previous: Option<[u8; 32]>) -> Guarded {
        guard(&self.app_with_keys(current, previous), &self.verifier, &self.tokens)
    }

    pub(crate) fn app_with_keys(&self, current: [u8; 32], previous: Option<[u8; 32]>) -> Arc<App> {
        let previous = previous.map(|seed| URL_SAFE_NO_PAD.encode(seed)).unwrap_or_default();
        let around = surroundings(&self.db, &self.clock, &self.verifier);
        let current = URL_SAFE_NO_PAD.encode(current);
        App::new(around, iterations(1), &current, &previous).unwrap()
    }

    /// A process whose audit is at hand: nobody runs it.
    pub(crate) fn audited(&self) -> (Guarded, Audit) {
        let around = surroundings(&self.db, &self.clock, &self.verifier);
        let audit = around.audit.clone();
        let app = App::new(around, iterations(1), &URL_SAFE_NO_PAD.encode(SEED), "").unwrap();
        (guard(&app, &self.verifier, &self.tokens), audit)
    }

    /// A process whose jobs ask these, and its app.
    pub(crate) fn asking(
        &self,
        keepers: souk_service::personal::Keepers,
        change: impl FnOnce(&mut Config),
    ) -> (Arc<App>, Guarded) {
        let mut config = iterations(1);
        change(&mut config);
        let around =
            Surroundings { keepers, ..surroundings(&self.db, &self.clock, &self.verifier) };
        let app = App::new(around, config, &URL_SAFE_NO_PAD.encode(SEED), "").unwrap();
        let guarded = guard(&app, &self.verifier, &self.tokens);
        (app, guarded)
    }

    /// A neighbor of this name.
    pub(crate) fn neighbor(
        &self,
        name: &'static str,
        methods: souk_auth::MethodTable,
        routes: tonic::service::Routes,
    ) -> Transport {
        let (verifier, tokens) = (self.verifier.clone(), self.tokens.clone());
        let stack = Stack { name, methods, verifier, tokens, concurrency: 0, refusals: None };
        self.transport(&stack.guard(routes), "accounts")
    }

    pub(crate) fn from(&self, service: &str) -> Transport {
        self.transport(&self.guarded, service)
    }

    pub(crate) fn transport(&self, to: &Guarded, from: &str) -> Transport {
        let identity = Identity { name: from.into(), tokens: self.tokens.clone() };
        Transport::local("accounts", to.clone(), identity)
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Transport> {
        AccountServiceClient::new(self.from("gateway"))
    }

    pub(crate) fn operator(&self) -> AccountServiceClient<Transport> {
        AccountServiceClient::new(self.from("operator"))
    }

    pub(crate) fn sessions(&self) -> SessionServiceClient<Transport> {
        SessionServiceClient::new(self.from("gateway"))
    }

    pub(crate) async fn login(
        &self,
        login: &str,
        password: &str,
    ) -> Result<SessionTokens, Failure> {
        let request = LoginRequest {
            login: login.to_owned(),
            password: password.to_owned(),
            address: "203.0.113.9".to_owned(),
            ..LoginRequest::default()
        };
        answer(self.sessions().login(request)).await
    }

    /// The events about people told so far, oldest first.
    pub(crate) async fn events(&self) -> Vec<(Envelope, UserChanged)> {
        let told = self.told().await.into_iter();
        let people = told.filter(|e| e.event_type.starts_with("souk.accounts.user."));
        people.map(|e| (e.clone(), e.decode::<UserChanged>().unwrap())).collect()
    }
}

/// The answer of a call, or its failure as a caller sees it.
pub(crate) async fn answer<T>(
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    // nobody's deadline counts here: a busy machine is no failure
    let deadline = Some(std::time::Instant::now() + std::time::Duration::from_secs(180));
    let context = CallContext { deadline, ..souk_rpc::current() };
    souk_rpc::scope(context, call).await.map(Response::into_inner).map_err(Failure::from)
}

/// The answer of a call on behalf of the user of this access token.
pub(crate) async fn answer_as<T>(
    token: &str,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    let context = CallContext { token: Some(token.into()), ..CallContext::default() };
    souk_rpc::scope(context, answer(call)).await
}

fn iterations(iterations: u32) -> Config {
    let argon2 = Argon2Config { memory_kib: 64, iterations, parallelism: 1 };
    // admins of these tests have no second factor unless a test is about it
    let admin_second_factor = AdminSecondFactor::Off;
    Config { argon2, admin_second_factor, ..Config::default() }
}

fn verifier(clock: &Clock) -> Arc<Verifier> {
    let jwks = serde_json::to_string(&SigningKey::from_seed(&SEED).jwks()).unwrap();
    verifier_of(jwks, clock)
}

/// Believes what these keys signed.
pub(crate) fn verifier_of(jwks: String, clock: &Clock) -> Arc<Verifier> {
    let keys = Arc::new(move || {
        let jwks = jwks.clone();
        async move { Ok(jwks) }.boxed()
    });
    Arc::new(Verifier::new(keys, clock.clone()))
}

fn app(db: &Database, clock: &Clock, verifier: &Arc<Verifier>, config: Config) -> Arc<App> {
    let around = surroundings(db, clock, verifier);
    App::new(around, config, &URL_SAFE_NO_PAD.encode(SEED), "").unwrap()
}

fn surroundings(db: &Database, clock: &Clock, verifier: &Arc<Verifier>) -> Surroundings {
    Surroundings {
        db: db.clone(),
        outbox: Outbox::new("accounts", clock.clone()),
        jobs: Jobs::new(db.clone(), clock.clone()),
        audit: Audit::new("accounts", db.clone(), clock.clone()),
        clock: clock.clone(),
        verifier: verifier.clone(),
        shop_name: "Lantern & Co".to_owned(),
        keepers: souk_service::personal::Keepers::default(),
    }
}

fn guard(app: &Arc<App>, verifier: &Arc<Verifier>, tokens: &Arc<ServiceTokens>) -> Guarded {
    let stack = Stack {
        name: "accounts",
        methods: METHODS,
        verifier: verifier.clone(),
        tokens: tokens.clone(),
        concurrency: 0,
        refusals: None,
    };
    stack.guard(routes(app))
}
