//! The table `block`: accounts and networks that may not come in, also those that may again.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr, Query, SelectStatement};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{BlockId, Cursor, Page, UserId};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "block")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: BlockId,
    /// This or a network.
    pub(crate) account_id: Option<UserId>,
    pub(crate) network: Option<String>,
    pub(crate) reason: String,
    pub(crate) created_by: String,
    pub(crate) created_at: DateTimeUtc,
    /// None: until somebody lifts it.
    pub(crate) until: Option<DateTimeUtc>,
    pub(crate) lifted_at: Option<DateTimeUtc>,
    pub(crate) lifted_by: Option<String>,
}

/// The reason may be personal: a log shows the id only.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({})", self.id)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Its time is over, whether or not anybody has noticed.
    pub(crate) fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.lifted_at.is_some() || self.until.is_some_and(|until| until <= now)
    }
}

/// What shuts somebody out now.
fn holds(now: DateTime<Utc>) -> Condition {
    let open = Condition::any().add(Column::Until.is_null()).add(Column::Until.gt(now));
    Condition::all().add(Column::LiftedAt.is_null()).add(open)
}

pub(crate) async fn find(db: &impl ConnectionTrait, id: BlockId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// The block that shuts this account out now.
pub(crate) async fn of_account(
    db: &impl ConnectionTrait,
    account: UserId,
    now: DateTime<Utc>,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::AccountId.eq(account)).filter(holds(now)).one(db).await
}

/// Accounts with a block that nobody has lifted yet, also when its time is over.
pub(super) fn shut_out() -> SelectStatement {
    Query::select()
        .column(Column::AccountId)
        .from(Entity)
        .and_where(Column::AccountId.is_not_null())
        .and_where(Column::LiftedAt.is_null())
        .to_owned()
}

/// The block of the same account or network that nobody has lifted yet.
pub(crate) async fn unlifted(
    db: &impl ConnectionTrait,
    account: Option<UserId>,
    network: Option<&str>,
) -> Result<Option<Model>, DbErr> {
    let query = Entity::find().filter(Column::LiftedAt.is_null());
    let query = match account {
        Some(account) => query.filter(Column::AccountId.eq(account)),
        None => query.filter(Column::Network.eq(network.unwrap_or_default())),
    };
    query.one(db).await
}

/// A unique index refuses a second one of the same account or network that is not lifted.
pub(crate) async fn insert(tx: &Tx, block: Model) -> Result<(), DbErr> {
    Entity::insert(block.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

/// False when it was lifted already.
pub(crate) async fn lift(
    tx: &Tx,
    id: BlockId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let query = Entity::update_many()
        .col_expr(Column::LiftedAt, Expr::value(now))
        .col_expr(Column::LiftedBy, Expr::value(by))
        .filter(Column::Id.eq(id))
        .filter(Column::LiftedAt.is_null());
    Ok(query.exec(tx).await?.rows_affected == 1)
}

/// Blocks whose time is over and that nobody has lifted yet, at most `limit`.
pub(crate) async fn ended(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let query = Entity::find().filter(Column::LiftedAt.is_null()).filter(Column::Until.lte(now));
    query.order_by_asc(Column::Id).limit(limit).all(db).await
}

/// Newest first, and where the next page begins: what holds now, or what is over.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    over: bool,
    now: DateTime<Utc>,
    page: &Page,
    after: Option<BlockId>,
) -> Result<(Vec<Model>, Option<Cursor>), DbErr> {
    let wanted = if over {
        Condition::any().add(Column::LiftedAt.is_not_null()).add(Column::Until.lte(now))
    } else {
        holds(now)
    };
    let mut query = Entity::find().filter(wanted);
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

/// Every network that is shut out now.
pub(crate) async fn networks(
    db: &impl ConnectionTrait,
    now: DateTime<Utc>,
) -> Result<Vec<(String, Option<DateTime<Utc>>)>, DbErr> {
    let found = Entity::find().filter(Column::Network.is_not_null()).filter(holds(now)).all(db);
    let networks = found.await?.into_iter();
    Ok(networks.filter_map(|block| Some((block.network?, block.until))).collect())
}
