//! What a shop leaves behind in databases and files.
use std::fs;
use std::path::Path;

use sea_orm::{ConnectionTrait, Statement};
use souk_storage::{Database, DatabaseSettings};
use souk_testkit::Storehouse;

use super::bus;
use super::marks::Place;

/// Services with a database.
pub(super) const KEEPERS: [&str; 5] = ["accounts", "analytics", "catalog", "notifier", "orders"];

/// Every column of every table, whole; also those of the bus that is a file.
pub(super) async fn tables(store: &Storehouse) -> Vec<Place> {
    let mut places = Vec::new();
    for (name, db) in databases(store).await {
        for (table, column) in columns(&db).await {
            let bytes = values(&db, &table, &column).await.join(&b"\n"[..]);
            places.push(Place { name: format!("{name}: {table}.{column}"), bytes });
        }
        db.close().await.expect("it closes");
    }
    places
}

/// All that there are, by name.
pub(super) async fn databases(store: &Storehouse) -> Vec<(&'static str, Database)> {
    let mut found = Vec::new();
    for service in KEEPERS {
        let url = store.setting("database.url").unwrap_or_default().to_owned();
        let settings = DatabaseSettings { url, ..DatabaseSettings::default() };
        let db = Database::open(&settings, &store.data_dir(), service).await;
        found.push((service, db.unwrap_or_else(|e| panic!("the database of {service}: {e}"))));
    }
    if store.setting("bus.url").is_none() {
        found.push(("bus", bus::open(&store.data_dir()).await));
    }
    found
}

async fn columns(db: &Database) -> Vec<(String, String)> {
    let sql = if db.is_postgres() {
        "SELECT table_name::text AS a, column_name::text AS b FROM information_schema.columns \
         WHERE table_schema = 'public' ORDER BY 1, 2"
    } else {
        "SELECT t.name AS a, c.name AS b FROM sqlite_master t, pragma_table_info(t.name) c \
         WHERE t.type = 'table' ORDER BY 1, 2"
    };
    let rows = rows(db, sql.to_owned()).await;
    let text = |row: &sea_orm::QueryResult, name: &str| -> String {
        row.try_get("", name).expect("a name")
    };
    rows.iter().map(|row| (text(row, "a"), text(row, "b"))).collect()
}

/// As bytes: what is no text is looked into as well.
async fn values(db: &Database, table: &str, column: &str) -> Vec<Vec<u8>> {
    let digits = if db.is_postgres() {
        // bytea is printed in hexadecimal digits, which are looked for too
        format!("encode(convert_to(\"{column}\"::text, 'UTF8'), 'hex')")
    } else {
        format!("hex(\"{column}\")")
    };
    let sql = format!("SELECT {digits} AS v FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
    let rows = rows(db, sql).await;
    rows.iter().map(|row| bytes(&row.try_get::<String>("", "v").expect("digits"))).collect()
}

fn bytes(digits: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

async fn rows(db: &Database, sql: String) -> Vec<sea_orm::QueryResult> {
    let db = db.write();
    let statement = Statement::from_string(db.get_database_backend(), sql);
    db.query_all_raw(statement).await.expect("rows")
}

/// Every file of the data directory but databases of services, secrets and letters. On the default
/// back ends the file of the queues is among them, with what was deleted from it.
pub(super) fn files(store: &Storehouse) -> Vec<Place> {
    let home = store.data_dir();
    let left_out = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name == "mail"
            || name == "secrets"
            || KEEPERS.iter().any(|service| name.starts_with(&format!("{service}.db")))
    };
    let mut places = Vec::new();
    let mut open = vec![home.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("the data directory").flatten() {
            let path = entry.path();
            let kind = entry.file_type().expect("a type");
            if folder == home && left_out(&path) {
                continue;
            }
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() {
                let name = format!("file: {}", path.strip_prefix(&home).unwrap_or(&path).display());
                places.push(Place { name, bytes: fs::read(&path).expect("a file") });
            }
        }
    }
    places
}

/// The files of the services' databases as they lie there: also what was deleted. Only for what may
/// be in none of them.
pub(super) fn remains(store: &Storehouse) -> Vec<Place> {
    let Ok(entries) = fs::read_dir(store.data_dir()) else { return Vec::new() };
    let files = entries.flatten().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        KEEPERS.iter().any(|service| name.starts_with(&format!("{service}.db")))
    });
    let place = |entry: fs::DirEntry| Place {
        name: format!("remains: {}", entry.file_name().to_string_lossy()),
        bytes: fs::read(entry.path()).expect("a file"),
    };
    files.map(place).collect()
}
