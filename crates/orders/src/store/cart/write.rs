//! Writing carts. A cart is held (`hold`) while its lines change; what must not be lost is added
//! by the database itself.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ActiveValue::Set, QueryFilter, QuerySelect, Statement};
use souk_storage::Tx;
use souk_values::{CartId, Currency, ProductId, UserId};

use super::line::{self, row};
use super::{ActiveModel, Column, Entity, hold};
use crate::domain::cart::{Line, Owner, SecretHash};
use crate::domain::goods::Kind;

/// Rows of one statement: 14 columns each, under SQLite's 32,766 variables.
const AT_ONCE: usize = 1_000;

/// A line that an order gives back to the cart.
#[derive(Clone, Debug)]
pub(crate) struct Restored {
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    pub(crate) seen_price: i64,
    pub(crate) seen_currency: Currency,
    pub(crate) seen_version: u64,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) digital: bool,
}

/// Makes a guest's cart.
pub(crate) async fn insert_guest(
    tx: &Tx,
    id: CartId,
    secret: SecretHash,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let row = ActiveModel {
        id: Set(id),
        user_id: Set(None),
        secret_hash: Set(Some(secret.0.to_vec())),
        version: Set(0),
        created_at: Set(now),
        touched_at: Set(now),
    };
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// Adds the lines' quantities to what is there; each product once for a cart. What was seen of a
/// line that is there stays.
pub(crate) async fn add_quantities(tx: &Tx, lines: &[(CartId, Line)]) -> Result<(), DbErr> {
    for some in lines.chunks(AT_ONCE) {
        let mut more = OnConflict::columns([line::Column::CartId, line::Column::ProductId]);
        more.value(line::Column::Quantity, sum_of_quantities());
        let rows = some.iter().map(|(cart, line)| row(*cart, line));
        line::Entity::insert_many(rows).on_conflict(more).exec_without_returning(tx).await?;
    }
    Ok(())
}

fn sum_of_quantities() -> Expr {
    Expr::cust("cart_line.quantity + excluded.quantity")
}

/// Puts the line into the cart with exactly this quantity.
pub(crate) async fn set_quantity(tx: &Tx, cart: CartId, line: &Line) -> Result<(), DbErr> {
    let mut set = OnConflict::columns([line::Column::CartId, line::Column::ProductId]);
    set.update_column(line::Column::Quantity);
    let insert = line::Entity::insert(row(cart, line)).on_conflict(set);
    insert.exec_without_returning(tx).await.map(|_| ())
}

/// Takes a line out; false: it was not in the cart.
pub(crate) async fn remove(tx: &Tx, cart: CartId, product: ProductId) -> Result<bool, DbErr> {
    let gone = line::Entity::delete_by_id((cart, product)).exec(tx).await?;
    Ok(gone.rows_affected > 0)
}

/// Moves the versions of held carts on: they were changed by their owners.
pub(crate) async fn touch(tx: &Tx, carts: &[CartId], now: DateTime<Utc>) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::TouchedAt, Expr::value(now))
        .filter(Column::Id.is_in(carts.iter().copied()))
        .exec(tx)
        .await
        .map(|_| ())
}

/// Notes that its owner was here.
pub(crate) async fn touch_time(tx: &Tx, cart: CartId, now: DateTime<Utc>) -> Result<(), DbErr> {
    let touch = Entity::update_many().col_expr(Column::TouchedAt, Expr::value(now));
    touch.filter(Column::Id.eq(cart)).exec(tx).await.map(|_| ())
}

