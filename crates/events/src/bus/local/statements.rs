//! The SQL of the writer. Sets go over as JSON arrays: one statement for any number of rows.
use std::fmt::Write as _;
use std::sync::LazyLock;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

/// Rows of one INSERT: few texts, so that each is prepared once.
const ROWS: usize = 50;

static INSERT_ROWS: LazyLock<String> = LazyLock::new(|| insert_messages(ROWS));
static INSERT_ROW: LazyLock<String> = LazyLock::new(|| insert_messages(1));

pub(super) struct NewMessage<'a> {
    pub(super) id: i64,
    pub(super) headers: &'a str,
    pub(super) payload: &'a [u8],
}

pub(super) struct Taken {
    pub(super) message: i64,
    pub(super) attempts: u32,
    pub(super) note: Option<String>,
    pub(super) headers: String,
    pub(super) payload: Vec<u8>,
}

fn insert_messages(rows: usize) -> String {
    let places = vec!["(?, ?, ?)"; rows].join(", ");
    format!("INSERT INTO message (id, headers, payload) VALUES {places}")
}

pub(super) async fn run(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::query(sql).execute(conn).await.map(drop)
}

pub(super) async fn last_message(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let sql = "SELECT coalesce(max(id), 0) FROM message";
    sqlx::query_scalar(sql).fetch_one(conn).await
}

pub(super) async fn declare(
    conn: &mut SqliteConnection,
    name: &str,
    bindings: &str,
) -> Result<i64, sqlx::Error> {
    let sql = "INSERT INTO queue (name, bindings) VALUES (?, ?)
               ON CONFLICT (name) DO UPDATE SET bindings = excluded.bindings RETURNING id";
    sqlx::query_scalar(sql).bind(name).bind(bindings).fetch_one(conn).await
}

pub(super) async fn insert(
    conn: &mut SqliteConnection,
    messages: &[NewMessage<'_>],
) -> Result<(), sqlx::Error> {
    let (many, few) = messages.as_chunks::<ROWS>();
    let many = many.iter().map(|rows| (INSERT_ROWS.as_str(), rows.as_slice()));
    let few = few.chunks(1).map(|row| (INSERT_ROW.as_str(), row));
    for (sql, rows) in many.chain(few) {
        let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        for row in rows {
            query = query.bind(row.id).bind(row.headers).bind(row.payload);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

pub(super) async fn deliver(
    conn: &mut SqliteConnection,
    queue: i64,
    messages: &[i64],
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO delivery (queue, message, ready_at, attempts)
               SELECT ?1, value, 0, 0 FROM json_each(?2)";
    sqlx::query(sql).bind(queue).bind(json(messages)).execute(conn).await.map(drop)
}

/// Messages whose time has come again.
pub(super) async fn take_due(
    conn: &mut SqliteConnection,
    queue: i64,
    now_us: i64,
    most: i64,
) -> Result<Vec<Taken>, sqlx::Error> {
    let sql = "SELECT d.message, d.attempts, d.note, m.headers, m.payload
               FROM delivery d CROSS JOIN message m ON m.id = d.message
               WHERE d.queue = ? AND d.ready_at > 0 AND d.ready_at <= ?
               ORDER BY d.ready_at, d.message LIMIT ?";
    let query = sqlx::query(sql).bind(queue).bind(now_us).bind(most);
    let rows = decode(query.fetch_all(&mut *conn).await?)?;
    if !rows.is_empty() {
        let taken: Vec<i64> = rows.iter().map(|row| row.message).collect();
        let sql = "UPDATE delivery SET ready_at = -1, attempts = attempts + 1
                   WHERE queue = ? AND message IN (SELECT value FROM json_each(?))";
        sqlx::query(sql).bind(queue).bind(json(&taken)).execute(conn).await?;
    }
    Ok(rows)
}

/// Messages after the cursor, for the first time since the file was opened.
pub(super) async fn take_fresh(
    conn: &mut SqliteConnection,
    queue: i64,
    cursor: i64,
    most: i64,
) -> Result<Vec<Taken>, sqlx::Error> {
    let sql = "SELECT d.message, d.attempts, d.note, m.headers, m.payload
               FROM delivery d CROSS JOIN message m ON m.id = d.message
               WHERE d.queue = ? AND d.message > ? AND d.ready_at = 0
               ORDER BY d.message LIMIT ?";
    let query = sqlx::query(sql).bind(queue).bind(cursor).bind(most);
    let rows = decode(query.fetch_all(&mut *conn).await?)?;
    if let Some(last) = rows.last() {
        let sql = "UPDATE delivery SET attempts = attempts + 1
                   WHERE queue = ? AND message > ? AND message <= ? AND ready_at = 0";
        sqlx::query(sql).bind(queue).bind(cursor).bind(last.message).execute(conn).await?;
    }
    Ok(rows)
}

pub(super) async fn next_due(
    conn: &mut SqliteConnection,
    queue: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let sql = "SELECT min(ready_at) FROM delivery WHERE queue = ? AND ready_at > 0";
    sqlx::query_scalar(sql).bind(queue).fetch_one(conn).await
}

/// Takes messages out of a queue for good.
pub(super) async fn remove(
    conn: &mut SqliteConnection,
    queue: i64,
    messages: &[i64],
) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM delivery
               WHERE queue = ? AND message IN (SELECT value FROM json_each(?))";
    sqlx::query(sql).bind(queue).bind(json(messages)).execute(conn).await.map(drop)
}

/// Deletes bodies that no queue holds any more.
pub(super) async fn forget(
    conn: &mut SqliteConnection,
    messages: &[i64],
) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM message WHERE id IN (SELECT value FROM json_each(?)) AND NOT EXISTS (
                   SELECT 1 FROM queue q CROSS JOIN delivery d
                   ON d.queue = q.id AND d.message = message.id)";
    sqlx::query(sql).bind(json(messages)).execute(conn).await.map(drop)
}

/// Puts a taken message back, to be taken from `ready_at` on; `untaken` takes its last attempt
/// back.
pub(super) async fn put_back(
    conn: &mut SqliteConnection,
    queue: i64,
    message: i64,
    ready_at: i64,
    untaken: bool,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE delivery SET ready_at = ?, attempts = attempts - ?
               WHERE queue = ? AND message = ?";
    let query = sqlx::query(sql).bind(ready_at).bind(i64::from(untaken));
    query.bind(queue).bind(message).execute(conn).await.map(drop)
}

/// Moves a message to another queue, with a note beside it.
pub(super) async fn move_to(
    conn: &mut SqliteConnection,
    from: i64,
    to: i64,
    message: i64,
    note: &str,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE delivery SET queue = ?, ready_at = 1, attempts = 0, note = ?
               WHERE queue = ? AND message = ?";
    let query = sqlx::query(sql).bind(to).bind(note).bind(from).bind(message);
    query.execute(conn).await.map(drop)
}

fn json(ids: &[i64]) -> String {
    let mut json = String::with_capacity(ids.len() * 8 + 2);
    json.push('[');
    for (place, id) in ids.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(json, "{comma}{id}");
    }
    json.push(']');
    json
}

fn decode(rows: Vec<SqliteRow>) -> Result<Vec<Taken>, sqlx::Error> {
    let row = |row: SqliteRow| {
        Ok(Taken {
            message: row.try_get(0)?,
            attempts: row.try_get(1)?,
            note: row.try_get(2)?,
            headers: row.try_get(3)?,
            payload: row.try_get(4)?,
        })
    };
    rows.into_iter().map(row).collect()
}
