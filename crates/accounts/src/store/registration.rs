//! The table `registration`: who wants to become a customer and has not given the code of the
//! letter yet.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use souk_storage::{Tx, violated_constraint};
use souk_values::{MailRequestId, RegistrationId};

use crate::Error;
use crate::domain::code::TRIES;

#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "registration")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: RegistrationId,
    pub(crate) username: String,
    pub(crate) username_folded: String,
    pub(crate) email: String,
    pub(crate) email_folded: String,
    pub(crate) full_name: String,
    /// Empty where there is no letter.
    pub(crate) password_hash: String,
    /// The letter with the code. None: somebody has the address already, and no code is right.
    pub(crate) mail_request: Option<MailRequestId>,
    /// Codes that were heard.
    pub(crate) tries: i64,
    pub(crate) resends: i64,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) expires_at: DateTimeUtc,
    pub(crate) last_mail_at: DateTimeUtc,
}

/// Personal: a log shows the id only.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registration({})", self.id)
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

fn live(now: DateTime<Utc>) -> Condition {
    Condition::all().add(Column::ExpiresAt.gt(now)).add(Column::Tries.lt(TRIES))
}

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    id: RegistrationId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Locks the row until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, id: RegistrationId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// Whether somebody is about to take this name.
pub(crate) async fn holds_username(
    db: &impl ConnectionTrait,
    folded: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let query = Entity::find().filter(Column::UsernameFolded.eq(folded)).filter(live(now));
    Ok(query.limit(1).one(db).await?.is_some())
}

/// When each of those that wait for this address ends, the first one first.
pub(crate) async fn ends_of_address(
    db: &impl ConnectionTrait,
    folded: &str,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>, DbErr> {
    let query = Entity::find().filter(Column::EmailFolded.eq(folded)).filter(live(now));
    let found = query.order_by_asc(Column::ExpiresAt).all(db).await?;
    Ok(found.into_iter().map(|row| row.expires_at).collect())
}

/// Frees a name whose registration is over.
pub(crate) async fn free_username(tx: &Tx, folded: &str, now: DateTime<Utc>) -> Result<(), DbErr> {
    let over = Condition::any().add(Column::ExpiresAt.lte(now)).add(Column::Tries.gte(TRIES));
    let query = Entity::delete_many().filter(Column::UsernameFolded.eq(folded)).filter(over);
    query.exec(tx).await.map(|_| ())
}

/// Who takes the name in the same moment meets the constraint.
pub(crate) async fn insert(tx: &Tx, registration: Model) -> Result<(), Error> {
    let insert = Entity::insert(registration.into_active_model()).exec_without_returning(tx).await;
    insert.map(|_| ()).map_err(|error| {
        let named = "registration_username_folded|registration.username_folded";
        if violated_constraint(&error, named) {
            Error::Taken { username: true, email: false }
        } else {
            Error::Storage(error)
        }
    })
}

/// Counts one code before it is compared, and answers the row with it; `None` when no code is heard
/// any more. However many come at once, five are heard.
pub(crate) async fn count_try(
    tx: &Tx,
    id: RegistrationId,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::Tries, Expr::col(Column::Tries).add(1))
        .filter(Column::Id.eq(id))
        .filter(live(now));
    Ok(query.exec_with_returning(tx).await?.pop())
}

/// Notes another letter: a new code and a new end.
pub(crate) async fn note_letter(tx: &Tx, registration: &Model) -> Result<(), DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::MailRequest, Expr::value(registration.mail_request))
        .col_expr(Column::Resends, Expr::value(registration.resends))
        .col_expr(Column::LastMailAt, Expr::value(registration.last_mail_at))
        .col_expr(Column::ExpiresAt, Expr::value(registration.expires_at))
        .filter(Column::Id.eq(registration.id));
    query.exec(tx).await.map(|_| ())
}

pub(crate) async fn delete(tx: &Tx, id: RegistrationId) -> Result<(), DbErr> {
    Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}

/// Removes what expired before `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::ExpiresAt.lt(before)).exec(tx).await?.rows_affected)
}
