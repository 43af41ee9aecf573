//! Bringing schemas up to date.

use souk_storage::{migrate, roll_back};

use crate::place::Place;
use crate::schema::{ALL, broken, has, number, put, rest, things};

crate::on_both! {
    a_second_migration_changes_nothing
    a_schema_goes_up_and_down_and_up_again
    a_new_owner_joins_a_database_that_is_in_use
    a_broken_migration_leaves_nothing_behind
    several_that_start_at_once_migrate_once
}

async fn a_second_migration_changes_nothing(place: &Place) {
    let db = place.open().await;
    migrate(&db, &ALL).await.unwrap();
    put(db.write(), "1, 'a', 'x', 0").await.unwrap();
    migrate(&db, &ALL).await.unwrap();
    assert_eq!(number(db.read(), "SELECT count(*) FROM thing").await.unwrap(), 1);
    assert_eq!(number(db.read(), "SELECT count(*) FROM seaql_migrations").await.unwrap(), 2);
    db.close().await.unwrap();
}

async fn a_schema_goes_up_and_down_and_up_again(place: &Place) {
    let db = place.open().await;
    for _ in 0..2 {
        migrate(&db, &ALL).await.unwrap();
        assert!(has(db.write(), "thing").await && has(db.write(), "rest").await);
        put(db.write(), "1, 'a', 'x', 0").await.unwrap();
        roll_back(&db, &ALL).await.unwrap();
        assert!(!has(db.write(), "thing").await && !has(db.write(), "rest").await);
    }
    db.close().await.unwrap();
}

async fn a_new_owner_joins_a_database_that_is_in_use(place: &Place) {
    let db = place.open().await;
    migrate(&db, &[rest]).await.unwrap();
    // its migration is older than one that was applied
    migrate(&db, &[rest, things]).await.unwrap();
    assert!(has(db.write(), "thing").await);
    db.close().await.unwrap();
}

async fn a_broken_migration_leaves_nothing_behind(place: &Place) {
    let db = place.open().await;
    let error = migrate(&db, &[things, broken]).await.unwrap_err();
    assert!(error.to_string().contains("broken on the way"), "{error}");
    for table in ["thing", "half", "seaql_migrations"] {
        assert!(!has(db.write(), table).await, "{table}");
    }
    migrate(&db, &ALL).await.unwrap();
    db.close().await.unwrap();
}

async fn several_that_start_at_once_migrate_once(place: &Place) {
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(place.open().await);
    }
    let done = futures::future::join_all(all.iter().map(|db| migrate(db, &ALL))).await;
    for result in done {
        result.unwrap();
    }
    assert_eq!(number(all[0].read(), "SELECT count(*) FROM seaql_migrations").await.unwrap(), 2);
    for db in all {
        db.close().await.unwrap();
    }
}
