//! Threads that hash, and who finds none free.
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use futures::future::join_all;
use souk_audit::Audit;
use souk_auth::{Caller, SigningKey, Verifier};
use souk_events::Outbox;
use souk_jobs::Jobs;
use souk_rpc::{Failure, Kind};
use souk_service::Service;
use souk_storage::{Database, DatabaseSettings, Migrations, migrate};
use souk_values::Clock;

use super::*;
use crate::app::login::{Attempt, login};
use crate::app::{first_admin, tokens};
use crate::{Accounts, AdminSecondFactor, App, Argon2Config, Config, Surroundings};

/// Longer than any test: who is told before is told at once.
const NEVER: Duration = Duration::from_secs(86_400);
const SEED: [u8; 32] = [7; 32];
const PASSWORD: &str = "correct horse battery";

/// Keeps so many threads busy, each until its gate is dropped.
fn hold(hashers: &Hashers, threads: usize) -> Vec<Sender<()>> {
    let held = (0..threads).map(|_| {
        let (gate, shut) = channel::<()>();
        let work = move || {
            let _ = shut.recv();
            Ok(())
        };
        // the thread goes on without a caller
        assert!(hashers.run(work).now_or_never().is_none());
        gate
    });
    held.collect()
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<u8, Error>> + 'a>>;

/// So many who wait for a thread.
fn wait(hashers: &Hashers, count: usize) -> Vec<Waiting<'_>> {
    let waiting = (0..count).map(|_| {
        let mut waits: Waiting<'_> = Box::pin(hashers.run(|| Ok(7)));
        assert!(waits.as_mut().now_or_never().is_none());
        waits
    });
    waiting.collect()
}

#[tokio::test]
async fn no_more_run_at_once_than_there_are_cores() {
    let hashers = Hashers::start().unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let jobs = (0..100).map(|number| {
        let (now, most) = (now.clone(), most.clone());
        hashers.run(move || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(number)
        })
    });
    let done: Vec<usize> = join_all(jobs).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done, (0..100).collect::<Vec<_>>());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    assert!(most.load(Ordering::SeqCst) <= cores);
}

#[tokio::test]
async fn work_that_panics_is_an_error_and_its_thread_goes_on() {
    let hashers = Hashers::start().unwrap();
    for _ in 0..50 {
        let broken = hashers.run(|| -> Result<(), Error> { panic!("a bug") }).await;
        assert!(matches!(broken, Err(Error::Hashing(_))));
    }
    assert_eq!(hashers.run(|| Ok(7)).await.unwrap(), 7);
}

#[tokio::test]
async fn s06_who_finds_no_place_to_wait_is_told_at_once() {
    let hashers = Hashers::with(2, 3, NEVER).unwrap();
    let gates = hold(&hashers, 2);
    let mut waiting = wait(&hashers, 3);
    for _ in 0..2 {
        let told = hashers.run(|| Ok(7)).now_or_never();
        assert!(matches!(told, Some(Err(Error::Busy))), "{told:?}");
    }
    // whoever gives up makes room
    assert!(hashers.is_full());
    waiting.pop();
    assert!(!hashers.is_full());
    waiting.extend(wait(&hashers, 1));
    assert!(matches!(hashers.run(|| Ok(7)).now_or_never(), Some(Err(Error::Busy))));
    drop(gates);
    for done in join_all(waiting).await {
        assert_eq!(done.unwrap(), 7);
    }
    assert_eq!(hashers.run(|| Ok(7)).await.unwrap(), 7);
}

#[tokio::test]
async fn s06_who_waited_for_long_enough_is_told_to_come_again() {
    let hashers = Hashers::with(1, 3, Duration::from_millis(1)).unwrap();
    let _gates = hold(&hashers, 1);
    // the thread is never free
    assert!(matches!(hashers.run(|| Ok(7)).await, Err(Error::Busy)));
    assert_eq!(hashers.room.available_permits(), 3, "and their place is free again");
}

async fn app(dir: &std::path::Path, hashers: Hashers) -> Arc<App> {
    let db = Database::open(&DatabaseSettings::default(), dir, "accounts").await.unwrap();
    let tables: [Migrations; 4] = [
        souk_events::migrations,
        souk_jobs::migrations,
        souk_audit::migrations,
        Accounts::migrations(),
    ];
    migrate(&db, &tables).await.unwrap();
    let clock = Clock::system();
    let jwks = serde_json::to_string(&SigningKey::from_seed(&SEED).jwks()).unwrap();
    let keys = Arc::new(move || {
        let jwks = jwks.clone();
        async move { Ok(jwks) }.boxed()
    });
    let around = Surroundings {
        db: db.clone(),
        outbox: Outbox::new("accounts", clock.clone()),
        audit: Audit::new("accounts", db.clone(), clock.clone()),
        jobs: Jobs::new(db, clock.clone()),
        verifier: Arc::new(Verifier::new(keys, clock.clone())),
        clock,
        shop_name: "Lantern & Co".to_owned(),
        keepers: souk_service::personal::Keepers::default(),
    };
    let argon2 = Argon2Config { memory_kib: 64, iterations: 1, parallelism: 1 };
    let admin_second_factor = AdminSecondFactor::Off;
    let config = Config { argon2, admin_second_factor, ..Config::default() };
    let mut app = App::new(around, config, &URL_SAFE_NO_PAD.encode(SEED), "").unwrap();
    Arc::get_mut(&mut app).unwrap().passwords.hashers = hashers;
    app
}

fn attempt() -> Attempt {
    Attempt {
        login: "admin".to_owned(),
        password: PASSWORD.to_owned(),
        address: String::new(),
        also_login: String::new(),
        remember: false,
        device: String::new(),
        second_factor_code: String::new(),
        device_token: String::new(),
        cookie: false,
    }
}

/// Every thread is busy, every place to wait is taken, and nobody ever gives up: whoever is told so is told at once.
#[tokio::test]
async fn s06_while_every_thread_hashes_a_login_is_sent_away_and_others_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path(), Hashers::with(2, 3, NEVER).unwrap()).await;
    let caller = Caller::default();
    first_admin::create(&app, &caller, "", "admin", PASSWORD).await.unwrap().unwrap();
    let before = login(&app, attempt()).await.ok().unwrap();

    let hashers = &app.passwords.hashers;
    let gates = hold(hashers, 2);
    let waiting = wait(hashers, 3);
    for _ in 0..3 {
        let refused = Failure::from(login(&app, attempt()).await.err().unwrap());
        assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Unavailable, "busy"));
    }
    let refreshed = tokens::refresh(&app, &before.refresh_token).await.ok().unwrap();
    assert_ne!(refreshed.refresh_token, before.refresh_token);

    drop(gates);
    join_all(waiting).await;
    // to be sent away is no failed attempt, however often
    assert!(login(&app, attempt()).await.is_ok());
}
