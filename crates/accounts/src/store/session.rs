//! The table `session`: one login on one device.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder};
use souk_storage::Tx;
use souk_values::{SessionId, UserId};

use crate::domain::session::Limits;
use crate::store::account;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: SessionId,
    pub(crate) account_id: UserId,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) last_used_at: DateTimeUtc,
    /// At the latest.
    pub(crate) expires_at: DateTimeUtc,
    pub(crate) ended_at: Option<DateTimeUtc>,
    /// What its owner knows it by.
    pub(crate) device: String,
    /// Of the login, or of a browser's last visit: `203.0.113.0/24`.
    pub(crate) network: String,
    /// Lasts without a visit.
    pub(crate) remember: bool,
    /// SHA-256 of the secret in a browser's cookie; none: it goes by refresh tokens.
    #[sea_orm(column_type = "Blob", nullable)]
    pub(crate) secret_hash: Option<Vec<u8>>,
    /// When a second factor was given last.
    pub(crate) second_factor_at: Option<DateTimeUtc>,
}

/// Personal: a log shows the ids only.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({} of {})", self.id, self.account_id)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Neither ended nor expired. What is idle is found out where it is used next: see
    /// [`is_live`](Self::is_live).
    pub(crate) fn is_open(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    /// Whether its owner may go on with it.
    pub(crate) fn is_live(&self, limits: &Limits, now: DateTime<Utc>) -> bool {
        self.is_open(now) && !limits.is_idle(self.last_used_at, self.remember, now)
    }
}

pub(crate) async fn find(db: &impl ConnectionTrait, id: SessionId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The session of a browser's cookie.
pub(crate) async fn find_by_secret(
    db: &impl ConnectionTrait,
    hash: &[u8],
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::SecretHash.eq(hash.to_vec())).one(db).await
}

/// What a person has not ended, the one used longest ago first; some may be over by now.
pub(crate) async fn not_ended(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Vec<Model>, DbErr> {
    let query = Entity::find().filter(Column::AccountId.eq(account));
    let query = query.filter(Column::EndedAt.is_null());
    query.order_by_asc(Column::LastUsedAt).order_by_asc(Column::Id).all(db).await
}

pub(crate) async fn insert(tx: &Tx, session: Model) -> Result<(), DbErr> {
    Entity::insert(session.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// Notes that the session was used, and from where if that is known; false when it is over.
pub(crate) async fn touch(
    tx: &Tx,
    id: SessionId,
    network: Option<String>,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let mut query = Entity::update_many().col_expr(Column::LastUsedAt, Expr::value(now));
    if let Some(network) = network {
        query = query.col_expr(Column::Network, Expr::value(network));
    }
    let query = query
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now));
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// Gives a session another name; false when it has ended.
pub(crate) async fn rename(tx: &Tx, id: SessionId, device: &str) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::Device, Expr::value(device))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null());
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// Ends one session; false when it had ended already.
pub(crate) async fn end(
    db: &impl ConnectionTrait,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null());
    Ok(query.exec(db).await?.rows_affected == 1)
}

/// Ends every session of a person but one; answers which.
pub(crate) async fn end_all(
    tx: &Tx,
    account: UserId,
    keep: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>, DbErr> {
    let mut query = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::AccountId.eq(account))
        .filter(Column::EndedAt.is_null());
    if let Some(keep) = keep {
        query = query.filter(Column::Id.ne(keep));
    }
    let ended = query.exec_with_returning(tx).await?;
    Ok(ended.into_iter().map(|session| session.id).collect())
}

/// Ends every session of everybody with this role; answers whose, and which.
pub(crate) async fn end_role(
    tx: &Tx,
    role: &str,
    now: DateTime<Utc>,
) -> Result<Vec<(UserId, SessionId)>, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::AccountId.in_subquery(account::ids_of_role(role)))
        .filter(Column::EndedAt.is_null());
    let ended = query.exec_with_returning(tx).await?;
    Ok(ended.into_iter().map(|session| (session.account_id, session.id)).collect())
}

/// Ends what is over by itself, so that it stays over whatever the settings become.
pub(crate) async fn end_over(
    tx: &Tx,
    account: UserId,
    limits: &Limits,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let idle = Condition::all()
        .add(Column::Remember.eq(false))
        .add(Column::LastUsedAt.lte(now - limits.idle));
    let query = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::AccountId.eq(account))
        .filter(Column::EndedAt.is_null())
        .filter(Condition::any().add(Column::ExpiresAt.lte(now)).add(idle));
    query.exec(tx).await.map(|_| ())
}

/// Removes sessions that ended or expired before `before`, with their tokens; also those that
/// nobody has visited since `unvisited` and that do not last without.
pub(crate) async fn forget(
    tx: &Tx,
    before: DateTime<Utc>,
    unvisited: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let idle =
        Condition::all().add(Column::Remember.eq(false)).add(Column::LastUsedAt.lt(unvisited));
    let over = Condition::any()
        .add(Column::EndedAt.lt(before))
        .add(Column::ExpiresAt.lt(before))
        .add(idle);
    Ok(Entity::delete_many().filter(over).exec(tx).await?.rows_affected)
}
