//! The table `mail_request`: letters that accounts asked for. It holds no code and no link: both are
//! derived from the id.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{IntoActiveModel, QueryFilter};
use souk_storage::Tx;
use souk_values::{MailRequestId, UserId};

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_request")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: MailRequestId,
    /// A word of `souk.accounts.v1.Mail`.
    pub(crate) kind: String,
    /// None: there is no account yet.
    pub(crate) account_id: Option<UserId>,
    /// Where to, if not to the account's address at the time of sending.
    pub(crate) email: Option<String>,
    pub(crate) name: String,
    /// What the letter tells: pairs of name and value.
    pub(crate) facts: Json,
    pub(crate) created_at: DateTimeUtc,
    /// From then on the letter is worth nothing.
    pub(crate) expires_at: Option<DateTimeUtc>,
    /// Used or replaced: not to be sent any more.
    pub(crate) ended_at: Option<DateTimeUtc>,
}

/// Personal: a log shows the id and the kind only.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MailRequest({}, {})", self.id, self.kind)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether nobody should get it any more.
    pub(crate) fn is_obsolete(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_some() || self.expires_at.is_some_and(|end| now >= end)
    }
}

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    id: MailRequestId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

pub(crate) async fn insert(tx: &Tx, request: Model) -> Result<(), DbErr> {
    Entity::insert(request.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// Its code or link was used, or a newer one counts.
pub(crate) async fn end(tx: &Tx, id: MailRequestId, now: DateTime<Utc>) -> Result<(), DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null());
    query.exec(tx).await.map(|_| ())
}

/// How many letters of this kind were asked for this account since then.
pub(crate) async fn count_since(
    db: &impl ConnectionTrait,
    account: UserId,
    kind: &str,
    since: DateTime<Utc>,
) -> Result<u64, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Kind.eq(kind))
        .filter(Column::CreatedAt.gte(since))
        .count(db)
        .await
}

/// Removes what was asked for before `before`, and what is over by then.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let over = Condition::any().add(Column::CreatedAt.lt(before));
    Ok(Entity::delete_many().filter(over).exec(tx).await?.rows_affected)
}

/// Removes what was asked for a person who is removed.
pub(crate) async fn forget_account(tx: &Tx, account: UserId) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::AccountId.eq(account)).exec(tx).await.map(|_| ())
}
