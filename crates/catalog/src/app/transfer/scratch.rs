//! Where an import collects its rows before it writes products: a SQLite file of its own beside the
//! upload, on any back end. So a SKU that stands on a thousand lines is one change, and a million
//! rows need no more memory than a thousand.
use std::path::{Path, PathBuf};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement, TransactionTrait};
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

    /// Adds rows: a SKU seen before keeps its place and takes over what the new line says.
    #[allow(clippy::disallowed_methods, reason = "nobody else writes to this file")]
    pub(crate) async fn stage(&self, rows: &[(u64, String, Fields)]) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let sql = "INSERT INTO stage (sku, line, fields) VALUES (?, ?, ?) \
                   ON CONFLICT (sku) DO UPDATE SET line = excluded.line, fields = json_patch(stage.fields, excluded.fields)";
        for (line, sku, fields) in rows {
            let fields = serde_json::to_string(fields).map_err(std::io::Error::other)?;
            let values = [sku.as_str().into(), line_number(*line).into(), fields.into()];
            tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
                .await?;
        }
        Ok(tx.commit().await?)
    }

    #[allow(clippy::disallowed_methods, reason = "nobody else writes to this file")]
    pub(crate) async fn report(&self, problems: &[ItemResult]) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let sql = "INSERT INTO problem (line, sku, outcome, detail) VALUES (?, ?, ?, ?)";
        for p in problems {
            let values = [
                line_number(p.position).into(),
                p.key.as_str().into(),
                p.outcome.as_str().into(),
                p.detail.as_str().into(),
            ];
            tx.execute_raw(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
                .await?;
        }
        Ok(tx.commit().await?)
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

    /// The next SKUs after a place.
    pub(crate) async fn staged_after(&self, seq: i64, limit: u32) -> Result<Vec<Staged>, Error> {
        let sql = "SELECT seq, line, fields FROM stage WHERE seq > ? ORDER BY seq LIMIT ?";
        let values = [seq.into(), limit.into()];
        let backend = self.db.get_database_backend();
        let rows =
            self.db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        rows.iter()
            .map(|row| {
                let fields: String = row.try_get("", "fields")?;
                Ok(Staged {
                    seq: row.try_get("", "seq")?,
                    line: row.try_get::<i64>("", "line")?.unsigned_abs(),
                    fields: serde_json::from_str(&fields).map_err(std::io::Error::other)?,
                })
            })
            .collect()
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
