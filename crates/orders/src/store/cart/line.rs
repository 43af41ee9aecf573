//! The table `cart_line`: what is in a cart, as its owner saw it last.
use std::collections::HashMap;

use sea_orm::ActiveValue::Set;
use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;
use souk_values::{CartId, Currency, ProductId};

use crate::domain::cart::Line;
use crate::domain::goods::Kind;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cart_line")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) cart_id: CartId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    pub(crate) seen_price: i64,
    pub(crate) seen_currency: String,
    pub(crate) seen_version: i64,
    pub(crate) gone: bool,
    pub(crate) short_at: Option<i64>,
    pub(crate) sku: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) kind: String,
    /// Grows from line to line of a cart.
    pub(crate) position: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The lines of these carts, in the order in which they were added.
pub(super) async fn of(
    db: &impl ConnectionTrait,
    carts: &[CartId],
) -> Result<HashMap<CartId, Vec<Line>>, DbErr> {
    let mut lines: HashMap<CartId, Vec<Line>> = HashMap::with_capacity(carts.len());
    if carts.is_empty() {
        return Ok(lines);
    }
    let rows = Entity::find()
        .filter(Column::CartId.is_in(carts.iter().copied()))
        .order_by_asc(Column::Position)
        .all(db)
        .await?;
    for row in rows {
        lines.entry(row.cart_id).or_default().push(read(row)?);
    }
    Ok(lines)
}

fn read(row: Model) -> Result<Line, DbErr> {
    let seen_currency: Currency = row.seen_currency.parse().map_err(|_| {
        DbErr::Type(format!("a line of cart {} has a broken currency", row.cart_id))
    })?;
    Ok(Line {
        product_id: row.product_id,
        quantity: row.quantity,
        seen_price: row.seen_price,
        seen_currency,
        seen_version: row.seen_version.unsigned_abs(),
        gone: row.gone,
        short_at: row.short_at,
        sku: row.sku,
        slug: row.slug,
        name: row.name,
        image: row.image,
        kind: Kind::parse(&row.kind),
        position: row.position,
    })
}

pub(super) fn row(cart: CartId, line: &Line) -> ActiveModel {
    ActiveModel {
        cart_id: Set(cart),
        product_id: Set(line.product_id),
        quantity: Set(line.quantity),
        seen_price: Set(line.seen_price),
        seen_currency: Set(line.seen_currency.to_string()),
        seen_version: Set(i64::try_from(line.seen_version).unwrap_or(i64::MAX)),
        gone: Set(line.gone),
        short_at: Set(line.short_at),
        sku: Set(line.sku.clone()),
        slug: Set(line.slug.clone()),
        name: Set(line.name.clone()),
        image: Set(line.image.clone()),
        kind: Set(line.kind.as_str().to_owned()),
        position: Set(line.position),
    }
}
