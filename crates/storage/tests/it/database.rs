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
async fn what_is_no_database_is_refused() {
    let here = Path::new(".");
    let mysql = Database::open(&at("mysql://x/y"), here, "shelf").await.unwrap_err();
    assert!(matches!(&mysql, StorageError::Url(service) if service == "shelf"));
    assert!(mysql.to_string().contains("must begin with postgres:// or sqlite:"));
    let nowhere =
        Database::open(&at("sqlite:/nowhere/at/all.db"), here, "shelf").await.unwrap_err();
    assert!(nowhere.to_string().contains("cannot open the database of shelf"));
}
