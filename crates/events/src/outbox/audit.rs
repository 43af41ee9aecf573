//! Looking back over the outbox: whether every version was told once, and what was sent.
use std::collections::HashMap;

use sea_orm::{DbErr, FromQueryResult, Statement};
use souk_storage::Database;

/// Every event that is kept, waiting or sent.
const ALL: &str = "(SELECT subject, epoch, version FROM outbox \
                   UNION ALL SELECT subject, epoch, version FROM outbox_sent) AS told";

/// An epoch counts more than any version.
const EPOCH: i64 = 1 << 40;

/// An aggregate whose versions were not told one by one, since its restore if there was one.
#[derive(Debug, FromQueryResult)]
pub struct Gap {
    pub subject: String,
    /// Events there are.
    pub events: i64,
    /// Different versions among them.
    pub versions: i64,
    pub first: i64,
    pub last: i64,
}

/// A sent event.
#[derive(Debug, FromQueryResult)]
pub struct Sent {
    pub seq: i64,
    pub event_id: uuid::Uuid,
    #[sea_orm(from_alias = "type")]
    pub event_type: String,
}

#[derive(FromQueryResult)]
struct Head {
    subject: String,
    last: i64,
}

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}

/// Aggregates with a version that was told twice or never, and how many were looked at. What was
/// pruned is not missed: versions count from the oldest that is kept.
pub async fn gaps(db: &Database) -> Result<(u64, Vec<Gap>), DbErr> {
    let sql = format!(
        "SELECT subject, COUNT(*) AS events, COUNT(DISTINCT version) AS versions, \
         MIN(version) AS first, MAX(version) AS last FROM {ALL} GROUP BY subject, epoch \
         HAVING COUNT(*) <> COUNT(DISTINCT version) OR MAX(version) - MIN(version) + 1 <> COUNT(*)"
    );
    let gaps = Gap::find_by_statement(statement(db, &sql, [])).all(db.write()).await?;
    let sql = format!("SELECT COUNT(DISTINCT subject) AS n FROM {ALL}");
    let count = Count::find_by_statement(statement(db, &sql, [])).one(db.write()).await?;
    Ok((count.map_or(0, |c| c.n.unsigned_abs()), gaps))
}

/// The last version told of each of these subjects (`product/prd_…`), at most 500, in its newest
/// epoch. What nothing is kept of is left out.
pub async fn heads(db: &Database, subjects: &[String]) -> Result<HashMap<String, i64>, DbErr> {
    if subjects.is_empty() {
        return Ok(HashMap::new());
    }
    let places: Vec<String> = (1..=subjects.len()).map(|n| format!("${n}")).collect();
    let places = places.join(",");
    let rows = |table: &str| {
        format!("SELECT subject, epoch, version FROM {table} WHERE subject IN ({places})")
    };
    let sql = format!(
        "SELECT subject, MAX({EPOCH} * epoch + version) AS last \
         FROM ({} UNION ALL {}) AS told GROUP BY subject",
        rows("outbox"),
        rows("outbox_sent")
    );
    let backend = db.write().get_database_backend();
    let values = subjects.iter().map(|subject| subject.as_str().into());
    let heads = Statement::from_sql_and_values(backend, sql, values);
    let heads = Head::find_by_statement(heads).all(db.write()).await?;
    Ok(heads.into_iter().map(|head| (head.subject, head.last % EPOCH)).collect())
}

/// Events sent after `seq`, oldest first.
pub async fn sent(db: &Database, after: i64, limit: u32) -> Result<Vec<Sent>, DbErr> {
    let sql = "SELECT seq, event_id, type FROM outbox_sent WHERE seq > $1 ORDER BY seq LIMIT $2";
    let values = [after.into(), i64::from(limit).into()];
    Sent::find_by_statement(statement(db, sql, values)).all(db.write()).await
}

fn statement<const N: usize>(db: &Database, sql: &str, values: [sea_orm::Value; N]) -> Statement {
    Statement::from_sql_and_values(db.write().get_database_backend(), sql, values)
}
