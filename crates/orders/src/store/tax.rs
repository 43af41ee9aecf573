//! Tax rates by country and class, and how prices are meant.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use souk_storage::Tx;

use crate::domain::tax::{Rate, Settings};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tax_rate")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) country: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) class: String,
    pub(crate) rate_ppm: i64,
    pub(crate) version: i64,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The one row that says how prices are meant.
mod settings {
    use sea_orm::entity::prelude::*;

    pub(super) const ONLY: i16 = 1;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "tax_settings")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i16,
        pub(crate) prices_include_tax: bool,
        pub(crate) default_country: String,
        pub(crate) version: i64,
        pub(crate) rules_version: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// As many as a shop may have.
pub(crate) const MAX: u64 = 5_000;

/// All, by country and class.
pub(crate) async fn list(db: &impl ConnectionTrait) -> Result<Vec<Rate>, DbErr> {
    let select = Entity::find().order_by_asc(Column::Country).order_by_asc(Column::Class);
    select.limit(MAX).all(db).await?.into_iter().map(read).collect()
}

pub(crate) async fn count(tx: &Tx) -> Result<u64, DbErr> {
    Entity::find().count(tx).await
}

/// Locked until the transaction ends.
pub(crate) async fn find_for_update(
    tx: &Tx,
    country: &str,
    class: &str,
) -> Result<Option<Rate>, DbErr> {
    let select = Entity::find_by_id((country.to_owned(), class.to_owned()));
    select.lock_exclusive().one(tx).await?.map(read).transpose()
}

/// A taken country and class break `tax_rate`.
pub(crate) async fn insert(tx: &Tx, rate: &Rate, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = row(rate, now).into_active_model();
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn update(tx: &Tx, rate: &Rate, now: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::update(row(rate, now).into_active_model().reset_all()).exec(tx).await.map(|_| ())
}

pub(crate) async fn delete(tx: &Tx, rate: &Rate) -> Result<(), DbErr> {
    let id = (rate.country.clone(), rate.class.clone());
    Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}

/// How prices are meant.
pub(crate) async fn settings(db: &impl ConnectionTrait) -> Result<Settings, DbErr> {
    settings_and_version(db).await.map(|(settings, _)| settings)
}

/// And the version of all rules together: it moves with every change of methods, rates and
/// settings.
pub(crate) async fn settings_and_version(
    db: &impl ConnectionTrait,
) -> Result<(Settings, i64), DbErr> {
    let row = settings::Entity::find_by_id(settings::ONLY).one(db).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("tax settings".to_owned()))?;
    let settings = Settings {
        prices_include_tax: row.prices_include_tax,
        default_country: row.default_country,
        version: row.version,
    };
    Ok((settings, row.rules_version))
}

/// A method, a rate or the settings are others from this transaction on.
pub(crate) async fn touch(tx: &Tx) -> Result<(), DbErr> {
    let query = settings::Entity::update_many()
        .col_expr(settings::Column::RulesVersion, Expr::col(settings::Column::RulesVersion).add(1));
    query.exec(tx).await.map(|_| ())
}

/// False when it is not at the version before this one.
pub(crate) async fn update_settings(tx: &Tx, new: &Settings) -> Result<bool, DbErr> {
    let query = settings::Entity::update_many()
        .col_expr(settings::Column::PricesIncludeTax, Expr::value(new.prices_include_tax))
        .col_expr(settings::Column::DefaultCountry, Expr::value(new.default_country.as_str()))
        .col_expr(settings::Column::Version, Expr::value(new.version))
        .filter(settings::Column::Id.eq(settings::ONLY))
        .filter(settings::Column::Version.eq(new.version - 1));
    Ok(query.exec(tx).await?.rows_affected == 1)
}

fn row(rate: &Rate, now: DateTime<Utc>) -> Model {
    Model {
        country: rate.country.clone(),
        class: rate.class.clone(),
        rate_ppm: i64::from(rate.rate_ppm),
        version: rate.version,
        updated_at: now,
    }
}

fn read(row: Model) -> Result<Rate, DbErr> {
    let rate_ppm = u32::try_from(row.rate_ppm).map_err(|e| DbErr::Type(e.to_string()))?;
    Ok(Rate { country: row.country, class: row.class, rate_ppm, version: row.version })
}
