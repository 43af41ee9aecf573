//! Imports whose process dies on the way. A process is a runtime here: dropping it ends everything
//! in it wherever it stands, as a kill does.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use souk_proto::catalog::v1::ImportOptions;
use souk_proto::operations::v1::Job;
use tokio::runtime::Runtime;

use crate::files::counts;
use crate::shop::{Place, Shop, clock, eventually};

const GOOD: usize = 3_000;
const BAD: usize = 3_000;

fn file() -> String {
    let mut file = "sku,name,price\n".to_owned();
    for n in 0..GOOD.max(BAD) {
        file.push_str(&format!("S{n},Product {n},1.50\nX{n},Bad,-1\n"));
    }
    file
}

/// How far a job is: 0 waiting, 1 reading, 2 reporting, 3 writing, 4 ended.
fn phase(job: &Job) -> u32 {
    match job.message.split(' ').next().unwrap_or_default() {
        _ if job.status == "succeeded" => 4,
        "reading" => 1,
        "reporting" => 2,
        "writing" => 3,
        _ => 0,
    }
}

/// Runs `work` in a process that is killed after it.
fn process<T>(place: &Arc<Place>, work: impl AsyncFnOnce(&Shop) -> T) -> T {
    let runtime = Runtime::new().unwrap();
    let time = clock();
    let (shop, done) = runtime.block_on(async {
        let shop = place.open(&time).await;
        let done = work(&shop).await;
        (shop, done)
    });
    runtime.shutdown_timeout(Duration::from_secs(10));
    drop(shop);
    done
}

fn survives_a_crash_in_each_phase(place: &Arc<Place>) {
    let file = file();
    let id = process(place, async |shop| {
        shop.upload(ImportOptions::default(), file.as_bytes()).await.unwrap()
    });
    for wanted in 1..=3 {
        process(place, async |shop| {
            // the lease of the one that died runs out
            shop.clock.advance(TimeDelta::minutes(i64::from(wanted)));
            eventually("the next phase", || async {
                (phase(&shop.job(&id).await) >= wanted).then_some(())
            })
            .await;
        });
    }
    process(place, async |shop| {
        shop.clock.advance(TimeDelta::minutes(10));
        let job = shop.ended(&id).await;
        assert_eq!(job.status, "succeeded", "{}", job.message);
        assert!(job.attempts > 1, "nothing was interrupted");
        let expected = [("created", GOOD as u64), ("rejected", BAD as u64)];
        assert_eq!(counts(&job), BTreeMap::from(expected));
        assert_eq!((job.done, job.total), (GOOD as u64, GOOD as u64));
        let results = shop.results(&job).await;
        assert_eq!(results.len(), GOOD + BAD);
        let events = shop.events().await;
        let told: HashSet<&str> = events.iter().map(|(_, e)| e.product_id.as_str()).collect();
        assert_eq!((events.len(), told.len()), (GOOD, GOOD));
        assert!(events.iter().all(|(_, e)| e.kind == "created" && e.version == 1));
        assert_eq!(shop.export(true).await.lines().count(), GOOD + 1);
        let left = std::fs::read_dir(place.dir.path().join("files/catalog/imports")).unwrap();
        assert_eq!(left.count(), 0, "files were left behind");
    });
}

#[test]
fn an_import_survives_a_crash_in_each_phase_on_sqlite() {
    survives_a_crash_in_each_phase(&Place::file());
}

#[test]
fn an_import_survives_a_crash_in_each_phase_on_postgresql() {
    let runtime = Runtime::new().unwrap();
    let place = runtime.block_on(Place::server());
    survives_a_crash_in_each_phase(&place);
    runtime.block_on(place.clear());
}
