//! The table `newsletter_subscriber`: one consent for each address, also one that has ended.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr, OnConflict};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{Cursor, EmailAddress, MailRequestId, Page, SubscriberId, fold};

use crate::domain::newsletter::Status;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "newsletter_subscriber")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: SubscriberId,
    pub(crate) email: String,
    pub(crate) email_folded: String,
    pub(crate) status: String,
    /// How it was asked for.
    pub(crate) how: String,
    /// Which words were agreed to.
    pub(crate) text_version: String,
    /// SHA-256 of the token in the newest link; kept when it was used.
    #[sea_orm(column_type = "Blob", nullable)]
    pub(crate) token_hash: Option<Vec<u8>>,
    /// The letter with that link.
    pub(crate) mail_request: Option<MailRequestId>,
    /// Until when the link waits.
    pub(crate) expires_at: Option<DateTimeUtc>,
    /// Letters that asked, since `letters_since`.
    pub(crate) letters: i64,
    pub(crate) letters_since: DateTimeUtc,
    pub(crate) asked_at: DateTimeUtc,
    pub(crate) confirmed_at: Option<DateTimeUtc>,
    pub(crate) ended_at: Option<DateTimeUtc>,
    /// Empty: it has not ended.
    pub(crate) ended_by: String,
}

/// Personal: a log shows the id only.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Subscriber({}, {})", self.id, self.status)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn is(&self, status: Status) -> bool {
        self.status == status.as_str()
    }
}

/// The row of an address, made if there is none, and locked: whoever asks for the same address at
/// the same moment waits here. A new one has never been asked for: it has ended.
pub(crate) async fn hold(
    tx: &Tx,
    email: &EmailAddress,
    now: DateTime<Utc>,
) -> Result<Model, DbErr> {
    let blank = Model {
        id: SubscriberId::new(),
        email: email.as_str().to_owned(),
        email_folded: email.folded(),
        status: Status::Ended.as_str().to_owned(),
        how: String::new(),
        text_version: String::new(),
        token_hash: None,
        mail_request: None,
        expires_at: None,
        letters: 0,
        letters_since: now,
        asked_at: now,
        confirmed_at: None,
        ended_at: None,
        ended_by: String::new(),
    };
    let nothing = OnConflict::column(Column::EmailFolded).do_nothing().to_owned();
    let row = blank.into_active_model().reset_all();
    Entity::insert_many([row]).on_conflict(nothing).exec_without_returning(tx).await?;
    let found = find_by_address_for_update(tx, &email.folded()).await?;
    found.ok_or_else(|| DbErr::RecordNotFound("newsletter_subscriber".to_owned()))
}

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    id: SubscriberId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

pub(crate) async fn find_for_update(tx: &Tx, id: SubscriberId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).lock_exclusive().one(tx).await
}

pub(crate) async fn find_by_token_for_update(
    tx: &Tx,
    token_hash: &[u8],
) -> Result<Option<Model>, DbErr> {
    let query = Entity::find().filter(Column::TokenHash.eq(token_hash.to_vec()));
    query.lock_exclusive().one(tx).await
}

/// Of an address in its folded form.
pub(crate) async fn find_by_address(
    db: &impl ConnectionTrait,
    folded: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::EmailFolded.eq(folded)).one(db).await
}

pub(crate) async fn find_by_address_for_update(
    tx: &Tx,
    folded: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::EmailFolded.eq(folded)).lock_exclusive().one(tx).await
}

/// Writes every column over the row, which is locked.
pub(crate) async fn update(tx: &Tx, row: Model) -> Result<(), DbErr> {
    Entity::update(row.into_active_model().reset_all()).exec(tx).await.map(|_| ())
}

pub(crate) async fn delete(tx: &Tx, id: SubscriberId) -> Result<(), DbErr> {
    Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}

/// Newest first, and where the next page begins.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    status: Option<Status>,
    text: &str,
    page: &Page,
    after: Option<SubscriberId>,
) -> Result<(Vec<Model>, Option<Cursor>), DbErr> {
    let mut query = Entity::find();
    if let Some(status) = status {
        query = query.filter(Column::Status.eq(status.as_str()));
    }
    if !text.trim().is_empty() {
        let literal =
            fold(text.trim()).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let pattern = LikeExpr::new(format!("%{literal}%")).escape('\\');
        query = query.filter(Expr::col(Column::EmailFolded).like(pattern));
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

/// How many stand where.
pub(crate) async fn count(db: &impl ConnectionTrait) -> Result<BTreeMap<String, u64>, DbErr> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Status)
        .expr_as(Column::Id.count(), "count")
        .group_by(Column::Status)
        .into_tuple::<(String, i64)>()
        .all(db)
        .await?;
    Ok(rows.into_iter().map(|(status, count)| (status, count.unsigned_abs())).collect())
}

/// The next `limit` who confirmed, in order.
pub(crate) async fn confirmed(
    db: &impl ConnectionTrait,
    after: Option<SubscriberId>,
    limit: u64,
) -> Result<Vec<SubscriberId>, DbErr> {
    let mut query = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Status.eq(Status::Confirmed.as_str()));
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    query.order_by_asc(Column::Id).limit(limit).into_tuple().all(db).await
}

/// Removes what waited in vain since before `over`, and what ended before `ended`.
pub(crate) async fn forget(
    tx: &Tx,
    over: DateTime<Utc>,
    ended: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let waited = Entity::delete_many()
        .filter(Column::Status.eq(Status::Pending.as_str()))
        .filter(Column::ExpiresAt.lt(over));
    let ended = Entity::delete_many()
        .filter(Column::Status.eq(Status::Ended.as_str()))
        .filter(Column::EndedAt.lt(ended));
    Ok(waited.exec(tx).await?.rows_affected + ended.exec(tx).await?.rows_affected)
}
