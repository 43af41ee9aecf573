//! Answers kept for idempotency keys: the same customer with the same key gets the same bytes.
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{OnConflict, Query};
use souk_storage::Tx;
use souk_values::{OrderId, UserId};

/// How long a key is remembered.
const KEPT: TimeDelta = TimeDelta::hours(48);
/// Rows of one DELETE, so that forgetting never holds SQLite's one writer for long.
const SLICE: u64 = 1_000;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_answer")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) user_id: UserId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
    /// `running` or `done`.
    pub(crate) state: String,
    pub(crate) answer: Option<Vec<u8>>,
    /// Of the order whose saga gives the answer.
    pub(crate) order_id: Option<OrderId>,
    pub(crate) trace_id: String,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A key that somebody begins to work under.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) user_id: UserId,
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) order_id: Option<OrderId>,
    pub(crate) trace_id: String,
}

/// What is known of a key; one that is too old is forgotten.
pub(crate) async fn find<C: ConnectionTrait>(
    db: &C,
    user_id: UserId,
    key: &str,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let found = Entity::find_by_id((user_id, key.to_owned())).one(db).await?;
    Ok(found.filter(|row| row.created_at >= now - KEPT))
}

/// Claims the keys that are free, in one statement; answers which of `claims` were.
pub(crate) async fn claim(
    tx: &Tx,
    claims: &[Claim],
    now: DateTime<Utc>,
) -> Result<Vec<bool>, DbErr> {
    if claims.is_empty() {
        return Ok(Vec::new());
    }
    let same = |claim: &Claim| {
        Condition::all()
            .add(Column::UserId.eq(claim.user_id))
            .add(Column::Key.eq(claim.key.as_str()))
    };
    let any = claims.iter().fold(Condition::any(), |any, claim| any.add(same(claim)));
    let old = Condition::all().add(Column::CreatedAt.lt(now - KEPT)).add(any);
    Entity::delete_many().filter(old).exec(tx).await?;
    let mut insert = Query::insert();
    insert.into_table(Entity).columns([
        Column::UserId,
        Column::Key,
        Column::Fingerprint,
        Column::State,
        Column::OrderId,
        Column::TraceId,
        Column::CreatedAt,
    ]);
    for claim in claims {
        insert.values_panic([
            claim.user_id.into(),
            claim.key.as_str().into(),
            claim.fingerprint.clone().into(),
            "running".into(),
            claim.order_id.into(),
            claim.trace_id.as_str().into(),
            now.into(),
        ]);
    }
    insert
        .on_conflict(OnConflict::columns([Column::UserId, Column::Key]).do_nothing().to_owned())
        .returning(Query::returning().columns([Column::UserId, Column::Key]));
    let rows = tx.query_all(&insert).await?;
    let mut won = rows
        .iter()
        .map(|row| Ok((row.try_get("", "user_id")?, row.try_get("", "key")?)))
        .collect::<Result<Vec<(UserId, String)>, DbErr>>()?;
    // of two equal ones in one batch the first has it
    let mut mine = |claim: &Claim| {
        let at = won.iter().position(|(user, key)| *user == claim.user_id && *key == claim.key);
        at.map(|at| won.swap_remove(at)).is_some()
    };
    Ok(claims.iter().map(&mut mine).collect())
}

/// Gives a key back under which nothing was started.
pub(crate) async fn give_back(tx: &Tx, user_id: UserId, key: &str) -> Result<(), DbErr> {
    Entity::delete_by_id((user_id, key.to_owned())).exec(tx).await.map(|_| ())
}

/// The answer of an order's key, if it has one that still waits for it; whether it did.
pub(crate) async fn settle_order<C: ConnectionTrait>(
    db: &C,
    order_id: OrderId,
    answer: Vec<u8>,
) -> Result<bool, DbErr> {
    settle_where(db, Condition::all().add(Column::OrderId.eq(order_id)), answer).await
}

/// The answer of a key that still waits for it; whether it did.
pub(crate) async fn settle<C: ConnectionTrait>(
    db: &C,
    user_id: UserId,
    key: &str,
    answer: Vec<u8>,
) -> Result<bool, DbErr> {
    let this = Condition::all().add(Column::UserId.eq(user_id)).add(Column::Key.eq(key));
    settle_where(db, this, answer).await
}

async fn settle_where<C: ConnectionTrait>(
    db: &C,
    which: Condition,
    answer: Vec<u8>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value("done"))
        .col_expr(Column::Answer, Expr::value(answer))
        .filter(which)
        .filter(Column::State.eq("running"))
        .exec(db)
        .await?;
    Ok(done.rows_affected > 0)
}

/// The key that an order was placed under.
pub(crate) async fn of_order<C: ConnectionTrait>(
    db: &C,
    order_id: OrderId,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::OrderId.eq(order_id)).one(db).await
}

/// Forgets old keys, up to 1,000 of them; answers how many.
pub(crate) async fn forget(db: &DatabaseConnection, now: DateTime<Utc>) -> Result<u64, DbErr> {
    use sea_orm::{QueryOrder, QuerySelect};
    let old: Vec<(UserId, String)> = Entity::find()
        .select_only()
        .columns([Column::UserId, Column::Key])
        .filter(Column::CreatedAt.lt(now - KEPT))
        .order_by_asc(Column::CreatedAt)
        .limit(SLICE)
        .into_tuple()
        .all(db)
        .await?;
    let Some((_, _)) = old.last() else { return Ok(0) };
    let any = old.iter().fold(Condition::any(), |any, (user, key)| {
        any.add(Condition::all().add(Column::UserId.eq(*user)).add(Column::Key.eq(key.as_str())))
    });
    let slice = Condition::all().add(Column::CreatedAt.lt(now - KEPT)).add(any);
    Ok(Entity::delete_many().filter(slice).exec(db).await?.rows_affected)
}
