//! Opening databases.

use std::path::Path;

use souk_storage::{Database, DatabaseSettings, StorageError};

use crate::place::Place;
use crate::schema::number;

crate::on_both! {
    an_open_database_answers
}

async fn an_open_database_answers(place: &Place) {
    let db = place.open().await;
    db.ping().await.unwrap();
    assert_eq!(number(db.read(), "SELECT 1 + 1").await.is_ok(), !db.is_postgres());
    assert_eq!(number(db.read(), "SELECT CAST(2 AS BIGINT)").await.unwrap(), 2);
    db.close().await.unwrap();
}

fn at(url: &str) -> DatabaseSettings {
    DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() }
}

#[tokio::test]
async fn a_file_lies_where_the_settings_say() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own");
    std::fs::create_dir(&own).unwrap();
    let url = format!("sqlite:{}/the-{{service}}.db", own.display());
    for (settings, file) in
        [(at(""), dir.path().join("shelf.db")), (at(&url), own.join("the-shelf.db"))]
    {
        let db = Database::open(&settings, dir.path(), "shelf").await.unwrap();
        db.close().await.unwrap();
        assert!(file.is_file(), "{}", file.display());
    }
}

#[tokio::test]
async fn a_file_is_durable_and_checks_foreign_keys() {
    let place = Place::file();
    let db = place.open().await;
    // 2: FULL, every commit is on the disk
    for (pragma, value) in [("synchronous", 2), ("foreign_keys", 1)] {
        assert_eq!(number(db.write(), &format!("PRAGMA {pragma}")).await.unwrap(), value);
    }
    let wal = "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'";
    assert_eq!(number(db.write(), wal).await.unwrap(), 1);
    db.close().await.unwrap();
}

#[tokio::test]
async fn what_was_erased_is_in_no_file_any_more() {
    let place = Place::file();
    let db = place.open().await;
    let write = async |sql: &str| {
        use sea_orm::ConnectionTrait;
        db.write().execute_unprepared(sql).await.unwrap();
    };
    write("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT)").await;
    write("CREATE INDEX person_name ON person (name)").await;
    // enough that pages are split, and rows moved from one to another
    for n in 0..400 {
        let name = if n == 200 { "Zwetschgenberger" } else { "Nobody at all, at great length" };
        write(&format!("INSERT INTO person VALUES ({}, '{name} {n}')", (n * 7919) % 401)).await;
    }
    write("UPDATE person SET name = 'x' || id WHERE name LIKE 'Zwetschgen%'").await;
    write("DELETE FROM person WHERE id % 3 = 0").await;
    let lies = || {
        let files = std::fs::read_dir(place.dir.path()).unwrap().flatten();
        let mut files = files.map(|file| std::fs::read(file.path()).unwrap());
        files.any(|bytes| bytes.windows(10).any(|some| some == b"Zwetschgen"))
    };
    assert!(lies(), "a search that cannot find it proves nothing");
    assert!(db.scrub().await.unwrap());
    assert!(!lies());
    let left = number(db.read(), "SELECT COUNT(*) FROM person").await.unwrap();
    assert!((266..=268).contains(&left), "{left}");
    // again, and beside a reader
    assert!(db.scrub().await.unwrap());
    db.close().await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let here = Path::new(".");
    let mysql = Database::open(&at("mysql://x/y"), here, "shelf").await.unwrap_err();
    assert!(matches!(&mysql, StorageError::Url(service) if service == "shelf"));
    assert!(mysql.to_string().contains("must begin with postgres:// or sqlite:"));
    let nowhere =
        Database::open(&at("sqlite:/nowhere/at/all.db"), here, "shelf").await.unwrap_err();
    assert!(nowhere.to_string().contains("cannot open the database of shelf"));
}
