//! Orders that hold a coupon: taken once for an order, given back once.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{OrderId, UserId};

use crate::domain::change::Refusal;
use crate::domain::coupon::Coupon;
use crate::store::coupon as coupons;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "coupon_use")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) order_id: OrderId,
    pub(crate) code: String,
    pub(crate) user_id: UserId,
    pub(crate) taken_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many orders of this customer hold it.
pub(crate) async fn count_of(
    db: &impl ConnectionTrait,
    code: &str,
    user: UserId,
) -> Result<i64, DbErr> {
    let rows = Entity::find().filter(Column::Code.eq(code)).filter(Column::UserId.eq(user));
    let count = rows.count(db).await?;
    i64::try_from(count).map_err(|e| DbErr::Type(e.to_string()))
}

/// All of this customer, oldest first.
pub(crate) async fn of_user(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<Model>, DbErr> {
    let own = Entity::find().filter(Column::UserId.eq(user));
    own.order_by_asc(Column::OrderId).all(db).await
}

/// Takes the coupon for an order, within its window and its limits; again for the same order it
/// changes nothing. A refusal changes nothing either, so the transaction may go on.
pub(crate) async fn take(
    tx: &Tx,
    code: &str,
    user: UserId,
    order: OrderId,
    now: DateTime<Utc>,
) -> Result<Result<(), Refusal>, DbErr> {
    if Entity::find_by_id(order).one(tx).await?.is_some() {
        return Ok(Ok(()));
    }
    // the row is held from here on: whoever comes next counts after us
    if !add_use(tx, code, now).await? {
        let coupon = coupons::find(tx, code).await?;
        let gone = || Refusal::new("coupon_inactive", "the coupon does not count any more");
        return Ok(Err(coupon.map_or_else(gone, |coupon| coupon.lost(now))));
    }
    let limit: Option<Option<i64>> = coupons::Entity::find_by_id(code)
        .select_only()
        .column(coupons::Column::CustomerLimit)
        .into_tuple()
        .one(tx)
        .await?;
    if let Some(limit) = limit.flatten()
        && count_of(tx, code, user).await? >= limit
    {
        remove_use(tx, code).await?;
        return Ok(Err(Coupon::used_by_customer()));
    }
    let row = Model { order_id: order, code: code.to_owned(), user_id: user, taken_at: now };
    Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    Ok(Ok(()))
}

/// The order does not hold its coupon any more, if it held one. Once: again it changes nothing.
pub(crate) async fn give_back(tx: &Tx, order: OrderId) -> Result<(), DbErr> {
    let Some(held) = Entity::find_by_id(order).lock_exclusive().one(tx).await? else {
        return Ok(());
    };
    if Entity::delete_by_id(order).exec(tx).await?.rows_affected == 1 {
        remove_use(tx, &held.code).await?;
    }
    Ok(())
}

/// Counts one more, if the coupon counts now and its limit allows it.
async fn add_use(tx: &Tx, code: &str, now: DateTime<Utc>) -> Result<bool, DbErr> {
    use coupons::Column as C;
    let left = Condition::any()
        .add(C::TotalLimit.is_null())
        .add(Expr::col(C::Used).lt(Expr::col(C::TotalLimit)));
    let query = coupons::Entity::update_many()
        .col_expr(C::Used, Expr::col(C::Used).add(1))
        .col_expr(C::EverUsed, Expr::value(true))
        .filter(C::Code.eq(code))
        .filter(C::Active.eq(true))
        .filter(Condition::any().add(C::StartsAt.is_null()).add(C::StartsAt.lte(now)))
        .filter(Condition::any().add(C::EndsAt.is_null()).add(C::EndsAt.gt(now)))
        .filter(left);
    Ok(query.exec(tx).await?.rows_affected == 1)
}

async fn remove_use(tx: &Tx, code: &str) -> Result<(), DbErr> {
    use coupons::Column as C;
    let query = coupons::Entity::update_many()
        .col_expr(C::Used, Expr::col(C::Used).sub(1))
        .filter(C::Code.eq(code));
    query.exec(tx).await.map(|_| ())
}

#[cfg(test)]
mod tests;
