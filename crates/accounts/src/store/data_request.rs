//! The tables `data_request` and `export_part`: who asked for a file or for an end, and the files,
//! sealed.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder};
use souk_storage::Tx;
use souk_values::{JobId, UserId};

use crate::domain::data_request::Kind;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_request")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) job_id: JobId,
    pub(crate) account_id: UserId,
    pub(crate) kind: String,
    /// The owner, or an admin.
    pub(crate) created_by: String,
    pub(crate) created_at: DateTimeUtc,
    /// When the file was there, or everything was erased.
    pub(crate) ready_at: Option<DateTimeUtc>,
    /// Of a file: from then on it is gone.
    pub(crate) expires_at: Option<DateTimeUtc>,
    /// Of the file.
    pub(crate) bytes: i64,
    pub(crate) parts: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether there is a file to be read.
    pub(crate) fn has_file(&self, now: DateTime<Utc>) -> bool {
        self.ready_at.is_some() && self.expires_at.is_some_and(|end| now < end)
    }
}

pub(crate) async fn insert(tx: &Tx, request: Model) -> Result<(), DbErr> {
    Entity::insert(request.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn find(db: &impl ConnectionTrait, job: JobId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(job).one(db).await
}

/// The newest of a kind.
pub(crate) async fn newest_of(
    db: &impl ConnectionTrait,
    account: UserId,
    kind: Kind,
) -> Result<Option<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Kind.eq(kind.as_str()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::JobId)
        .one(db)
        .await
}

/// All of one account, oldest first.
pub(crate) async fn of_account(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Vec<Model>, DbErr> {
    let own = Entity::find().filter(Column::AccountId.eq(account));
    own.order_by_asc(Column::JobId).all(db).await
}

/// Those of a kind that were asked for since then, oldest first.
pub(crate) async fn since(
    tx: &Tx,
    account: UserId,
    kind: Kind,
    since: DateTime<Utc>,
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Kind.eq(kind.as_str()))
        .filter(Column::CreatedAt.gt(since))
        .order_by_asc(Column::CreatedAt)
        .all(tx)
        .await
}

/// The file is there, or everything is erased.
pub(crate) async fn ready(
    tx: &Tx,
    job: JobId,
    now: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    bytes: u64,
    parts: u64,
) -> Result<(), DbErr> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let query = Entity::update_many()
        .col_expr(Column::ReadyAt, Expr::value(now))
        .col_expr(Column::ExpiresAt, Expr::value(expires_at))
        .col_expr(Column::Bytes, Expr::value(number(bytes)))
        .col_expr(Column::Parts, Expr::value(number(parts)))
        .filter(Column::JobId.eq(job));
    query.exec(tx).await.map(|_| ())
}

/// Removes files whose time is over, and what is left of those that were never ready and were asked
/// for before `before`.
pub(crate) async fn forget(
    tx: &Tx,
    now: DateTime<Utc>,
    before: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let unready = Condition::all().add(Column::ReadyAt.is_null()).add(Column::CreatedAt.lt(before));
    let over = Condition::any().add(Column::ExpiresAt.lte(now)).add(unready);
    let query = Entity::delete_many().filter(Column::Kind.eq(Kind::Export.as_str())).filter(over);
    Ok(query.exec(tx).await?.rows_affected)
}

/// Removes every file of a person.
pub(crate) async fn forget_exports(tx: &Tx, account: UserId) -> Result<u64, DbErr> {
    let query = Entity::delete_many()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Kind.eq(Kind::Export.as_str()));
    Ok(query.exec(tx).await?.rows_affected)
}

pub(crate) mod part {
    //! Parts of a file, each sealed for its owner and its place.
    use sea_orm::IntoActiveModel;
    use sea_orm::entity::prelude::*;
    use souk_storage::Tx;
    use souk_values::JobId;

    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "export_part")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) job_id: JobId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) position: i64,
        #[sea_orm(column_type = "Blob")]
        pub(crate) sealed: Vec<u8>,
    }

    /// Without the content.
    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "part {} of {}", self.position, self.job_id)
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub(crate) async fn insert(tx: &Tx, part: Model) -> Result<(), DbErr> {
        Entity::insert(part.into_active_model()).exec_without_returning(tx).await.map(|_| ())
    }

    pub(crate) async fn find(
        db: &impl ConnectionTrait,
        job: JobId,
        position: i64,
    ) -> Result<Option<Model>, DbErr> {
        Entity::find_by_id((job, position)).one(db).await
    }

    /// Removes what an attempt that did not come to its end has left.
    pub(crate) async fn clear(tx: &Tx, job: JobId) -> Result<(), DbErr> {
        Entity::delete_many().filter(Column::JobId.eq(job)).exec(tx).await.map(|_| ())
    }
}
