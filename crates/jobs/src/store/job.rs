//! The rows of jobs: claimed, renewed, saved, ended.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, LockBehavior, LockType, Query, SimpleExpr, SubQueryStatement};
use sea_orm::{Condition, ExprTrait, QueryOrder, QuerySelect, Set};
use serde_json::Value;
use souk_storage::{Database, Tx};
use souk_values::{Cursor, JobId, Page};

use super::{bulk_insert, to_i64, to_u64};
use crate::lease::Lease;
use crate::{Job, NewJob, Progress, Status};

/// How long a claim holds without a sign of life. Clocks of processes must agree better than that.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    pub kind: String,
    pub status: Status,
    #[sea_orm(column_type = "JsonBinary")]
    pub params: Value,
    pub done: i64,
    pub total: i64,
    pub message: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub counts: Value,
    #[sea_orm(column_type = "JsonBinary")]
    pub checkpoint: Value,
    pub created_by: String,
    pub created_at: DateTimeUtc,
    pub run_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub attempts: i32,
    /// Attempts that ended in an error.
    pub failures: i32,
    /// Attempts since the last save whose runner vanished.
    pub crashes: i32,
    /// The runner's proof of its claim; changes with every claim.
    pub claim: Option<Uuid>,
    pub lease_until: Option<DateTimeUtc>,
    pub cancel_requested: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeeded,
    Failed {
        message: String,
    },
    Cancelled,
    /// Counts as a failure.
    Again {
        at: DateTime<Utc>,
        message: String,
    },
    /// Counts as nothing.
    Later {
        at: DateTime<Utc>,
        message: String,
    },
    /// The process stops; anybody may go on.
    Released,
}

pub(crate) async fn insert(tx: &Tx, now: DateTime<Utc>, job: NewJob) -> Result<JobId, DbErr> {
    let id = JobId::new();
    let row = ActiveModel {
        id: Set(id),
        kind: Set(job.kind.to_owned()),
        status: Set(Status::Waiting),
        params: Set(job.params),
        done: Set(0),
        total: Set(0),
        message: Set(String::new()),
        counts: Set(Value::Object(Default::default())),
        checkpoint: Set(Value::Null),
        created_by: Set(job.created_by),
        created_at: Set(now),
        run_at: Set(job.run_at.unwrap_or(now)),
        started_at: Set(None),
        ended_at: Set(None),
        attempts: Set(0),
        failures: Set(0),
        crashes: Set(0),
        claim: Set(None),
        lease_until: Set(None),
        cancel_requested: Set(false),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(id)
}

pub(crate) async fn find(db: &impl ConnectionTrait, id: JobId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Newest first: ids sort by creation.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    page: &Page,
) -> Result<(Vec<Job>, Option<Cursor>), DbErr> {
    let mut query = Entity::find();
    if let Some(cursor) = &page.cursor {
        let before: JobId = cursor.decode().map_err(|e| DbErr::Type(e.to_string()))?;
        query = query.filter(Column::Id.lt(before));
    }
    let limit = page.limit as usize;
    let mut rows = query.order_by_desc(Column::Id).limit(u64::from(page.limit) + 1).all(db).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| Cursor::encode(&last.id));
    Ok((rows.into_iter().map(Job::from).collect(), next))
}

/// Takes the oldest job that is due, in one statement, so that two can never take the same.
pub(crate) async fn claim(
    db: &Database,
    kinds: &[&'static str],
    now: DateTime<Utc>,
    claim: Uuid,
) -> Result<Option<Model>, DbErr> {
    let waits =
        Condition::all().add(Column::Status.eq(Status::Waiting)).add(Column::RunAt.lte(now));
    let left =
        Condition::all().add(Column::Status.eq(Status::Running)).add(Column::LeaseUntil.lt(now));
    let mut oldest = Query::select();
    oldest
        .column(Column::Id)
        .from(Entity)
        .cond_where(Condition::any().add(waits).add(left))
        .and_where(Column::Kind.is_in(kinds.iter().copied()))
        .order_by(Column::Id, sea_orm::Order::Asc)
        .limit(1);
    if db.is_postgres() {
        oldest.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    }
    // `id = (…)`, not `id IN (…)`: PostgreSQL evaluates it once, so that only one row is locked
    let oldest = SimpleExpr::SubQuery(None, Box::new(SubQueryStatement::SelectStatement(oldest)));
    let crashed = Expr::case(Column::Status.eq(Status::Running), 1).finally(0);
    let claimed = Entity::update_many()
        .col_expr(Column::Status, Expr::value(Status::Running))
        .col_expr(Column::Claim, Expr::value(claim))
        .col_expr(Column::LeaseUntil, Expr::value(now + LEASE))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::Crashes, Expr::col(Column::Crashes).add(crashed))
        .col_expr(Column::StartedAt, Expr::col(Column::StartedAt).if_null(Expr::value(now)))
        .filter(Expr::col(Column::Id).eq(oldest))
        .exec_with_returning(db.write())
        .await?;
    Ok(claimed.into_iter().next())
}

fn held(lease: &Lease) -> Condition {
    Condition::all()
        .add(Column::Id.eq(lease.job))
        .add(Column::Status.eq(Status::Running))
        .add(Column::Claim.eq(lease.claim))
}

