//! The table `account`: people, also those who left.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, LikeExpr, SelectStatement};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect, QueryTrait, SqlErr};
use souk_rpc::Violation;
use souk_storage::{Tx, violated_constraint};
use souk_values::{Cursor, Page, UserId, fold};

use super::block;
use crate::Error;
use crate::domain::role::ADMIN;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) username_folded: String,
    pub(crate) email: String,
    pub(crate) email_folded: String,
    pub(crate) full_name: String,
    /// Username, address and full name, folded, for finding parts of them.
    pub(crate) search: String,
    /// A PHC string, `$argon2id$…`.
    pub(crate) password_hash: String,
    pub(crate) role: String,
    pub(crate) active: bool,
    pub(crate) version: i64,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) updated_at: DateTimeUtc,
    /// None: never logged in.
    pub(crate) last_login_at: Option<DateTimeUtc>,
    /// Counts how often all devices on which its owner had logged in were forgotten.
    pub(crate) device_generation: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn is_active_admin(&self) -> bool {
        self.active && self.role == ADMIN
    }

    /// Brings `search` in line with the fields it is made of.
    pub(crate) fn index(&mut self) {
        self.search = fold(&format!("{}\n{}\n{}", self.username, self.email, self.full_name));
    }
}

pub(crate) async fn find(db: &impl ConnectionTrait, id: UserId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Locks the row until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, id: UserId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// By e-mail address or username: no username holds an `@`.
pub(crate) async fn find_by_login(
    db: &impl ConnectionTrait,
    login: &str,
) -> Result<Option<Model>, DbErr> {
    let column = if login.contains('@') { Column::EmailFolded } else { Column::UsernameFolded };
    Entity::find().filter(column.eq(fold(login.trim()))).one(db).await
}

/// Who has this address, in its folded form.
pub(crate) async fn find_by_address(
    db: &impl ConnectionTrait,
    folded: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::EmailFolded.eq(folded)).one(db).await
}

/// Whether somebody has this name, in its folded form.
pub(crate) async fn is_username(db: &impl ConnectionTrait, folded: &str) -> Result<bool, DbErr> {
    Ok(Entity::find().filter(Column::UsernameFolded.eq(folded)).limit(1).one(db).await?.is_some())
}

/// Which part of the people is asked for.
pub(crate) struct Filter {
    pub(crate) role: Option<String>,
    pub(crate) active: bool,
    /// Part of username, address or full name; empty: everybody.
    pub(crate) text: String,
}

/// Newest first, and where the next page begins.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter,
    page: &Page,
    after: Option<UserId>,
) -> Result<(Vec<Model>, Option<Cursor>), DbErr> {
    let mut query = Entity::find().filter(Column::Active.eq(filter.active));
    if let Some(role) = &filter.role {
        query = query.filter(Column::Role.eq(role));
    }
    if !filter.text.trim().is_empty() {
        let literal =
            fold(filter.text.trim()).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let pattern = LikeExpr::new(format!("%{literal}%")).escape('\\');
        query = query.filter(Expr::col(Column::Search).like(pattern));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.lt(after));
    }
    let limit = page.limit as usize;
    let more = u64::from(page.limit) + 1;
    let mut found = query.order_by_desc(Column::Id).limit(more).all(db).await?;
    let is_last = found.len() <= limit;
    found.truncate(limit);
    let next = if is_last { None } else { found.last().map(|last| Cursor::encode(&last.id)) };
    Ok((found, next))
}

/// Active people with one of these roles, oldest first.
pub(crate) async fn active_with_roles(
    db: &impl ConnectionTrait,
    roles: Vec<String>,
) -> Result<Vec<Model>, DbErr> {
    let query = Entity::find().filter(Column::Active.eq(true)).filter(Column::Role.is_in(roles));
    query.order_by_asc(Column::Id).all(db).await
}

/// Whether anybody has this role, active or not.
pub(crate) async fn has_role(db: &impl ConnectionTrait, role: &str) -> Result<bool, DbErr> {
    Ok(Entity::find().filter(Column::Role.eq(role)).limit(1).one(db).await?.is_some())
}

/// Everybody with this role, active or not, as a part of another query.
pub(crate) fn ids_of_role(role: &str) -> SelectStatement {
    Entity::find().select_only().column(Column::Id).filter(Column::Role.eq(role)).into_query()
}

