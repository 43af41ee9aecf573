//! The table `email_change`: new addresses that wait for the code of their letter, one a person.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{IntoActiveModel, QueryFilter};
use souk_storage::Tx;
use souk_values::{MailRequestId, UserId};

use crate::domain::code::TRIES;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "email_change")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) account_id: UserId,
    pub(crate) email: String,
    pub(crate) email_folded: String,
    /// The letter with the code. None: somebody else has the address, and no code is right.
    pub(crate) mail_request: Option<MailRequestId>,
    /// Codes that were heard.
    pub(crate) tries: i64,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) expires_at: DateTimeUtc,
}

/// Personal: a log shows whose it is and nothing else.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EmailChange(of {})", self.account_id)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether its code may still be guessed wrongly.
    pub(crate) fn has_tries(&self) -> bool {
        self.tries < TRIES
    }
}

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(account).one(db).await
}

pub(crate) async fn insert(tx: &Tx, change: Model) -> Result<(), DbErr> {
    Entity::insert(change.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// Counts one code before it is compared, and answers the row with it; `None` when no code is heard
/// any more. However many come at once, five are heard.
pub(crate) async fn count_try(
    tx: &Tx,
    account: UserId,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .filter(Column::AccountId.eq(account))
        .filter(Column::Tries.lt(TRIES))
        .filter(Column::ExpiresAt.gt(now));
    Ok(query.exec_with_returning(tx).await?.pop())
}

/// Takes back what a person asked for; answers the letter it was in.
pub(crate) async fn delete(tx: &Tx, account: UserId) -> Result<Option<MailRequestId>, DbErr> {
    let found = find(tx, account).await?;
    Entity::delete_by_id(account).exec(tx).await?;
    Ok(found.and_then(|change| change.mail_request))
}

/// Removes what expired before `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::ExpiresAt.lt(before)).exec(tx).await?.rows_affected)
}
