//! The table `refresh_token`: hashes of all refresh tokens that a session was given.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{IntoActiveModel, QueryFilter};
use souk_storage::Tx;
use souk_values::SessionId;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub(crate) struct Model {
    /// SHA-256 of the token.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub(crate) hash: Vec<u8>,
    pub(crate) session_id: SessionId,
    pub(crate) issued_at: DateTimeUtc,
    pub(crate) used_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) async fn find(db: &impl ConnectionTrait, hash: &[u8]) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(hash.to_vec()).one(db).await
}

/// The successor of a token may be there already: then it stays as it is.
pub(crate) async fn insert(tx: &Tx, token: Model) -> Result<(), DbErr> {
    let query = Entity::insert(token.into_active_model()).on_conflict_do_nothing();
    query.exec_without_returning(tx).await.map(|_| ())
}

/// True for the first use only, however many ask at once.
pub(crate) async fn mark_used(tx: &Tx, hash: &[u8], now: DateTime<Utc>) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now))
        .filter(Column::Hash.eq(hash.to_vec()))
        .filter(Column::UsedAt.is_null());
    Ok(query.exec(tx).await?.rows_affected == 1)
}
