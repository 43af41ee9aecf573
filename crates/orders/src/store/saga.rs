//! Sagas: where each order or refund on its way stands, and who works on it.
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::prelude::Json;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ActiveValue::Set, Condition, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};
use souk_values::OrderId;

/// Whoever does not renew for this long has died.
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(3);

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "saga")]
pub(crate) struct Model {
    /// The order's id, or the refund's.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) order_id: OrderId,
    /// `order` or `refund`.
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) owner: Uuid,
    pub(crate) lease_until: DateTime<Utc>,
    pub(crate) next_at: DateTime<Utc>,
    pub(crate) attempts: i32,
    /// Raised by whoever takes it over: a paused owner's late write hits no row.
    pub(crate) version: i64,
    pub(crate) last_error: String,
    pub(crate) undo: Option<Json>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) progress_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// One that begins now, in the hands of `owner`.
    pub(crate) fn begun(
        id: Uuid,
        order_id: OrderId,
        kind: &str,
        state: &str,
        owner: Uuid,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            order_id,
            kind: kind.to_owned(),
            state: state.to_owned(),
            owner,
            lease_until: now + LEASE,
            next_at: now,
            attempts: 0,
            version: 1,
            last_error: String::new(),
            undo: None,
            created_at: now,
            progress_at: now,
        }
    }
}

/// A saga at the version at which its owner holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) id: Uuid,
    pub(crate) version: i64,
}

pub(crate) async fn insert_many(tx: &Tx, sagas: Vec<Model>) -> Result<(), DbErr> {
    if sagas.is_empty() {
        return Ok(());
    }
    let rows = sagas.into_iter().map(|saga| ActiveModel {
        id: Set(saga.id),
        order_id: Set(saga.order_id),
        kind: Set(saga.kind),
        state: Set(saga.state),
        owner: Set(saga.owner),
        lease_until: Set(saga.lease_until),
        next_at: Set(saga.next_at),
        attempts: Set(saga.attempts),
        version: Set(saga.version),
        last_error: Set(saga.last_error),
        undo: Set(saga.undo),
        created_at: Set(saga.created_at),
        progress_at: Set(saga.progress_at),
    });
    Entity::insert_many(rows).exec_without_returning(tx).await.map(|_| ())
}

fn held(holds: &[Hold]) -> Condition {
    holds.iter().fold(Condition::any(), |any, hold| {
        any.add(Condition::all().add(Column::Id.eq(hold.id)).add(Column::Version.eq(hold.version)))
    })
}

/// Moves the sagas that are still held; answers which. Their version grows by one.
pub(crate) async fn advance(
    tx: &Tx,
    holds: &[Hold],
    state: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, DbErr> {
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let mut update = Query::update();
    update
        .table(Entity)
        .value(Column::State, state)
        .value(Column::Version, Expr::col(Column::Version).add(1))
        .value(Column::ProgressAt, now)
        .value(Column::LeaseUntil, now + LEASE)
        .value(Column::Attempts, 0)
        .cond_where(held(holds))
        .returning(Query::returning().column(Column::Id));
    ids(tx.query_all(&update).await?)
}

/// Ends the sagas that are still held; answers which.
pub(crate) async fn end(tx: &Tx, holds: &[Hold]) -> Result<Vec<Uuid>, DbErr> {
    if holds.is_empty() {
        return Ok(Vec::new());
    }
    let mut delete = Query::delete();
    delete
        .from_table(Entity)
        .cond_where(held(holds))
        .returning(Query::returning().column(Column::Id));
    ids(tx.query_all(&delete).await?)
}

fn ids(rows: Vec<QueryResult>) -> Result<Vec<Uuid>, DbErr> {
    rows.iter().map(|row| row.try_get("", "id")).collect()
}

/// What a saga remembers of why it is undone.
pub(crate) async fn remember_undo(tx: &Tx, id: Uuid, undo: Json) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Undo, Expr::value(undo))
        .filter(Column::Id.eq(id))
        .exec(tx)
        .await
        .map(|_| ())
}

/// Lets go of a saga until `next_at`; whether it was still held.
pub(crate) async fn put_off<C: ConnectionTrait>(
    db: &C,
    hold: Hold,
    next_at: DateTime<Utc>,
    now: DateTime<Utc>,
    error: &str,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(next_at))
        .col_expr(Column::LeaseUntil, Expr::value(now))
        .col_expr(Column::LastError, Expr::value(error))
        .filter(held(&[hold]))
        .exec(db)
        .await?;
    Ok(done.rows_affected > 0)
}

/// Those whose time has come and that nobody works on, the longest waiting first.
pub(crate) async fn due(
    db: &DatabaseConnection,
    now: DateTime<Utc>,
    most: u64,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::NextAt.lte(now))
        .filter(Column::LeaseUntil.lte(now))
        .order_by_asc(Column::NextAt)
        .limit(most)
        .all(db)
        .await
}

/// Those of an order.
pub(crate) async fn of_order<C: ConnectionTrait>(
    db: &C,
    order_id: OrderId,
) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::OrderId.eq(order_id)).order_by_asc(Column::Id).all(db).await
}

/// Takes a saga over; `None`: somebody was faster.
pub(crate) async fn take(
    db: &Database,
    saga: &Model,
    owner: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Owner, Expr::value(owner))
        .col_expr(Column::LeaseUntil, Expr::value(now + LEASE))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .filter(held(&[Hold { id: saga.id, version: saga.version }]))
        .filter(Column::LeaseUntil.lte(now))
        .exec(db.write())
        .await?;
    if done.rows_affected == 0 {
        return Ok(None);
    }
    Entity::find_by_id(saga.id).one(db.write()).await
}

/// The owner lives and works on these.
pub(crate) async fn renew(
    db: &Database,
    ids: Vec<Uuid>,
    owner: Uuid,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(now + LEASE))
        .filter(Column::Id.is_in(ids))
        .filter(Column::Owner.eq(owner))
        .exec(db.write())
        .await
        .map(|_| ())
}

/// When the oldest one began that does not wait for a buyer.
pub(crate) async fn oldest(db: &Database) -> Result<Option<DateTime<Utc>>, DbErr> {
    Entity::find()
        .select_only()
        .column(Column::CreatedAt)
        .filter(Column::State.ne("awaiting"))
        .order_by_asc(Column::CreatedAt)
        .limit(1)
        .into_tuple()
        .one(db.read())
        .await
}

/// Makes the sagas of an order due at once.
pub(crate) async fn hurry(tx: &Tx, order_id: OrderId, now: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .col_expr(Column::ProgressAt, Expr::value(now))
        .filter(Column::OrderId.eq(order_id))
        .exec(tx)
        .await
        .map(|_| ())
}
