//! Newsletters as they were written, and their letters.
use std::collections::{HashMap, HashSet};
use std::fmt;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{JobId, LetterId, NewsletterId, SubscriberId, UserId};

use super::{INSERT_ROWS, letter, notification};
use crate::domain::letter::Status as LetterStatus;
use crate::domain::newsletter::{Item, Status};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "newsletter")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NewsletterId,
    pub subject: String,
    pub text: String,
    pub with_products: bool,
    /// As they were when sending began; none: it has not begun.
    pub products: Option<Json>,
    pub status: String,
    pub version: i64,
    /// Who wrote it: `usr_…` or the name of a service.
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// That sends it, or sent it.
    pub job_id: Option<JobId>,
    pub sent_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Without the words.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "newsletter {} ({})", self.id, self.status)
    }
}

impl Model {
    pub fn is(&self, status: Status) -> bool {
        self.status == status.as_str()
    }

    /// What stands below the text.
    pub fn items(&self) -> Vec<Item> {
        let products = self.products.clone().unwrap_or_default();
        serde_json::from_value(products).unwrap_or_default()
    }
}

pub async fn insert(tx: &Tx, row: Model) -> Result<(), DbErr> {
    let row = row.into_active_model().reset_all();
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// Writes every column over the row, which is locked.
pub async fn update(tx: &Tx, row: Model) -> Result<(), DbErr> {
    Entity::update(row.into_active_model().reset_all()).exec(tx).await.map(|_| ())
}

pub async fn delete(tx: &Tx, id: NewsletterId) -> Result<(), DbErr> {
    Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}

pub async fn find<C: ConnectionTrait>(db: &C, id: NewsletterId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

pub async fn find_for_update(tx: &Tx, id: NewsletterId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).lock_exclusive().one(tx).await
}

/// Newest first, below `before`.
pub async fn list<C: ConnectionTrait>(
    db: &C,
    before: Option<NewsletterId>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    query.all(db).await
}

/// The ledger knows a subscriber as a user of that id: so one row for each newsletter and subscriber
/// holds there as for everybody.
pub fn as_user(subscriber: SubscriberId) -> UserId {
    UserId::from_uuid(subscriber.uuid())
}

/// The same the other way round.
pub fn as_subscriber(user: UserId) -> SubscriberId {
    SubscriberId::from_uuid(user.uuid())
}

/// Who of these has their row in the ledger already.
pub async fn known(
    tx: &Tx,
    id: NewsletterId,
    subscribers: &[SubscriberId],
) -> Result<HashSet<SubscriberId>, DbErr> {
    let users = subscribers.iter().copied().map(as_user);
    let found = notification::Entity::find()
        .select_only()
        .column(notification::Column::UserId)
        .filter(notification::Column::EventId.eq(id.uuid()))
        .filter(notification::Column::UserId.is_in(users))
        .into_tuple::<UserId>();
    Ok(found.all(tx).await?.into_iter().map(as_subscriber).collect())
}

/// What became of the letters to these: status and reason.
pub async fn outcomes<C: ConnectionTrait>(
    db: &C,
    id: NewsletterId,
    subscribers: &[SubscriberId],
) -> Result<HashMap<SubscriberId, (String, String)>, DbErr> {
    let users = subscribers.iter().copied().map(as_user);
    let rows = letter::Entity::find()
        .select_only()
        .columns([letter::Column::UserId, letter::Column::Status, letter::Column::Reason])
        .filter(letter::Column::NewsletterId.eq(id))
        .filter(letter::Column::UserId.is_in(users))
        .into_tuple::<(UserId, String, Option<String>)>()
        .all(db)
        .await?;
    let outcome = |(user, status, reason): (UserId, String, Option<String>)| {
        (as_subscriber(user), (status, reason.unwrap_or_default()))
    };
    Ok(rows.into_iter().map(outcome).collect())
}

/// How many of its letters have not had their first attempt behind them.
pub async fn outstanding<C: ConnectionTrait>(db: &C, id: NewsletterId) -> Result<u64, DbErr> {
    let first = Condition::all()
        .add(letter::Column::Status.eq(LetterStatus::Queued.as_str()))
        .add(letter::Column::Attempts.eq(0));
    let waiting =
        Condition::any().add(letter::Column::Status.eq(LetterStatus::Sending.as_str())).add(first);
    letter::Entity::find()
        .filter(letter::Column::NewsletterId.eq(id))
        .filter(waiting)
        .count(db)
        .await
}

/// Removes its letters that were not tried yet, with their rows of the ledger; answers how many. They are
/// locked first: who takes one to send it has it.
pub async fn take_back(tx: &Tx, id: NewsletterId) -> Result<u64, DbErr> {
    let untried = letter::Entity::find()
        .select_only()
        .column(letter::Column::Id)
        .filter(letter::Column::NewsletterId.eq(id))
        .filter(letter::Column::Status.eq(LetterStatus::Queued.as_str()))
        .filter(letter::Column::Attempts.eq(0))
        .lock_exclusive()
        .into_tuple::<LetterId>()
        .all(tx)
        .await?;
    for letters in untried.chunks(INSERT_ROWS) {
        let letters = || letters.iter().copied();
        let rows = notification::Column::LetterId.is_in(letters());
        notification::Entity::delete_many().filter(rows).exec(tx).await?;
        letter::Entity::delete_many().filter(letter::Column::Id.is_in(letters())).exec(tx).await?;
    }
    Ok(untried.len() as u64)
}

/// Whether there is any letter of it.
pub async fn has_letters(tx: &Tx, id: NewsletterId) -> Result<bool, DbErr> {
    let letters = letter::Entity::find().select_only().column(letter::Column::Id);
    let one = letters.filter(letter::Column::NewsletterId.eq(id)).into_tuple::<LetterId>();
    Ok(one.one(tx).await?.is_some())
}

/// Suppresses what of it waits; answers how many letters.
pub async fn suppress(tx: &Tx, id: NewsletterId, reason: &str) -> Result<u64, DbErr> {
    let suppressed = letter::Entity::update_many()
        .col_expr(letter::Column::Status, Expr::value(LetterStatus::Suppressed.as_str()))
        .col_expr(letter::Column::NextAt, Expr::value(None::<DateTime<Utc>>))
        .col_expr(letter::Column::Reason, Expr::value(reason))
        .filter(letter::Column::NewsletterId.eq(id))
        .filter(letter::Column::Status.eq(LetterStatus::Queued.as_str()))
        .exec(tx)
        .await?;
    Ok(suppressed.rows_affected)
}
