//! Looks for secrets in everything that a shop keeps: files, tables, logs.
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_orm::{ConnectionTrait, Statement};
use souk_storage::{Database, DatabaseSettings};

use crate::house::{House, SERVICES};

/// Bytes by which a secret is recognized before it is compared.
const HEAD: usize = 8;

/// Secrets in every form in which one could be kept.
pub(crate) struct Secrets(HashMap<[u8; HEAD], Vec<Vec<u8>>>);

impl Secrets {
    /// Tokens in base64url, their bytes, and these in hexadecimal.
    pub(crate) fn of_tokens<'a>(tokens: impl IntoIterator<Item = &'a String>) -> Self {
        let mut secrets = Self(HashMap::new());
        for token in tokens {
            let bytes = URL_SAFE_NO_PAD.decode(token).expect("a token in base64url");
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            secrets.add(token.as_bytes());
            secrets.add(hex.as_bytes());
            secrets.add(hex.to_uppercase().as_bytes());
            secrets.add(&bytes);
        }
        secrets
    }

    pub(crate) fn of_text(text: &str) -> Self {
        let mut secrets = Self(HashMap::new());
        secrets.add(text.as_bytes());
        secrets
    }

    fn add(&mut self, secret: &[u8]) {
        let head = *secret.first_chunk().expect("too short to be a secret");
        self.0.entry(head).or_default().push(secret.to_vec());
    }

    fn count(&self, text: &[u8]) -> u64 {
        let mut hits = 0;
        for (at, head) in text.windows(HEAD).enumerate() {
            let Some(secrets) = head.first_chunk().and_then(|head| self.0.get(head)) else {
                continue;
            };
            hits += secrets.iter().filter(|secret| text[at..].starts_with(secret)).count() as u64;
        }
        hits
    }
}

/// How often the secrets stand in the databases, in other files of the shop, and in its logs. The
/// letters themselves are left out.
pub(crate) async fn hits(house: &House, secrets: &Secrets) -> u64 {
    let mut hits = 0;
    for file in files(&house.data()).into_iter().chain(house.logs()) {
        hits += secrets.count(&std::fs::read(&file).unwrap_or_default());
    }
    if house.database_url.is_empty() {
        return hits;
    }
    for service in SERVICES.iter().filter(|name| **name != "gateway") {
        let url = house.database_url.replace("{service}", service);
        let settings = DatabaseSettings { url, ..DatabaseSettings::default() };
        let db = Database::open(&settings, Path::new("/nowhere"), service).await.unwrap();
        for table in texts(&db, TABLES).await {
            let rows = texts(&db, &format!("SELECT t::text AS text FROM \"{table}\" t")).await;
            hits += rows.iter().map(|row| secrets.count(row.as_bytes())).sum::<u64>();
        }
        db.close().await.unwrap();
    }
    hits
}

const TABLES: &str = "SELECT table_name::text AS text FROM information_schema.tables \
                      WHERE table_schema = 'public' AND table_type = 'BASE TABLE'";

async fn texts(db: &Database, sql: &str) -> Vec<String> {
    let backend = db.write().get_database_backend();
    let rows = db.write().query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "text").unwrap()).collect()
}

/// Everything below but the mail.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() != "mail" => {
                found.extend(files(&entry.path()));
            }
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
