//! The table `password_reset`: links to a new password, as hashes.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryFilter};
use souk_storage::Tx;
use souk_values::{MailRequestId, UserId};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "password_reset")]
pub(crate) struct Model {
    /// The letter with the link.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: MailRequestId,
    /// None: nobody has what was typed; the row is there for the time that it takes.
    pub(crate) account_id: Option<UserId>,
    /// SHA-256 of the token in the link.
    #[sea_orm(column_type = "Blob")]
    pub(crate) token_hash: Vec<u8>,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) expires_at: DateTimeUtc,
    /// Used, or replaced by a newer one.
    pub(crate) ended_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    token_hash: &[u8],
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::TokenHash.eq(token_hash.to_vec())).one(db).await
}

pub(crate) async fn insert(tx: &Tx, reset: Model) -> Result<(), DbErr> {
    Entity::insert(reset.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// Uses a link; false when it was used, replaced or too old. Of many who use it at once, one does.
pub(crate) async fn use_up(tx: &Tx, id: MailRequestId, now: DateTime<Utc>) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null())
        .filter(Column::ExpiresAt.gt(now));
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// Ends the links of a person; answers which letters they were in.
pub(crate) async fn end_all(
    tx: &Tx,
    account: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<MailRequestId>, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::AccountId.eq(account))
        .filter(Column::EndedAt.is_null());
    Ok(query.exec_with_returning(tx).await?.into_iter().map(|reset| reset.id).collect())
}

/// Removes what expired before `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::ExpiresAt.lt(before)).exec(tx).await?.rows_affected)
}
