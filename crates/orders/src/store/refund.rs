//! Refunds and their lines; shipments.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder};
use souk_storage::Tx;
use souk_values::{OrderId, RefundId};

use crate::domain::order::{Refund, RefundState};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refund")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: RefundId,
    pub(crate) order_id: OrderId,
    pub(crate) number: i32,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) state: String,
    pub(crate) restock: bool,
    pub(crate) actor: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) done_at: Option<DateTime<Utc>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A refund that was decided.
pub(crate) async fn insert(tx: &Tx, refund: &Refund) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(refund.id),
        order_id: Set(refund.order_id),
        number: Set(refund.number),
        amount: Set(refund.amount),
        reason: Set(refund.reason.clone()),
        state: Set(refund.state.as_str().to_owned()),
        restock: Set(refund.restock),
        actor: Set(refund.actor.clone()),
        created_at: Set(refund.created_at),
        done_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    if refund.lines.is_empty() {
        return Ok(());
    }
    let rows: Vec<line::ActiveModel> = refund
        .lines
        .iter()
        .map(|(product_id, quantity)| line::ActiveModel {
            refund_id: Set(refund.id),
            order_id: Set(refund.order_id),
            product_id: Set(*product_id),
            quantity: Set(*quantity),
        })
        .collect();
    // 4 columns each, under SQLite's 32,766 variables
    for some in rows.chunks(5_000) {
        line::Entity::insert_many(some.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Ends a refund that is pending; whether it was.
pub(crate) async fn end(
    tx: &Tx,
    id: RefundId,
    state: RefundState,
    now: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::DoneAt, Expr::value(now))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(RefundState::Pending.as_str()))
        .exec(tx)
        .await?;
    Ok(done.rows_affected > 0)
}

/// All of one order, in the order in which they were made; two statements.
pub(crate) async fn of_order<C: ConnectionTrait>(
    db: &C,
    order_id: OrderId,
) -> Result<Vec<Refund>, DbErr> {
    of_orders(db, &[order_id]).await
}

/// All of these orders; two statements.
pub(crate) async fn of_orders<C: ConnectionTrait>(
    db: &C,
    ids: &[OrderId],
) -> Result<Vec<Refund>, DbErr> {
    let rows = Entity::find()
        .filter(Column::OrderId.is_in(ids.iter().copied()))
        .order_by_asc(Column::OrderId)
        .order_by_asc(Column::Number)
        .all(db)
        .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let lines = line::Entity::find()
        .filter(line::Column::OrderId.is_in(ids.iter().copied()))
        .order_by_asc(line::Column::ProductId)
        .all(db)
        .await?;
    let read = |row: Model| {
        let state = RefundState::parse(&row.state)
            .ok_or_else(|| DbErr::Type(format!("refund {} has a broken state", row.id)))?;
        let of = lines.iter().filter(|line| line.refund_id == row.id);
        Ok(Refund {
            lines: of.map(|line| (line.product_id, line.quantity)).collect(),
            id: row.id,
            order_id: row.order_id,
            number: row.number,
            amount: row.amount,
            reason: row.reason,
            state,
            restock: row.restock,
            actor: row.actor,
            created_at: row.created_at,
        })
    };
    rows.into_iter().map(read).collect()
}

mod line {
    //! Units that a refund is for.
    use sea_orm::entity::prelude::*;
    use souk_values::{OrderId, ProductId, RefundId};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refund_line")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) refund_id: RefundId,
        pub(crate) order_id: OrderId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) product_id: ProductId,
        pub(crate) quantity: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod shipment {
    //! How an order went on its way.
    use chrono::{DateTime, Utc};
    use sea_orm::ActiveValue::Set;
    use sea_orm::entity::prelude::*;
    use souk_storage::Tx;
    use souk_values::OrderId;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "shipment")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) order_id: OrderId,
        pub(crate) carrier: String,
        pub(crate) tracking_number: String,
        pub(crate) tracking_url: String,
        pub(crate) actor: String,
        pub(crate) shipped_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub(crate) async fn insert(tx: &Tx, shipment: Model) -> Result<(), DbErr> {
        let row = ActiveModel {
            order_id: Set(shipment.order_id),
            carrier: Set(shipment.carrier),
            tracking_number: Set(shipment.tracking_number),
            tracking_url: Set(shipment.tracking_url),
            actor: Set(shipment.actor),
            shipped_at: Set(shipment.shipped_at),
        };
        Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
    }

    pub(crate) async fn find<C: ConnectionTrait>(
        db: &C,
        order_id: OrderId,
    ) -> Result<Option<Model>, DbErr> {
        Entity::find_by_id(order_id).one(db).await
    }
}
