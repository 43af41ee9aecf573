//! The table `address`: the address books of people.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder};
use souk_storage::Tx;
use souk_values::{AddressId, UserId};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "address")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: AddressId,
    pub(crate) account_id: UserId,
    pub(crate) label: String,
    pub(crate) name: String,
    pub(crate) company: String,
    pub(crate) line1: String,
    pub(crate) line2: String,
    pub(crate) city: String,
    pub(crate) region: String,
    pub(crate) postal_code: String,
    pub(crate) country: String,
    pub(crate) phone: String,
    pub(crate) is_default: bool,
    pub(crate) version: i64,
    pub(crate) created_at: DateTimeUtc,
    pub(crate) updated_at: DateTimeUtc,
}

/// Personal: a log shows the id only.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({})", self.id)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Of one person: the default one first, then the oldest.
pub(crate) async fn list(db: &impl ConnectionTrait, account: UserId) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .order_by_desc(Column::IsDefault)
        .order_by_asc(Column::Id)
        .all(db)
        .await
}

/// Another's is none.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: UserId,
    id: AddressId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).filter(Column::AccountId.eq(account)).one(db).await
}

pub(crate) async fn insert(tx: &Tx, address: Model) -> Result<(), DbErr> {
    Entity::insert(address.into_active_model()).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn update(tx: &Tx, address: Model) -> Result<(), DbErr> {
    Entity::update(address.into_active_model().reset_all()).exec(tx).await.map(|_| ())
}

pub(crate) async fn delete(tx: &Tx, id: AddressId) -> Result<(), DbErr> {
    Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}

/// Of this person only `id` is the default from now on.
pub(crate) async fn make_default(
    tx: &Tx,
    account: UserId,
    id: AddressId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let is_it = Expr::col(Column::Id).eq(id);
    let query = Entity::update_many()
        .col_expr(Column::IsDefault, is_it.clone())
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::value(now))
        .filter(Column::AccountId.eq(account))
        .filter(Expr::col(Column::IsDefault).ne(is_it));
    query.exec(tx).await.map(|_| ())
}
