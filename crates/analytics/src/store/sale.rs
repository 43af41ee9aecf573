//! `sale_order`, `sale_step`: orders and the steps of them that count. `order_sale`,
//! `product_sale`: what each comes to, by day. `order_day`, `product_day`: their sums.
//!
//! A step is kept as it was told and its order counted anew from all of them, so the sums do not
//! depend on which step was heard first.
use std::collections::BTreeMap;

use sea_orm::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use souk_storage::Tx;
use souk_values::{OrderId, ProductId, UserId};

use crate::domain::sale::{Effects, Figures, Step};

/// Rows of one INSERT; SQLite binds at most 32,766 values in a statement.
const INSERT_ROWS: usize = 500;

pub(crate) mod order {
    //! `sale_order`.
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sale_order")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: OrderId,
        pub user_id: UserId,
        pub steps: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod step {
    //! `sale_step`.
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sale_step")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: OrderId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i64,
        pub epoch: i64,
        #[sea_orm(column_type = "JsonBinary")]
        pub told: Json,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod order_sale {
    //! `order_sale`.
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "order_sale")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: OrderId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i64,
        pub currency: String,
        pub orders: i64,
        pub units: i64,
        pub revenue: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod product_sale {
    //! `product_sale`.
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_sale")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub order_id: OrderId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub product_id: ProductId,
        pub currency: String,
        pub orders: i64,
        pub units: i64,
        pub revenue: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod order_day {
    //! `order_day`.
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "order_day")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        pub orders: i64,
        pub units: i64,
        pub revenue: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod product_day {
    //! `product_day`.
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_day")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub product_id: ProductId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: String,
        pub orders: i64,
        pub units: i64,
        pub revenue: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A step under its place in time.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) version: i64,
    pub(crate) epoch: i64,
    pub(crate) step: Step,
}

/// Keeps the steps, unless a newer time's are known, and locks their orders until the transaction
/// ends: two listeners take turns.
pub(crate) async fn keep(tx: &Tx, heard: &BTreeMap<OrderId, Vec<Told>>) -> Result<(), DbErr> {
    let mut orders = Vec::with_capacity(heard.len());
    let mut steps = Vec::new();
    for (order_id, told) in heard {
        let Some(first) = told.first() else { continue };
        orders.push(order::ActiveModel {
            order_id: Set(*order_id),
            user_id: Set(first.step.user),
            steps: Set(told.len() as i64),
        });
        for told in told {
            let json = serde_json::to_value(&told.step).map_err(|e| DbErr::Json(e.to_string()))?;
            steps.push(step::ActiveModel {
                order_id: Set(*order_id),
                version: Set(told.version),
                epoch: Set(told.epoch),
                told: Set(json),
            });
        }
    }
    for rows in orders.chunks(INSERT_ROWS) {
        let again = OnConflict::column(order::Column::OrderId)
            .value(order::Column::Steps, Expr::cust("sale_order.steps + excluded.steps"))
            .to_owned();
        let insert = order::Entity::insert_many(rows.to_vec()).on_conflict(again);
        insert.exec_without_returning(tx).await?;
    }
    // one at a time: a statement must not meet a row of its own twice
    for row in steps {
        let newer = OnConflict::columns([step::Column::OrderId, step::Column::Version])
            .update_columns([step::Column::Epoch, step::Column::Told])
            .action_and_where(Expr::cust("sale_step.epoch < excluded.epoch"))
            .to_owned();
        step::Entity::insert(row).on_conflict(newer).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// All steps of these orders, by version.
pub(crate) async fn steps(
    tx: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<BTreeMap<OrderId, BTreeMap<i64, Step>>, DbErr> {
    let rows = step::Entity::find()
        .filter(step::Column::OrderId.is_in(orders.iter().copied()))
        .all(tx)
        .await?;
    let mut found: BTreeMap<OrderId, BTreeMap<i64, Step>> = BTreeMap::new();
    for row in rows {
        let step = serde_json::from_value(row.told).map_err(|e| DbErr::Json(e.to_string()))?;
        found.entry(row.order_id).or_default().insert(row.version, step);
    }
    Ok(found)
}

/// What these orders come to so far.
pub(crate) async fn effects(
    tx: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<BTreeMap<OrderId, Effects>, DbErr> {
    let mut found: BTreeMap<OrderId, Effects> = BTreeMap::new();
    let rows = order_sale::Entity::find()
        .filter(order_sale::Column::OrderId.is_in(orders.iter().copied()))
        .all(tx)
        .await?;
    for row in rows {
        let effects = found.entry(row.order_id).or_default();
        effects.currency = row.currency;
        let figures = Figures { orders: row.orders, units: row.units, revenue: row.revenue };
        effects.days.insert(row.day, figures);
    }
    let rows = product_sale::Entity::find()
        .filter(product_sale::Column::OrderId.is_in(orders.iter().copied()))
        .all(tx)
        .await?;
    for row in rows {
        let effects = found.entry(row.order_id).or_default();
        effects.currency = row.currency;
        let figures = Figures { orders: row.orders, units: row.units, revenue: row.revenue };
        effects.products.insert((row.day, row.product_id), figures);
    }
    Ok(found)
}

/// Puts the effects of these orders in the place of what they had.
pub(crate) async fn replace(tx: &Tx, effects: &BTreeMap<OrderId, Effects>) -> Result<(), DbErr> {
    let ids: Vec<OrderId> = effects.keys().copied().collect();
    let old = order_sale::Column::OrderId.is_in(ids.iter().copied());
    order_sale::Entity::delete_many().filter(old).exec(tx).await?;
    let old = product_sale::Column::OrderId.is_in(ids.iter().copied());
    product_sale::Entity::delete_many().filter(old).exec(tx).await?;
    let (mut orders, mut products) = (Vec::new(), Vec::new());
    for (order_id, effects) in effects {
        for (day, figures) in &effects.days {
            orders.push(order_sale::ActiveModel {
                order_id: Set(*order_id),
                day: Set(*day),
                currency: Set(effects.currency.clone()),
                orders: Set(figures.orders),
                units: Set(figures.units),
                revenue: Set(figures.revenue),
            });
        }
        for ((day, product_id), figures) in &effects.products {
            products.push(product_sale::ActiveModel {
                order_id: Set(*order_id),
                day: Set(*day),
                product_id: Set(*product_id),
                currency: Set(effects.currency.clone()),
                orders: Set(figures.orders),
                units: Set(figures.units),
                revenue: Set(figures.revenue),
            });
        }
    }
    for rows in orders.chunks(INSERT_ROWS) {
        order_sale::Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    for rows in products.chunks(INSERT_ROWS) {
        product_sale::Entity::insert_many(rows.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// What is to be added to the sums of days. In the order of the keys: two listeners at once never
/// wait for each other in a circle.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) orders: BTreeMap<(i64, String), Figures>,
    pub(crate) products: BTreeMap<(i64, ProductId, String), Figures>,
}

pub(crate) async fn add(tx: &Tx, sums: Sums) -> Result<(), DbErr> {
    let orders = sums.orders.into_iter().filter(|(_, figures)| !figures.is_nothing());
    let orders: Vec<_> = orders
        .map(|((day, currency), figures)| order_day::ActiveModel {
            day: Set(day),
            currency: Set(currency),
            orders: Set(figures.orders),
            units: Set(figures.units),
            revenue: Set(figures.revenue),
        })
        .collect();
    for rows in orders.chunks(INSERT_ROWS) {
        let more = OnConflict::columns([order_day::Column::Day, order_day::Column::Currency])
            .value(order_day::Column::Orders, Expr::cust("order_day.orders + excluded.orders"))
            .value(order_day::Column::Units, Expr::cust("order_day.units + excluded.units"))
            .value(order_day::Column::Revenue, Expr::cust("order_day.revenue + excluded.revenue"))
            .to_owned();
        let insert = order_day::Entity::insert_many(rows.to_vec()).on_conflict(more);
        insert.exec_without_returning(tx).await?;
    }
    let products = sums.products.into_iter().filter(|(_, figures)| !figures.is_nothing());
    let products: Vec<_> = products
        .map(|((day, product_id, currency), figures)| product_day::ActiveModel {
            day: Set(day),
            product_id: Set(product_id),
            currency: Set(currency),
            orders: Set(figures.orders),
            units: Set(figures.units),
            revenue: Set(figures.revenue),
        })
        .collect();
    for rows in products.chunks(INSERT_ROWS) {
        use product_day::Column;
        let more = OnConflict::columns([Column::Day, Column::ProductId, Column::Currency])
            .value(Column::Orders, Expr::cust("product_day.orders + excluded.orders"))
            .value(Column::Units, Expr::cust("product_day.units + excluded.units"))
            .value(Column::Revenue, Expr::cust("product_day.revenue + excluded.revenue"))
            .to_owned();
        let insert = product_day::Entity::insert_many(rows.to_vec()).on_conflict(more);
        insert.exec_without_returning(tx).await?;
    }
    Ok(())
}
