//! Coupons, and the orders that hold them. Always true: `used` is the number of rows in
//! `coupon_use`.
mod uses;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};
use souk_values::{Cursor, Page};

pub(crate) use uses::{count_of, give_back, of_user, take};

use crate::domain::coupon::{Coupon, Gift};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "coupon")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) code: String,
    pub(crate) kind: String,
    pub(crate) percent_ppm: i64,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) minimum: Option<i64>,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) total_limit: Option<i64>,
    pub(crate) customer_limit: Option<i64>,
    pub(crate) active: bool,
    pub(crate) used: i64,
    /// Also of orders that gave it back: they show it.
    pub(crate) ever_used: bool,
    pub(crate) version: i64,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// By code, and the code after which the next page begins.
pub(crate) async fn list(
    db: &Database,
    page: &Page,
    after: Option<String>,
) -> Result<(Vec<Coupon>, Option<Cursor>), DbErr> {
    let mut select = Entity::find().order_by_asc(Column::Code);
    if let Some(after) = after {
        select = select.filter(Column::Code.gt(after));
    }
    let mut rows = select.limit(u64::from(page.limit) + 1).all(db.read()).await?;
    let more = rows.len() > page.limit as usize;
    rows.truncate(page.limit as usize);
    let next = rows.last().filter(|_| more).map(|row| Cursor::encode(&row.code));
    Ok((rows.into_iter().map(read).collect::<Result<_, _>>()?, next))
}

pub(crate) async fn find(db: &impl ConnectionTrait, code: &str) -> Result<Option<Coupon>, DbErr> {
    Entity::find_by_id(code).one(db).await?.map(read).transpose()
}

/// Locked until the transaction ends; and whether an order ever held it.
pub(crate) async fn find_for_update(tx: &Tx, code: &str) -> Result<Option<(Coupon, bool)>, DbErr> {
    let row = Entity::find_by_id(code).lock_exclusive().one(tx).await?;
    row.map(|row| {
        let ever_used = row.ever_used;
        read(row).map(|coupon| (coupon, ever_used))
    })
    .transpose()
}

/// A taken code breaks `coupon`.
pub(crate) async fn insert(tx: &Tx, coupon: &Coupon, now: DateTime<Utc>) -> Result<(), DbErr> {
    let row = row(coupon, now).into_active_model();
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// Everything but its uses.
pub(crate) async fn update(tx: &Tx, coupon: &Coupon, now: DateTime<Utc>) -> Result<(), DbErr> {
    let mut row = row(coupon, now).into_active_model().reset_all();
    row.used = sea_orm::ActiveValue::NotSet;
    row.ever_used = sea_orm::ActiveValue::NotSet;
    Entity::update(row).exec(tx).await.map(|_| ())
}

pub(crate) async fn delete(tx: &Tx, code: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(code).exec(tx).await.map(|_| ())
}

fn row(coupon: &Coupon, now: DateTime<Utc>) -> Model {
    let (percent_ppm, amount) = match coupon.gift {
        Gift::Percent(ppm) => (i64::from(ppm), 0),
        Gift::Amount(amount) => (0, amount),
        Gift::FreeShipping => (0, 0),
    };
    Model {
        code: coupon.code.clone(),
        kind: coupon.gift.as_str().to_owned(),
        percent_ppm,
        amount,
        currency: coupon.currency.to_string(),
        minimum: coupon.minimum,
        starts_at: coupon.starts_at,
        ends_at: coupon.ends_at,
        total_limit: coupon.total_limit,
        customer_limit: coupon.customer_limit,
        active: coupon.active,
        used: coupon.used,
        ever_used: false,
        version: coupon.version,
        updated_at: now,
    }
}

fn read(row: Model) -> Result<Coupon, DbErr> {
    let broken = |what: &str| DbErr::Type(format!("a coupon has no {what}"));
    let gift = match row.kind.as_str() {
        "percent" => {
            Gift::Percent(u32::try_from(row.percent_ppm).map_err(|_| broken("percentage"))?)
        }
        "amount" => Gift::Amount(row.amount),
        "free_shipping" => Gift::FreeShipping,
        _ => return Err(broken("kind")),
    };
    Ok(Coupon {
        gift,
        currency: row.currency.parse().map_err(|_| broken("currency"))?,
        code: row.code,
        minimum: row.minimum,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        total_limit: row.total_limit,
        customer_limit: row.customer_limit,
        active: row.active,
        used: row.used,
        version: row.version,
    })
}
