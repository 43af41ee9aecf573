//! Where an import collects its rows before it writes products: a SQLite file of its own beside the
//! upload, on any back end. So a SKU that stands on a thousand lines is one change, and a million
//! rows need no more memory than a thousand.
use std::path::{Path, PathBuf};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement};
use serde::Serialize;
use souk_jobs::ItemResult;

use crate::domain::import::Fields;
use crate::error::Error;

/// Rows on their way.
pub(crate) struct Scratch {
    db: DatabaseConnection,
    path: PathBuf,
}

/// One SKU with all that its lines said, the last word of each field.
pub(crate) struct Staged {
    pub(crate) seq: i64,
    pub(crate) line: u64,
    pub(crate) fields: Fields,
}

impl Scratch {
    fn path(upload: &Path) -> PathBuf {
        upload.with_extension("stage.db")
    }

    /// An empty one; what a crashed attempt left is thrown away.
    pub(crate) async fn create(upload: &Path) -> Result<Self, Error> {
        remove(&Self::path(upload)).await?;
        let scratch = Self::open(upload).await?;
        let tables = "CREATE TABLE stage (seq INTEGER PRIMARY KEY AUTOINCREMENT, \
                      sku TEXT NOT NULL UNIQUE, line INTEGER NOT NULL, fields TEXT NOT NULL); \
                      CREATE TABLE problem (seq INTEGER PRIMARY KEY AUTOINCREMENT, \
                      line INTEGER NOT NULL, sku TEXT NOT NULL, outcome TEXT NOT NULL, \
                      detail TEXT NOT NULL)";
        scratch.db.execute_unprepared(tables).await?;
        Ok(scratch)
    }

    /// The one of an attempt before.
    pub(crate) async fn open(upload: &Path) -> Result<Self, Error> {
        let path = Self::path(upload);
        let mut options = ConnectOptions::new(format!("sqlite:{}?mode=rwc", path.display()));
        // lost with a crash of the machine, and then begun anew: no flush is waited for
        options.max_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(|o| {
            o.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Off)
        });
        Ok(Self { db: sea_orm::Database::connect(options).await?, path })
    }

    /// Adds rows: a SKU seen before keeps its place and takes over what the new line says. All in
    /// one statement: each costs a way to SQLite's thread and back.
    pub(crate) async fn stage(&self, rows: &[(u64, String, Fields)]) -> Result<(), Error> {
        let sql = "INSERT INTO stage (sku, line, fields) \
                   SELECT value ->> 1, value ->> 0, value ->> 2 FROM json_each(?) WHERE true \
                   ON CONFLICT (sku) DO UPDATE \
                   SET line = excluded.line, fields = json_patch(stage.fields, excluded.fields)";
        let rows = rows.iter().map(|(line, sku, fields)| (line_number(*line), sku, fields));
        self.insert(sql, rows.collect::<Vec<_>>()).await
    }

    pub(crate) async fn report(&self, problems: &[ItemResult]) -> Result<(), Error> {
        let sql = "INSERT INTO problem (line, sku, outcome, detail) \
                   SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)";
        let rows =
            problems.iter().map(|p| (line_number(p.position), &p.key, &p.outcome, &p.detail));
        self.insert(sql, rows.collect::<Vec<_>>()).await
    }

    async fn insert<T: Serialize>(&self, sql: &str, rows: Vec<T>) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_string(&rows).map_err(std::io::Error::other)?;
        let backend = self.db.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [json.into()]);
        self.db.execute_raw(statement).await?;
        Ok(())
    }

    /// How many SKUs and problems there are.
    pub(crate) async fn counts(&self) -> Result<(u64, u64), Error> {
        let sql = "SELECT (SELECT count(*) FROM stage) AS staged, \
                   (SELECT count(*) FROM problem) AS problems";
        let row = self
            .db
            .query_one_raw(Statement::from_string(self.db.get_database_backend(), sql))
            .await?;
        let Some(row) = row else { return Ok((0, 0)) };
        let count = |name: &str| row.try_get::<i64>("", name).map(i64::unsigned_abs);
        Ok((count("staged")?, count("problems")?))
    }

    /// The next SKUs after a place. One row with all of them: every row costs a way from SQLite's
    /// thread to here.
    pub(crate) async fn staged_after(&self, seq: i64, limit: u32) -> Result<Vec<Staged>, Error> {
        let sql = "SELECT json_group_array(json_array(seq, line, json(fields)) ORDER BY seq) AS rows \
                   FROM (SELECT seq, line, fields FROM stage WHERE seq > ? ORDER BY seq LIMIT ?)";
        let values = [seq.into(), limit.into()];
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, values);
        let Some(row) = self.db.query_one_raw(statement).await? else { return Ok(Vec::new()) };
        let rows: String = row.try_get("", "rows")?;
        let rows: Vec<(i64, i64, Fields)> =
            serde_json::from_str(&rows).map_err(std::io::Error::other)?;
        let staged = |(seq, line, fields): (i64, i64, Fields)| Staged {
            seq,
            line: line.unsigned_abs(),
            fields,
        };
        Ok(rows.into_iter().map(staged).collect())
    }

    /// The next problems after a place.
    pub(crate) async fn problems_after(
        &self,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<(i64, ItemResult)>, Error> {
        let sql = "SELECT seq, line, sku, outcome, detail FROM problem \
                   WHERE seq > ? ORDER BY seq LIMIT ?";
        let values = [seq.into(), limit.into()];
        let backend = self.db.get_database_backend();
        let rows =
            self.db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        rows.iter()
            .map(|row| {
                let result = ItemResult {
                    position: row.try_get::<i64>("", "line")?.unsigned_abs(),
                    key: row.try_get("", "sku")?,
                    outcome: row.try_get("", "outcome")?,
                    detail: row.try_get("", "detail")?,
                };
                Ok((row.try_get("", "seq")?, result))
            })
            .collect()
    }

    /// Ends the import's need of it.
    pub(crate) async fn remove(self) -> Result<(), Error> {
        self.db.close().await?;
        remove(&self.path).await
    }
}

async fn remove(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match tokio::fs::remove_file(PathBuf::from(name)).await {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
    }
    Ok(())
}

fn line_number(line: u64) -> i64 {
    i64::try_from(line).unwrap_or(i64::MAX)
}
