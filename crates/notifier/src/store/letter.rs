//! Letters: written once, taken by one sender at a time, settled.
//!
//! `next_at` is the one clock of a letter. Queued: not before; sending: when another sender may
//! take it over; settled: none. So one index finds all work.
use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{IntoActiveModel, Iterable, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{LetterId, MailRequestId, NewsletterId, UserId};

use super::INSERT_ROWS;
use crate::domain::letter::{Status, Words};
use crate::domain::request::Kind;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "letter")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LetterId,
    pub user_id: UserId,
    /// Of a letter of accounts empty until it is sent.
    pub recipient: String,
    pub digest: bool,
    /// About the recipient's own order or account: roles have nothing to do with it.
    pub personal: bool,
    /// How many changes it tells.
    pub notifications: i32,
    /// None: a digest that was not written yet, or a letter of accounts, whose words are not kept.
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
    /// The trace of the request that made the change.
    pub trace: Option<String>,
    pub status: String,
    pub attempts: i32,
    pub next_at: Option<DateTime<Utc>>,
    pub provider_id: Option<String>,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    /// Of a letter of accounts: by what accounts knows it.
    pub request_id: Option<MailRequestId>,
    /// Of a letter of accounts, as the ledger names it.
    pub kind: Option<String>,
    /// When its code or link ends, once accounts said so.
    pub expires_at: Option<DateTime<Utc>>,
    /// Of a newsletter: which one. Its reader stands as the user.
    pub newsletter_id: Option<NewsletterId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without the person and the words.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "letter {} ({})", self.id, self.status)
    }
}

impl Model {
    pub fn is_written(&self) -> bool {
        self.subject.is_some()
    }

    /// What a letter of accounts is about.
    pub fn account_kind(&self) -> Option<Kind> {
        Kind::of_event(self.kind.as_deref()?)
    }

    /// Whether it goes out also when its account closed meanwhile.
    pub fn outlives_account(&self) -> bool {
        self.account_kind().is_some_and(|kind| Kind::OUTLIVING.contains(&kind))
    }
}

/// How an attempt ended.
pub struct Settled {
    pub status: Status,
    pub attempts: i32,
    pub next_at: Option<DateTime<Utc>>,
    pub provider_id: Option<String>,
    pub reason: Option<String>,
    pub sent_at: Option<DateTime<Utc>>,
}

impl Settled {
    pub fn new(status: Status, attempts: i32) -> Self {
        Self { status, attempts, next_at: None, provider_id: None, reason: None, sent_at: None }
    }
}

pub async fn insert(tx: &Tx, letters: Vec<Model>) -> Result<(), DbErr> {
    for rows in letters.chunks(INSERT_ROWS) {
        let rows = rows.iter().cloned().map(IntoActiveModel::into_active_model);
        // every column is given, also the key
        let rows = rows.map(|row: ActiveModel| row.reset_all());
        Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Adds `count` changes to the digest of `user` that is still open; none: all are with a sender.
pub async fn join_digest(tx: &Tx, user: UserId, count: i32) -> Result<Option<LetterId>, DbErr> {
    let open = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(user))
        .filter(still_open())
        .order_by_desc(Column::Id)
        .into_tuple::<LetterId>()
        .one(tx)
        .await?;
    let Some(id) = open else { return Ok(None) };
    // a sender may have taken it since: the row decides, and its lock keeps senders away
    let joined = Entity::update_many()
        .col_expr(Column::Notifications, Expr::col(Column::Notifications).add(count))
        .filter(Column::Id.eq(id))
        .filter(still_open())
        .exec(tx)
        .await?;
    Ok((joined.rows_affected == 1).then_some(id))
}

fn still_open() -> Condition {
    Condition::all()
        .add(Column::Digest.eq(true))
        .add(Column::Status.eq(Status::Queued.as_str()))
        .add(Column::Attempts.eq(0))
        .add(Column::Subject.is_null())
}

/// Takes up to `limit` letters whose time has come: one statement, so each goes to one sender.
pub async fn claim<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let due = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::NextAt.lte(now))
        .order_by(Column::NextAt, sea_orm::Order::Asc)
        .order_by(Column::Id, sea_orm::Order::Asc)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .to_owned();
    let mut taken = Entity::update_many()
        .col_expr(Column::Status, Expr::value(Status::Sending.as_str()))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::NextAt, Expr::value(until))
        .filter(Column::Id.in_subquery(due))
        .filter(Column::NextAt.lte(now))
        .exec_with_returning(db)
        .await?;
    taken.sort_by_key(|letter| letter.id);
    Ok(taken)
}

/// Gives letters that a dead sender left to the next one at once.
pub async fn release<C: ConnectionTrait>(db: &C, now: DateTime<Utc>) -> Result<u64, DbErr> {
    let released = Entity::update_many()
        .col_expr(Column::NextAt, Expr::value(now))
        .filter(Column::Status.eq(Status::Sending.as_str()))
        .exec(db)
        .await?;
    Ok(released.rows_affected)
}

/// Keeps the words of a digest as they are sent, and with every later attempt again.
pub async fn write<C: ConnectionTrait>(db: &C, id: LetterId, words: &Words) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Subject, Expr::value(words.subject.clone()))
        .col_expr(Column::Text, Expr::value(words.text.clone()))
        .col_expr(Column::Html, Expr::value(words.html.clone()))
        .filter(Column::Id.eq(id))
        .exec(db)
        .await
        .map(|_| ())
}

