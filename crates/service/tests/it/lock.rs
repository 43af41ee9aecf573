//! One owner of a data directory.

use souk_service::{DataLock, House, LockError};
use souk_values::Clock;

use crate::tenants::{Stage, desk};

#[test]
fn a_second_owner_is_refused_until_the_first_one_goes() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("made/on/the/way");
    let first = DataLock::take(&data).unwrap();
    let refused = DataLock::take(&data).unwrap_err();
    assert!(matches!(&refused, LockError::Held(path) if *path == data));
    let sentence = refused.to_string();
    assert!(sentence.contains("in use by another souk process"), "{sentence}");
    assert!(sentence.contains(data.to_str().unwrap()) && sentence.contains("--data-dir"));
    drop(first);
    assert!(DataLock::take(&data).is_ok());
}

#[test]
fn a_place_that_is_no_directory_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let sentence = DataLock::take(&file).unwrap_err().to_string();
    assert!(
        sentence.starts_with("cannot use") && sentence.contains("data directory"),
        "{sentence}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_house_in_the_same_place_does_not_start() {
    let stage = Stage::new();
    let house = stage.start(&[desk()], &[]).await.unwrap();
    let loaded = stage.load(&[]).unwrap();
    let start = House::start(&loaded, &[desk()], Clock::system()).await;
    let sentence = format!("{:#}", start.err().unwrap());
    assert!(sentence.contains("in use by another souk process"), "{sentence}");
    let migrate = House::migrate(&loaded, &[desk()]).await.unwrap_err();
    assert!(format!("{migrate:#}").contains("in use by another souk process"));
    assert!(house.stop().await);
    let house = stage.start(&[desk()], &[]).await.unwrap();
    assert!(house.stop().await);
}
