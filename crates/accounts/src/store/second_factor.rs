//! The table `second_factor`: the secrets of people's authenticator apps, sealed.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{SessionId, UserId};

use crate::store::session;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "second_factor")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) account_id: UserId,
    /// Only this service's key opens it.
    #[sea_orm(column_type = "Blob")]
    pub(crate) sealed_secret: Vec<u8>,
    pub(crate) begun_at: DateTimeUtc,
    /// None: it does not count yet.
    pub(crate) confirmed_at: Option<DateTimeUtc>,
    /// The newest time step whose code was taken: no code counts twice.
    pub(crate) last_step: i64,
}

/// A secret, though a sealed one: a log shows whose it is only.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecondFactor({})", self.account_id)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The one that counts, if the account has one.
pub(crate) async fn enrolled(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(account).filter(Column::ConfirmedAt.is_not_null()).one(db).await
}

/// Confirmed or not; locks the row until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, account: UserId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(account).lock_exclusive().one(tx).await
}

/// Instead of one that was begun before.
pub(crate) async fn begin(tx: &Tx, begun: Model) -> Result<(), DbErr> {
    let earlier = Entity::delete_by_id(begun.account_id);
    earlier.filter(Column::ConfirmedAt.is_null()).exec(tx).await?;
    Entity::insert(begun.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// From now on it counts; the code of `step` that proved it does not any more.
pub(crate) async fn confirm(
    tx: &Tx,
    account: UserId,
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::ConfirmedAt, Expr::value(now))
        .col_expr(Column::LastStep, Expr::value(step))
        .filter(Column::AccountId.eq(account))
        .filter(Column::ConfirmedAt.is_null());
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// True for the first use of a step's code only, and for none that is older than the last one.
pub(crate) async fn take_step(tx: &Tx, account: UserId, step: i64) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::LastStep, Expr::value(step))
        .filter(Column::AccountId.eq(account))
        .filter(Column::ConfirmedAt.is_not_null())
        .filter(Column::LastStep.lt(step));
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// False when there was none that counted.
pub(crate) async fn remove(tx: &Tx, account: UserId) -> Result<bool, DbErr> {
    let removed = Entity::delete_by_id(account).filter(Column::ConfirmedAt.is_not_null());
    Ok(removed.exec(tx).await?.rows_affected == 1)
}

/// Notes that this session saw a second factor; false when it is over.
pub(crate) async fn given(tx: &Tx, session: SessionId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let query = session::Entity::update_many()
        .col_expr(session::Column::SecondFactorAt, Expr::value(now))
        .filter(session::Column::Id.eq(session))
        .filter(session::Column::EndedAt.is_null());
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// In order, after this account.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find().order_by_asc(Column::AccountId).limit(limit);
    if let Some(after) = after {
        query = query.filter(Column::AccountId.gt(after));
    }
    query.all(db).await
}

/// The same secret under another seal, unless there is another secret by now.
pub(crate) async fn reseal(tx: &Tx, seen: &Model, sealed: Vec<u8>) -> Result<(), DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::SealedSecret, Expr::value(sealed))
        .filter(Column::AccountId.eq(seen.account_id))
        .filter(Column::SealedSecret.eq(seen.sealed_secret.clone()));
    query.exec(tx).await.map(|_| ())
}

/// Removes what was begun before `before` and never confirmed.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let query = Entity::delete_many()
        .filter(Column::ConfirmedAt.is_null())
        .filter(Column::BegunAt.lt(before));
    Ok(query.exec(tx).await?.rows_affected)
}
