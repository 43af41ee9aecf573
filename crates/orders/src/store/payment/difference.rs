//! Differences between the provider's books and ours.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};

use crate::domain::payment::{Action, Difference, Kind};

/// The newest of them are shown.
const SHOWN: u64 = 500;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_difference")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) reference: String,
    pub(crate) detail: String,
    pub(crate) action: String,
    pub(crate) open: bool,
    pub(crate) found_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes a difference; one that is known keeps the time when it was found.
pub(crate) async fn put(tx: &Tx, difference: &Difference) -> Result<(), DbErr> {
    let row = Model {
        kind: difference.kind.as_str().to_owned(),
        order_id: difference.order_id.clone(),
        reference: difference.reference.clone(),
        detail: difference.detail.clone(),
        action: difference.action.as_str().to_owned(),
        open: difference.open,
        found_at: difference.found_at,
    };
    let known = [Column::Kind, Column::OrderId, Column::Reference];
    let update = [Column::Detail, Column::Action, Column::Open];
    let newest = OnConflict::columns(known).update_columns(update).to_owned();
    let row = ActiveModel::from(row).reset_all();
    Entity::insert(row).on_conflict(newest).exec_without_returning(tx).await.map(|_| ())
}

/// It is gone from the books.
pub(crate) async fn close(tx: &Tx, difference: &Difference) -> Result<(), DbErr> {
    let own = Entity::update_many()
        .col_expr(Column::Open, Expr::value(false))
        .filter(Column::Kind.eq(difference.kind.as_str()))
        .filter(Column::OrderId.eq(difference.order_id.as_str()))
        .filter(Column::Reference.eq(difference.reference.as_str()));
    own.exec(tx).await.map(|_| ())
}

/// Open ones first, then the newest.
pub(crate) async fn list(db: &Database, open_only: bool) -> Result<Vec<Difference>, DbErr> {
    let mut select = Entity::find();
    if open_only {
        select = select.filter(Column::Open.eq(true));
    }
    let rows = select.order_by_desc(Column::Open).order_by_desc(Column::FoundAt).limit(SHOWN);
    rows.all(db.read()).await?.into_iter().map(read).collect()
}

pub(crate) async fn count_open(db: &Database) -> Result<u64, DbErr> {
    Entity::find().filter(Column::Open.eq(true)).count(db.read()).await
}

fn read(row: Model) -> Result<Difference, DbErr> {
    let broken = || DbErr::Type(format!("the difference of {:?} is broken", row.order_id));
    Ok(Difference {
        kind: Kind::parse(&row.kind).ok_or_else(broken)?,
        action: Action::parse(&row.action).ok_or_else(broken)?,
        order_id: row.order_id,
        reference: row.reference,
        detail: row.detail,
        found_at: row.found_at,
        open: row.open,
    })
}
