//! Shipping methods by code.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use souk_storage::Tx;

use crate::domain::shipping::{Kind, Method};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "shipping_method")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) currency: String,
    pub(crate) price: i64,
    pub(crate) step_price: i64,
    pub(crate) step_g: i64,
    pub(crate) free_above: Option<i64>,
    pub(crate) max_weight_g: Option<i64>,
    pub(crate) countries: Json,
    pub(crate) active: bool,
    pub(crate) version: i64,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// As many as a shop may have.
pub(crate) const MAX: u64 = 500;

/// All, by code.
pub(crate) async fn list(db: &impl ConnectionTrait) -> Result<Vec<Method>, DbErr> {
    let rows = Entity::find().order_by_asc(Column::Code).limit(MAX).all(db).await?;
    rows.into_iter().map(read).collect()
}

pub(crate) async fn count(tx: &Tx) -> Result<u64, DbErr> {
    Entity::find().count(tx).await
}

/// Locked until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, code: &str) -> Result<Option<Method>, DbErr> {
    let row = Entity::find_by_id(code).lock_exclusive().one(tx).await?;
    row.map(read).transpose()
}

/// A taken code breaks `shipping_method`.
pub(crate) async fn insert(tx: &Tx, method: &Method, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = row(method, now)?.into_active_model();
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn update(tx: &Tx, method: &Method, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = row(method, now)?.into_active_model().reset_all();
    Entity::update(row).exec(tx).await.map(|_| ())
}

pub(crate) async fn delete(tx: &Tx, code: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(code).exec(tx).await.map(|_| ())
}

fn row(method: &Method, now: DateTime<Utc>) -> Result<Model, DbErr> {
    let grams = |grams: u64| i64::try_from(grams).map_err(|e| DbErr::Type(e.to_string()));
    Ok(Model {
        code: method.code.clone(),
        name: method.name.clone(),
        kind: method.kind.as_str().to_owned(),
        currency: method.currency.to_string(),
        price: method.price,
        step_price: method.step_price,
        step_g: grams(method.step_g)?,
        free_above: method.free_above,
        max_weight_g: method.max_weight_g.map(grams).transpose()?,
        countries: serde_json::json!(method.countries),
        active: method.active,
        version: method.version,
        updated_at: now,
    })
}

fn read(row: Model) -> Result<Method, DbErr> {
    let broken = |what: &str| DbErr::Type(format!("shipping method {} has no {what}", row.code));
    Ok(Method {
        kind: Kind::parse(&row.kind).ok_or_else(|| broken("kind"))?,
        currency: row.currency.parse().map_err(|_| broken("currency"))?,
        step_g: row.step_g.unsigned_abs(),
        max_weight_g: row.max_weight_g.map(i64::unsigned_abs),
        countries: serde_json::from_value(row.countries.clone())
            .map_err(|_| broken("countries"))?,
        price: row.price,
        step_price: row.step_price,
        free_above: row.free_above,
        active: row.active,
        version: row.version,
        code: row.code,
        name: row.name,
    })
}