/// Locks everybody with this role until the transaction ends: no login slips in between.
pub(crate) async fn lock_role(tx: &Tx, role: &str) -> Result<(), DbErr> {
    let ids = Entity::find().select_only().column(Column::Id).filter(Column::Role.eq(role));
    let ids = ids.order_by_asc(Column::Id).lock_exclusive();
    ids.into_tuple::<UserId>().all(tx).await.map(|_| ())
}

/// Whether there is anybody, active or not.
pub(crate) async fn is_anybody(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    Ok(Entity::find().limit(1).one(db).await?.is_some())
}

/// Whether another active admin than this one is left, whom no block shuts out; under
/// [`lock_admins`](super::role::lock_admins).
pub(crate) async fn is_other_admin(tx: &Tx, id: UserId) -> Result<bool, DbErr> {
    let query = Entity::find().filter(Column::Role.eq(ADMIN)).filter(Column::Active.eq(true));
    let query = query.filter(Column::Id.not_in_subquery(block::shut_out()));
    Ok(query.filter(Column::Id.ne(id)).limit(1).one(tx).await?.is_some())
}

/// Refuses a name or an address that somebody else has. Who takes it in the same moment meets the
/// constraint.
async fn check_free(tx: &Tx, account: &Model) -> Result<(), Error> {
    let same = Condition::any()
        .add(Column::UsernameFolded.eq(&account.username_folded))
        .add(Column::EmailFolded.eq(&account.email_folded));
    let others = Entity::find().filter(Column::Id.ne(account.id)).filter(same).all(tx).await?;
    let username = others.iter().any(|other| other.username_folded == account.username_folded);
    let email = others.iter().any(|other| other.email_folded == account.email_folded);
    if username || email { Err(Error::Taken { username, email }) } else { Ok(()) }
}

pub(crate) async fn insert(tx: &Tx, account: Model) -> Result<(), Error> {
    check_free(tx, &account).await?;
    let row = account.into_active_model();
    Entity::insert(row).exec_without_returning(tx).await.map_err(taken)?;
    Ok(())
}

/// Writes every column of `account` over the row that still has version `seen`.
pub(crate) async fn update(tx: &Tx, account: &Model, seen: i64) -> Result<(), Error> {
    check_free(tx, account).await?;
    let row = account.clone().into_active_model().reset_all();
    let query = Entity::update_many().set(row).filter(Column::Id.eq(account.id));
    let written = query.filter(Column::Version.eq(seen)).exec(tx).await.map_err(taken)?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::StaleVersion) }
}

/// A stronger hash of the same password: nothing that anybody sees changes.
pub(crate) async fn rehash(tx: &Tx, id: UserId, hash: String) -> Result<(), DbErr> {
    let query = Entity::update_many().col_expr(Column::PasswordHash, Expr::value(hash));
    query.filter(Column::Id.eq(id)).exec(tx).await.map(|_| ())
}

/// Somebody logged in: nothing that anybody sees changes.
pub(crate) async fn note_login(tx: &Tx, id: UserId, now: DateTimeUtc) -> Result<(), DbErr> {
    let query = Entity::update_many().col_expr(Column::LastLoginAt, Expr::value(now));
    query.filter(Column::Id.eq(id)).exec(tx).await.map(|_| ())
}

/// Inactive for long enough: unchanged since before `cutoff`.
fn inactive_since(cutoff: DateTimeUtc) -> Select<Entity> {
    Entity::find().filter(Column::Active.eq(false)).filter(Column::UpdatedAt.lte(cutoff))
}

pub(crate) async fn count_inactive(
    db: &impl ConnectionTrait,
    cutoff: DateTimeUtc,
) -> Result<u64, DbErr> {
    inactive_since(cutoff).count(db).await
}

/// The next `limit` of them after this one.
pub(crate) async fn inactive(
    db: &impl ConnectionTrait,
    cutoff: DateTimeUtc,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<UserId>, DbErr> {
    let mut query = inactive_since(cutoff).select_only().column(Column::Id);
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    query.order_by_asc(Column::Id).limit(limit).into_tuple().all(db).await
}

/// Removes the row, and with it what hangs on it.
pub(crate) async fn remove(tx: &Tx, id: UserId) -> Result<(), DbErr> {
    Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}

fn taken(error: DbErr) -> Error {
    let named = |column| violated_constraint(&error, column);
    let username = named("account_username_folded|account.username_folded");
    let email = named("account_email_folded|account.email_folded");
    match error.sql_err() {
        _ if username || email => Error::Taken { username, email },
        // its only foreign key: the role went in the same moment
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
            Error::Invalid(vec![Violation::new("role", "is not a role")])
        }
        _ => Error::Storage(error),
    }
}