/// Writes down where a letter of accounts goes and when it ends; the attempt of that number keeps
/// it until `until`. False when another sender has taken the letter over since.
pub async fn address(
    tx: &Tx,
    letter: &Model,
    recipient: &str,
    expires_at: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let kept = Entity::update_many()
        .col_expr(Column::Recipient, Expr::value(recipient))
        .col_expr(Column::ExpiresAt, Expr::value(expires_at))
        .col_expr(Column::NextAt, Expr::value(until))
        .filter(Column::Id.eq(letter.id))
        .filter(Column::Status.eq(Status::Sending.as_str()))
        .filter(Column::Attempts.eq(letter.attempts))
        .exec(tx)
        .await?;
    Ok(kept.rows_affected == 1)
}

/// How many letters about own orders were written to each of `users` after that time; who got none
/// is left out.
pub async fn about_orders(
    tx: &Tx,
    users: &[UserId],
    after: DateTime<Utc>,
) -> Result<HashMap<UserId, u64>, DbErr> {
    let rows = Entity::find()
        .select_only()
        .column(Column::UserId)
        .expr_as(Column::Id.count(), "letters")
        .filter(Column::UserId.is_in(users.iter().copied()))
        .filter(Column::Personal.eq(true))
        .filter(Column::RequestId.is_null())
        .filter(Column::CreatedAt.gt(after))
        .group_by(Column::UserId)
        .into_tuple::<(UserId, i64)>()
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|(user, letters)| (user, letters.unsigned_abs())).collect())
}

/// Ends the attempt of that number; false when another sender has taken the letter over since.
pub async fn settle<C: ConnectionTrait>(
    db: &C,
    id: LetterId,
    attempt: i32,
    settled: &Settled,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Status, Expr::value(settled.status.as_str()))
        .col_expr(Column::Attempts, Expr::value(settled.attempts))
        .col_expr(Column::NextAt, Expr::value(settled.next_at))
        .col_expr(Column::ProviderId, Expr::value(settled.provider_id.clone()))
        .col_expr(Column::Reason, Expr::value(settled.reason.clone()))
        .col_expr(Column::SentAt, Expr::value(settled.sent_at))
        .filter(Column::Id.eq(id))
        .filter(Column::Status.eq(Status::Sending.as_str()))
        .filter(Column::Attempts.eq(attempt))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Suppresses what waits for `user` and was written until `closed_at`: notices, or also personal
/// letters. Letters that outlive an account wait on.
pub async fn suppress(
    tx: &Tx,
    user: UserId,
    closed_at: DateTime<Utc>,
    also_personal: bool,
    reason: &str,
) -> Result<u64, DbErr> {
    let mut update = Entity::update_many()
        .col_expr(Column::Status, Expr::value(Status::Suppressed.as_str()))
        .col_expr(Column::NextAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(Column::Reason, Expr::value(reason))
        .filter(Column::UserId.eq(user))
        .filter(Column::Status.eq(Status::Queued.as_str()))
        .filter(Column::CreatedAt.lte(closed_at))
        .filter(
            Condition::any()
                .add(Column::Kind.is_null())
                .add(Column::Kind.is_not_in(Kind::OUTLIVING.map(Kind::event))),
        );
    if !also_personal {
        update = update.filter(Column::Personal.eq(false));
    }
    Ok(update.exec(tx).await?.rows_affected)
}

/// When the next letter may be taken.
pub async fn next_due<C: ConnectionTrait>(db: &C) -> Result<Option<DateTime<Utc>>, DbErr> {
    let next = Entity::find()
        .select_only()
        .column(Column::NextAt)
        .filter(Column::NextAt.is_not_null())
        .order_by_asc(Column::NextAt)
        .into_tuple::<DateTime<Utc>>();
    next.one(db).await
}

pub async fn find<C: ConnectionTrait>(db: &C, id: LetterId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Newest first, below `before`; the bodies are left out.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    status: Option<Status>,
    before: Option<LetterId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find()
        .select_only()
        .columns(Column::iter().filter(|c| !matches!(c, Column::Text | Column::Html)))
        .expr_as(Expr::value(None::<String>), "text")
        .expr_as(Expr::value(None::<String>), "html")
        .order_by_desc(Column::Id)
        .limit(limit);
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status.as_str()));
    }
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    query.all(db).await
}

/// Deletes letters that are settled, if from before that time, of the `limit` oldest rows; answers how many.
pub async fn forget(tx: &Tx, before: DateTime<Utc>, limit: u64) -> Result<u64, DbErr> {
    // ids grow with time: the oldest come first without a search
    let oldest = Entity::find()
        .select_only()
        .columns([Column::Id, Column::CreatedAt])
        .filter(Column::NextAt.is_null())
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple::<(LetterId, DateTime<Utc>)>()
        .all(tx)
        .await?;
    let old: Vec<_> = oldest.into_iter().filter(|row| row.1 < before).map(|row| row.0).collect();
    let deleted = Entity::delete_many().filter(Column::Id.is_in(old)).exec(tx).await?;
    Ok(deleted.rows_affected)
}