/// Empties the user's cart unless they touched it after that moment.
pub(crate) async fn clear_untouched_since(
    tx: &Tx,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<(), DbErr> {
    let found = Entity::find()
        .filter(Column::UserId.eq(user))
        .filter(Column::TouchedAt.lte(at))
        .lock_exclusive()
        .one(tx)
        .await?;
    match found {
        Some(cart) => empty(tx, cart.id, cart.version).await.map(|_| ()),
        None => Ok(()),
    }
}

/// Empties the cart if it is at this version, and moves the version on; false: it is not.
pub(crate) async fn empty(tx: &Tx, cart: CartId, expected_version: i64) -> Result<bool, DbErr> {
    if !advance(tx, cart, expected_version).await? {
        return Ok(false);
    }
    line::Entity::delete_many().filter(line::Column::CartId.eq(cart)).exec(tx).await?;
    Ok(true)
}

/// Remembers what was seen of lines if the cart is still at the version that was looked at, and
/// moves the version on; false: it is not, look again.
pub(crate) async fn remember(
    tx: &Tx,
    cart: CartId,
    version: i64,
    seen: &[&Line],
) -> Result<bool, DbErr> {
    if !advance(tx, cart, version).await? {
        return Ok(false);
    }
    for some in seen.chunks(AT_ONCE) {
        let mut update = OnConflict::columns([line::Column::CartId, line::Column::ProductId]);
        update.update_columns([
            line::Column::SeenPrice,
            line::Column::SeenCurrency,
            line::Column::SeenVersion,
            line::Column::Gone,
            line::Column::ShortAt,
            line::Column::Sku,
            line::Column::Slug,
            line::Column::Name,
            line::Column::Image,
            line::Column::Kind,
        ]);
        let rows = some.iter().map(|line| row(cart, line));
        line::Entity::insert_many(rows).on_conflict(update).exec_without_returning(tx).await?;
    }
    Ok(true)
}

async fn advance(tx: &Tx, cart: CartId, version: i64) -> Result<bool, DbErr> {
    let moved = Entity::update_many()
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.eq(cart))
        .filter(Column::Version.eq(version))
        .exec(tx)
        .await?;
    Ok(moved.rows_affected == 1)
}

/// Puts an order's lines back into the user's cart and moves its version on. A product that is in
/// the cart again stays as it is there; a user without a cart gets one.
pub(crate) async fn restore(
    tx: &Tx,
    user: UserId,
    lines: &[Restored],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let owner = Owner::User(user);
    let held = hold(tx, &[owner], now).await?;
    let Some(cart) = held.get(&owner) else { return Ok(()) };
    let back: Vec<_> = lines
        .iter()
        .zip(cart.next_position()..)
        .map(|(back, position)| row(cart.id, &back.at(position)))
        .collect();
    for some in back.chunks(AT_ONCE) {
        let mut stays = OnConflict::columns([line::Column::CartId, line::Column::ProductId]);
        stays.do_nothing();
        let insert = line::Entity::insert_many(some.to_vec()).on_conflict(stays);
        insert.exec_without_returning(tx).await?;
    }
    touch(tx, &[cart.id], now).await
}

impl Restored {
    fn at(&self, position: i64) -> Line {
        Line {
            product_id: self.product_id,
            quantity: self.quantity,
            seen_price: self.seen_price,
            seen_currency: self.seen_currency,
            seen_version: self.seen_version,
            gone: false,
            short_at: None,
            sku: self.sku.clone(),
            // the next look fills in what an order does not keep
            slug: String::new(),
            name: self.name.clone(),
            image: String::new(),
            kind: if self.digital { Kind::Digital } else { Kind::Physical },
            position,
        }
    }
}

/// Moves all lines of one held cart into another, behind those that are there; quantities of the
/// same product add up.
pub(crate) async fn move_lines(
    tx: &Tx,
    from: CartId,
    to: CartId,
    behind: i64,
) -> Result<(), DbErr> {
    // "WHERE true": without it SQLite takes ON for a part of a join
    let sql = "INSERT INTO cart_line (cart_id, product_id, quantity, seen_price, seen_currency, \
               seen_version, gone, short_at, sku, slug, name, image, kind, position) \
               SELECT $1, product_id, quantity, seen_price, seen_currency, seen_version, gone, \
               short_at, sku, slug, name, image, kind, position + $2 FROM cart_line \
               WHERE cart_id = $3 AND true ON CONFLICT (cart_id, product_id) \
               DO UPDATE SET quantity = cart_line.quantity + excluded.quantity";
    let values = [to.into(), behind.into(), from.into()];
    let backend = tx.get_database_backend();
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}

/// Ends a cart, with its lines.
pub(crate) async fn end(tx: &Tx, cart: CartId) -> Result<(), DbErr> {
    Entity::delete_by_id(cart).exec(tx).await.map(|_| ())
}

/// Ends at most `most` guests' carts that nobody touched since `before`; answers how many.
pub(crate) async fn end_idle_guests(
    db: &impl ConnectionTrait,
    before: DateTime<Utc>,
    most: u64,
) -> Result<u64, DbErr> {
    let idle = Query::select()
        .column(Column::Id)
        .from(Entity)
        .and_where(Column::UserId.is_null())
        .and_where(Column::TouchedAt.lt(before))
        .limit(most)
        .to_owned();
    let ended = Entity::delete_many().filter(Column::Id.in_subquery(idle)).exec(db).await?;
    Ok(ended.rows_affected)
}
