//! The floor under buying: the rows of an order written by sea-orm in one transaction, with nothing
//! around it.
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};
use tokio::runtime::Runtime;

use super::{CLIENTS, LINES};
use crate::run::Servers;

/// Tables of the rows that an order makes, and how many in each: the order, its lines, its history,
/// its payment in both books, the calls, its goods' reservations and movements, its events.
const ROWS: [(&str, usize); 8] = [
    ("orders", 1),
    ("order_line", LINES),
    ("order_history", 3),
    ("payment", 2),
    ("test_call", 2),
    ("reservation", LINES),
    ("stock_ledger", LINES),
    ("outbox", 2 + 2 * LINES),
];

/// A database with tables of its own.
pub(super) struct Floor {
    runtime: Runtime,
    db: DatabaseConnection,
    next: Arc<AtomicUsize>,
    products: usize,
}

impl Floor {
    /// Beside Souk's files, or in the database of its orders.
    pub(super) fn open(dir: &Path, servers: Option<&Servers>, products: usize) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let mut options = match servers {
            Some(servers) => ConnectOptions::new(servers.database.replace("{service}", "orders")),
            None => {
                let file = dir.join("floor.db");
                ConnectOptions::new(format!("sqlite:{}?mode=rwc", file.display()))
            }
        };
        // as Souk has it: one writer on SQLite
        options.max_connections(if servers.is_some() { CLIENTS as u32 } else { 1 });
        options.sqlx_logging(false);
        let db = runtime.block_on(async {
            let db = Database::connect(options).await?;
            if servers.is_none() {
                db.execute_unprepared("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").await?;
            }
            for table in ROWS.iter().map(|(table, _)| *table).chain(["cart", "stock"]) {
                let sql = format!(
                    "CREATE TABLE IF NOT EXISTS floor_{table} \
                     (id TEXT PRIMARY KEY, parent TEXT NOT NULL, n BIGINT NOT NULL, body TEXT NOT NULL)"
                );
                db.execute_unprepared(&sql).await?;
            }
            for product in 0..products {
                let sql = format!(
                    "INSERT INTO floor_stock VALUES ('{product}', '', 0, '') ON CONFLICT DO NOTHING"
                );
                db.execute_unprepared(&sql).await?;
            }
            anyhow::Ok(db)
        })?;
        Ok(Self { runtime, db, next: Arc::default(), products })
    }

    /// One row each, in a transaction of its own.
    pub(super) fn carts(&self, count: usize) -> Result<()> {
        self.many(count, |db, number| async move { insert(&db, "cart", number, 1, 100).await })
    }

    /// Everything that an order leaves, in one transaction each.
    pub(super) fn orders(&self, count: usize) -> Result<()> {
        let products = self.products;
        self.many(count, move |db, number| async move {
            let options = TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            };
            let tx = db.begin_with_options(options).await?;
            for (table, rows) in ROWS {
                insert(&tx, table, number, rows, 300).await?;
            }
            for line in 0..LINES {
                let sql = "UPDATE floor_stock SET n = n + 1 WHERE id = $1 AND n < 1000000000";
                let id = ((number * LINES + line) % products).to_string();
                let backend = tx.get_database_backend();
                tx.execute_raw(Statement::from_sql_and_values(backend, sql, [id.into()])).await?;
            }
            tx.commit().await?;
            Ok(())
        })
    }

    fn many<F>(
        &self,
        count: usize,
        act: impl Fn(DatabaseConnection, usize) -> F + Copy + Send + 'static,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let end = self.next.load(Ordering::Relaxed) + count;
        self.runtime.block_on(async {
            let mut tasks = Vec::new();
            for _ in 0..CLIENTS {
                let (db, next) = (self.db.clone(), self.next.clone());
                tasks.push(tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= end {
                            return anyhow::Ok(());
                        }
                        act(db.clone(), number).await?;
                    }
                }));
            }
            for task in tasks {
                task.await??;
            }
            self.next.store(end, Ordering::Relaxed);
            Ok(())
        })
    }
}

async fn insert(
    db: &impl ConnectionTrait,
    table: &str,
    number: usize,
    rows: usize,
    size: usize,
) -> Result<()> {
    let places: Vec<String> = (0..rows)
        .map(|row| {
            let first = row * 4;
            format!("(${}, ${}, ${}, ${})", first + 1, first + 2, first + 3, first + 4)
        })
        .collect();
    let sql = format!("INSERT INTO floor_{table} VALUES {}", places.join(","));
    let mut values: Vec<sea_orm::Value> = Vec::with_capacity(rows * 4);
    for row in 0..rows {
        values.push(format!("{number}-{row}").into());
        values.push(number.to_string().into());
        values.push((row as i64).into());
        values.push("x".repeat(size).into());
    }
    let backend = db.get_database_backend();
    db.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}