/// Renews the lease. Answers whether an admin wants the job cancelled; `RecordNotUpdated` when the
/// lease is lost.
pub(crate) async fn heartbeat(
    db: &Database,
    lease: &Lease,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let renewed = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(now + LEASE))
        .filter(held(lease))
        .exec_with_returning(db.write())
        .await?;
    renewed.first().map(|row| row.cancel_requested).ok_or(DbErr::RecordNotUpdated)
}

/// Saves progress and results; answers like [`heartbeat`].
pub(crate) async fn save(
    tx: &Tx,
    lease: &Lease,
    now: DateTime<Utc>,
    progress: Progress,
) -> Result<bool, DbErr> {
    let counts = serde_json::to_value(&progress.counts).map_err(|e| DbErr::Json(e.to_string()))?;
    let saved = Entity::update_many()
        .col_expr(Column::Done, Expr::value(to_i64(progress.done)))
        .col_expr(Column::Total, Expr::value(to_i64(progress.total)))
        .col_expr(Column::Message, Expr::value(progress.message))
        .col_expr(Column::Counts, Expr::value(counts))
        .col_expr(Column::Checkpoint, Expr::value(progress.checkpoint))
        .col_expr(Column::Crashes, Expr::value(0))
        .col_expr(Column::LeaseUntil, Expr::value(now + LEASE))
        .filter(held(lease))
        .exec_with_returning(tx)
        .await?;
    let cancel = saved.first().map(|row| row.cancel_requested).ok_or(DbErr::RecordNotUpdated)?;
    bulk_insert(tx, lease.job, progress.results).await?;
    Ok(cancel)
}

/// Gives the job back as `ending` says. Nothing happens when the lease is lost: false.
pub(crate) async fn end(
    db: &Database,
    lease: &Lease,
    now: DateTime<Utc>,
    ending: &Ending,
) -> Result<bool, DbErr> {
    let status = match ending {
        Ending::Succeeded => Status::Succeeded,
        Ending::Failed { .. } => Status::Failed,
        Ending::Cancelled => Status::Cancelled,
        Ending::Again { .. } | Ending::Later { .. } | Ending::Released => Status::Waiting,
    };
    let mut update = Entity::update_many()
        .col_expr(Column::Status, Expr::value(status))
        .col_expr(Column::Claim, Expr::value(None::<Uuid>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<DateTime<Utc>>));
    if status.has_ended() {
        update = update.col_expr(Column::EndedAt, Expr::value(now));
    }
    if let Ending::Again { at, .. } | Ending::Later { at, .. } = ending {
        update = update.col_expr(Column::RunAt, Expr::value(*at));
    }
    if let Ending::Again { message, .. } | Ending::Failed { message } = ending {
        update = update
            .col_expr(Column::Failures, Expr::col(Column::Failures).add(1))
            .col_expr(Column::Message, Expr::value(message.clone()));
    }
    if let Ending::Later { message, .. } = ending {
        // it waits for something outside: what failed before is over
        update = update
            .col_expr(Column::Failures, Expr::value(0))
            .col_expr(Column::Crashes, Expr::value(0))
            .col_expr(Column::Message, Expr::value(message.clone()));
    }
    Ok(update.filter(held(lease)).exec(db.write()).await?.rows_affected == 1)
}

/// Makes every running job claimable: SQLite has one owning process, so at its start nobody runs.
pub(crate) async fn free_all(db: &Database, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let freed = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(now - LEASE))
        .filter(Column::Status.eq(Status::Running))
        .exec(db.write())
        .await?;
    Ok(freed.rows_affected)
}

/// Cancels what has not ended, removes what has. Answers the row as it is (or was) then, and
/// whether it was removed.
pub(crate) async fn cancel(
    tx: &Tx,
    id: JobId,
    now: DateTime<Utc>,
) -> Result<Option<(Model, bool)>, DbErr> {
    let Some(mut row) = Entity::find_by_id(id).lock_exclusive().one(tx).await? else {
        return Ok(None);
    };
    if row.status.has_ended() {
        // results go with it (foreign key)
        Entity::delete_by_id(id).exec(tx).await?;
        return Ok(Some((row, true)));
    }
    row.cancel_requested = true;
    let mut update = Entity::update_many().col_expr(Column::CancelRequested, Expr::value(true));
    if row.status == Status::Waiting {
        row.status = Status::Cancelled;
        row.ended_at = Some(now);
        update = update
            .col_expr(Column::Status, Expr::value(row.status))
            .col_expr(Column::EndedAt, Expr::value(now));
    }
    update.filter(Column::Id.eq(id)).exec(tx).await?;
    Ok(Some((row, false)))
}

impl From<Model> for Job {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            status: row.status,
            params: row.params,
            done: to_u64(row.done),
            total: to_u64(row.total),
            message: row.message,
            counts: serde_json::from_value(row.counts).unwrap_or_default(),
            created_by: row.created_by,
            created_at: row.created_at,
            run_at: row.run_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            attempts: u32::try_from(row.attempts).unwrap_or_default(),
        }
    }
}
