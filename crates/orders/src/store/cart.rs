//! Carts and their lines.
mod line;
mod write;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, Condition, DatabaseConnection, QueryOrder, QuerySelect};
use sha2::{Digest, Sha256};
use souk_storage::{Database, Tx};
use souk_values::{CartId, UserId};

pub(crate) use write::{
    Restored, add_quantities, clear_untouched_since, empty, end, end_idle_guests, insert_guest,
    move_lines, remember, remove, restore, set_quantity, touch, touch_time,
};

use crate::domain::cart::{Cart, Owner, SecretHash};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "cart")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: CartId,
    /// Of whom; a guest's cart has none.
    pub(crate) user_id: Option<UserId>,
    pub(crate) secret_hash: Option<Vec<u8>>,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) touched_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// For looks at carts: never a replica, for a click must be seen at once. SQLite's readers see
/// every commit, and its single writer connection is worth sparing.
pub(crate) fn newest(db: &Database) -> &DatabaseConnection {
    if db.is_postgres() { db.write() } else { db.read() }
}

/// What is kept of a guest's secret.
pub(crate) fn hash(secret: &str) -> SecretHash {
    SecretHash(Sha256::digest(secret.as_bytes()).into())
}

/// The user's cart; `None`: they have none yet, or it was never filled.
pub(crate) async fn find_of_user(
    db: &impl ConnectionTrait,
    user: UserId,
) -> Result<Option<Cart>, DbErr> {
    find(db, Owner::User(user)).await
}

/// The guest's cart that this secret opens.
pub(crate) async fn find_of_guest(
    db: &impl ConnectionTrait,
    secret: &str,
) -> Result<Option<Cart>, DbErr> {
    find(db, Owner::Guest(hash(secret))).await
}

pub(crate) async fn find(db: &impl ConnectionTrait, owner: Owner) -> Result<Option<Cart>, DbErr> {
    let Some(row) = Entity::find().filter(owned(&[owner])).one(db).await? else { return Ok(None) };
    let mut lines = line::of(db, &[row.id]).await?;
    let lines = lines.remove(&row.id).unwrap_or_default();
    Ok(Some(Cart::new(row.id, row.version, lines)))
}

/// The owners' carts, held against other writers until the transaction ends. A user without one
/// gets one; of two who make it at the same moment the later one waits and finds it.
pub(crate) async fn hold(
    tx: &Tx,
    owners: &[Owner],
    now: DateTime<Utc>,
) -> Result<HashMap<Owner, Cart>, DbErr> {
    let mut rows = held(tx, owners).await?;
    let mut newcomers: Vec<UserId> = owners
        .iter()
        .filter_map(|owner| match owner {
            Owner::User(user) => Some(*user),
            Owner::Guest(_) => None,
        })
        .filter(|user| !rows.iter().any(|row| row.user_id == Some(*user)))
        .collect();
    if !newcomers.is_empty() {
        // one order for all who do the same
        newcomers.sort_unstable();
        newcomers.dedup();
        insert(tx, &newcomers, now).await?;
        let missing: Vec<Owner> = newcomers.into_iter().map(Owner::User).collect();
        rows.extend(held(tx, &missing).await?);
    }
    let ids: Vec<CartId> = rows.iter().map(|row| row.id).collect();
    let mut lines = line::of(tx, &ids).await?;
    let mut carts = HashMap::with_capacity(rows.len());
    for row in rows {
        let cart = Cart::new(row.id, row.version, lines.remove(&row.id).unwrap_or_default());
        carts.insert(owner_of(&row)?, cart);
    }
    Ok(carts)
}

async fn held(tx: &Tx, owners: &[Owner]) -> Result<Vec<Model>, DbErr> {
    let select = Entity::find().filter(owned(owners));
    // in one order: two batches never wait for each other
    select.order_by_asc(Column::Id).lock_exclusive().all(tx).await
}

async fn insert(tx: &Tx, users: &[UserId], now: DateTime<Utc>) -> Result<(), DbErr> {
    let rows = users.iter().map(|user| ActiveModel {
        id: Set(CartId::new()),
        user_id: Set(Some(*user)),
        secret_hash: Set(None),
        version: Set(0),
        created_at: Set(now),
        touched_at: Set(now),
    });
    let nothing = OnConflict::column(Column::UserId).do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(nothing).exec_without_returning(tx).await.map(|_| ())
}

fn owned(owners: &[Owner]) -> Condition {
    let mut users = Vec::new();
    let mut guests = Vec::new();
    for owner in owners {
        match owner {
            Owner::User(user) => users.push(*user),
            Owner::Guest(hash) => guests.push(hash.0.to_vec()),
        }
    }
    let mut any = Condition::any();
    if !users.is_empty() {
        any = any.add(Column::UserId.is_in(users));
    }
    if !guests.is_empty() {
        any = any.add(Column::SecretHash.is_in(guests));
    }
    any
}

fn owner_of(row: &Model) -> Result<Owner, DbErr> {
    let guest = || <[u8; 32]>::try_from(row.secret_hash.as_deref()?).ok();
    let owner = row.user_id.map(Owner::User).or_else(|| guest().map(SecretHash).map(Owner::Guest));
    owner.ok_or_else(|| DbErr::Type(format!("cart {} has no owner", row.id)))
}
