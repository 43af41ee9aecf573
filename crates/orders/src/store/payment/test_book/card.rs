//! Cards behind tokens: brand, last four digits, what the number does. Never the number.
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};

use super::behaviour;
use crate::domain::payment::book::Card;
use crate::store::order::fresh;

/// A person has no more cards than that.
const MOST: u64 = 100;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "test_card")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) token: String,
    pub(crate) user_id: String,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) exp_month: i32,
    pub(crate) exp_year: i32,
    pub(crate) behaviour: String,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(super) async fn find(tx: &Tx, tokens: BTreeSet<&str>) -> Result<Vec<Card>, DbErr> {
    let rows = Entity::find().filter(Column::Token.is_in(tokens)).all(tx).await?;
    rows.into_iter().map(read).collect()
}

pub(crate) async fn by_token(tx: &Tx, token: &str) -> Result<Option<Card>, DbErr> {
    Entity::find_by_id(token).one(tx).await?.map(read).transpose()
}

/// The newest first.
pub(crate) async fn of_user(db: &Database, user_id: &str) -> Result<Vec<Card>, DbErr> {
    let own = Entity::find().filter(Column::UserId.eq(user_id));
    let rows = own.order_by_desc(Column::CreatedAt).limit(MOST).all(db.read()).await?;
    rows.into_iter().map(read).collect()
}

/// Whether the token is a card of this person.
pub(crate) async fn is_of(db: &Database, user_id: &str, token: &str) -> Result<bool, DbErr> {
    let own = Entity::find_by_id(token).filter(Column::UserId.eq(user_id));
    // a card that was made a moment ago counts
    Ok(own.one(fresh(db)).await?.is_some())
}

/// False: this person has too many already.
pub(crate) async fn insert(tx: &Tx, card: &Card) -> Result<bool, DbErr> {
    let own = Entity::find().filter(Column::UserId.eq(card.user_id.as_str()));
    if own.count(tx).await? >= MOST {
        return Ok(false);
    }
    let year = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let row = ActiveModel {
        token: Set(card.token.clone()),
        user_id: Set(card.user_id.clone()),
        brand: Set(card.brand.clone()),
        last4: Set(card.last4.clone()),
        exp_month: Set(year(card.exp_month)),
        exp_year: Set(year(card.exp_year)),
        behaviour: Set(card.behaviour.as_str().to_owned()),
        created_at: Set(card.created_at),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(true)
}

pub(crate) async fn remove(tx: &Tx, token: &str) -> Result<(), DbErr> {
    Entity::delete_by_id(token).exec(tx).await.map(|_| ())
}

/// Forgets all cards of a person.
pub(crate) async fn remove_of_user(tx: &Tx, user_id: &str) -> Result<u64, DbErr> {
    let own = Entity::delete_many().filter(Column::UserId.eq(user_id));
    Ok(own.exec(tx).await?.rows_affected)
}

fn read(row: Model) -> Result<Card, DbErr> {
    Ok(Card {
        behaviour: behaviour(&row.behaviour)?,
        token: row.token,
        user_id: row.user_id,
        brand: row.brand,
        last4: row.last4,
        exp_month: row.exp_month.unsigned_abs(),
        exp_year: row.exp_year.unsigned_abs(),
        created_at: row.created_at,
    })
}
