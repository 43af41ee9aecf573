//! `product_seen`: products as of the newest event heard.
use sea_orm::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use souk_storage::Tx;
use souk_values::ProductId;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product_seen")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub active: bool,
    pub stock: Option<i64>,
    /// Of the catalogue when it told of this version.
    pub epoch: i64,
    /// 0: only its stock was heard of.
    pub version: i64,
    pub stock_epoch: i64,
    pub stock_seq: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A product's state and its place in time.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) active: bool,
    pub(crate) stock: Option<i64>,
    pub(crate) epoch: i64,
    pub(crate) version: i64,
}

/// A product's stock and its place in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stock {
    pub(crate) stock: Option<i64>,
    pub(crate) epoch: i64,
    pub(crate) seq: i64,
}

/// Remembers the state unless a newer one is known.
pub(crate) async fn apply_state(tx: &Tx, id: ProductId, known: Known) -> Result<(), DbErr> {
    let row = ActiveModel {
        product_id: Set(id),
        sku: Set(known.sku),
        name: Set(known.name),
        active: Set(known.active),
        stock: Set(known.stock),
        epoch: Set(known.epoch),
        version: Set(known.version),
        stock_epoch: Set(0),
        stock_seq: Set(0),
    };
    let newer = OnConflict::column(Column::ProductId)
        .update_columns([
            Column::Sku,
            Column::Name,
            Column::Active,
            Column::Stock,
            Column::Epoch,
            Column::Version,
        ])
        .action_and_where(Expr::cust(
            "(product_seen.epoch, product_seen.version) < (excluded.epoch, excluded.version)",
        ))
        .to_owned();
    Entity::insert(row).on_conflict(newer).exec_without_returning(tx).await?;
    Ok(())
}

/// Remembers the stock unless a newer one is known.
pub(crate) async fn apply_stock(tx: &Tx, id: ProductId, stock: Stock) -> Result<(), DbErr> {
    let row = ActiveModel {
        product_id: Set(id),
        sku: Set(String::new()),
        name: Set(String::new()),
        active: Set(true),
        stock: Set(stock.stock),
        epoch: Set(0),
        version: Set(0),
        stock_epoch: Set(stock.epoch),
        stock_seq: Set(stock.seq),
    };
    let newer = OnConflict::column(Column::ProductId)
        .update_columns([Column::Stock, Column::StockEpoch, Column::StockSeq])
        .action_and_where(Expr::cust(
            "(product_seen.stock_epoch, product_seen.stock_seq) \
             < (excluded.stock_epoch, excluded.stock_seq)",
        ))
        .to_owned();
    Entity::insert(row).on_conflict(newer).exec_without_returning(tx).await?;
    Ok(())
}

pub(crate) async fn find_all(
    db: &impl ConnectionTrait,
    ids: Vec<ProductId>,
) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::ProductId.is_in(ids)).all(db).await
}
