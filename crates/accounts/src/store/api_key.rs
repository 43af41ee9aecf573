//! The table `api_key`: keys of programs, by their hashes.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use souk_auth::Permission;
use souk_storage::Tx;
use souk_values::{ApiKeyId, SessionId, UserId};

use crate::store::account;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: ApiKeyId,
    pub(crate) account_id: UserId,
    pub(crate) name: String,
    /// The beginning of the key: enough to recognise it.
    pub(crate) prefix: String,
    /// SHA-256 of the key.
    #[sea_orm(column_type = "Blob")]
    pub(crate) hash: Vec<u8>,
    /// Words of permissions.
    pub(crate) scopes: Json,
    /// The session of the tokens that the key is exchanged for; another one whenever those must
    /// end and the key stays.
    pub(crate) session_id: SessionId,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) expires_at: DateTimeUtc,
    /// To the minute.
    pub(crate) last_used_at: Option<DateTimeUtc>,
    pub(crate) revoked_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none() && now < self.expires_at
    }

    /// What the key may be used for, as far as its owner may; unknown words give nothing.
    pub(crate) fn scopes(&self) -> BTreeSet<Permission> {
        let words = self.scopes.as_array().into_iter().flatten().filter_map(Json::as_str);
        words.filter_map(|word| word.parse().ok()).collect()
    }
}

/// Locks the row until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, id: ApiKeyId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).lock_exclusive().one(tx).await
}

pub(crate) async fn find_by_hash(
    db: &impl ConnectionTrait,
    hash: &[u8],
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Hash.eq(hash.to_vec())).one(db).await
}

/// Whose tokens have this session now.
pub(crate) async fn find_by_session(
    db: &impl ConnectionTrait,
    session: SessionId,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::SessionId.eq(session)).one(db).await
}

/// Of one account, newest first, also those that are over.
pub(crate) async fn list(db: &impl ConnectionTrait, account: UserId) -> Result<Vec<Model>, DbErr> {
    let query = Entity::find().filter(Column::AccountId.eq(account));
    query.order_by_desc(Column::Id).all(db).await
}

/// How many keys of an account are good; under the account's lock.
pub(crate) async fn count_live(tx: &Tx, account: UserId, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let live = Entity::find().filter(Column::AccountId.eq(account));
    live.filter(Column::RevokedAt.is_null()).filter(Column::ExpiresAt.gt(now)).count(tx).await
}

pub(crate) async fn insert(tx: &Tx, key: Model) -> Result<(), DbErr> {
    Entity::insert(key.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// False when it was revoked already.
pub(crate) async fn revoke(tx: &Tx, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null());
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// Revokes every good key of an account; answers which. Its tokens end by [`end_tokens`].
pub(crate) async fn revoke_all(
    tx: &Tx,
    account: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<ApiKeyId>, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(Column::AccountId.eq(account))
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(now));
    let revoked = query.exec_with_returning(tx).await?;
    Ok(revoked.into_iter().map(|key| key.id).collect())
}

/// Notes the minute of the newest use.
pub(crate) async fn touch(tx: &Tx, id: ApiKeyId, minute: DateTime<Utc>) -> Result<(), DbErr> {
    let older =
        Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(minute));
    let query = Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(minute))
        .filter(Column::Id.eq(id))
        .filter(older);
    query.exec(tx).await.map(|_| ())
}

/// Ends the tokens of an account's keys, which stay good; answers whose sessions ended.
pub(crate) async fn end_tokens(tx: &Tx, account: UserId) -> Result<Vec<SessionId>, DbErr> {
    let keys = Entity::find().filter(Column::AccountId.eq(account));
    let keys = keys.filter(Column::RevokedAt.is_null()).order_by_asc(Column::Id);
    let ended = renew(tx, keys.lock_exclusive().all(tx).await?).await?;
    Ok(ended.into_iter().map(|(_, session)| session).collect())
}

/// Ends the tokens of all keys whose owners have this role; answers whose, and which sessions.
pub(crate) async fn end_tokens_of_role(
    tx: &Tx,
    role: &str,
) -> Result<Vec<(UserId, SessionId)>, DbErr> {
    let keys = Entity::find().filter(Column::AccountId.in_subquery(account::ids_of_role(role)));
    let keys = keys.filter(Column::RevokedAt.is_null()).order_by_asc(Column::Id);
    renew(tx, keys.lock_exclusive().all(tx).await?).await
}

async fn renew(tx: &Tx, keys: Vec<Model>) -> Result<Vec<(UserId, SessionId)>, DbErr> {
    for key in &keys {
        let query = Entity::update_many()
            .col_expr(Column::SessionId, Expr::value(SessionId::new()))
            .filter(Column::Id.eq(key.id));
        query.exec(tx).await?;
    }
    Ok(keys.into_iter().map(|key| (key.account_id, key.session_id)).collect())
}

/// Removes keys that were revoked or expired before `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let over = Condition::any().add(Column::RevokedAt.lt(before)).add(Column::ExpiresAt.lt(before));
    Ok(Entity::delete_many().filter(over).exec(tx).await?.rows_affected)
}
