//! Answers of the test provider by idempotency key.
use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::ActiveValue::Set;
use sea_orm::Condition;
use sea_orm::entity::prelude::*;
use sea_orm::prelude::Json;
use sea_orm::sea_query::OnConflict;
use serde::{Deserialize, Serialize};
use souk_storage::{Database, Tx};

use crate::domain::payment::ProviderPayment;
use crate::domain::payment::book::{Answer, Book, Kept};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "test_call")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key: String,
    pub(crate) fingerprint: String,
    /// `None`: it failed the first time.
    pub(crate) answer: Option<Json>,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An answer as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Refused { code: String },
    Payment(Box<Fields>),
}

#[derive(Serialize, Deserialize)]
struct Fields {
    reference: String,
    order_id: String,
    state: String,
    amount: i64,
    currency: String,
    captured: i64,
    refunded: i64,
    brand: String,
    last4: String,
    decline_code: String,
    action_url: String,
    created_at: DateTime<Utc>,
}

pub(super) async fn find(tx: &Tx, keys: BTreeSet<&str>) -> Result<HashMap<String, Kept>, DbErr> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = Entity::find().filter(Column::Key.is_in(keys)).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let answer = row.answer.map(read).transpose()?;
            Ok((row.key, Kept { fingerprint: row.fingerprint, answer }))
        })
        .collect()
}

/// What was answered now. A key that another process answered meanwhile breaks the primary key
/// unless its first try had failed.
pub(super) async fn save(tx: &Tx, book: &Book, now: DateTime<Utc>) -> Result<(), DbErr> {
    let mut fresh = Vec::new();
    for key in &book.answered {
        let Some(kept) = book.calls.get(key) else { continue };
        let answer = kept.answer.as_ref().map(write).transpose()?;
        let row = ActiveModel {
            key: Set(key.clone()),
            fingerprint: Set(kept.fingerprint.clone()),
            answer: Set(answer),
            created_at: Set(now),
        };
        if book.retried.contains(key) {
            let first = OnConflict::column(Column::Key).update_column(Column::Answer).to_owned();
            Entity::insert(row).on_conflict(first).exec_without_returning(tx).await?;
        } else {
            fresh.push(row);
        }
    }
    if !fresh.is_empty() {
        Entity::insert_many(fresh).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Forgets keys that were used before then.
pub(crate) async fn forget(db: &Database, before: DateTime<Utc>) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    Entity::delete_many().filter(Column::CreatedAt.lt(before)).exec(&tx).await?;
    tx.commit().await
}

fn write(answer: &Answer) -> Result<Json, DbErr> {
    let stored = match answer {
        Answer::Refused(code) => Stored::Refused { code: code.clone() },
        Answer::Payment(fact) => Stored::Payment(Box::new(Fields {
            reference: fact.reference.clone(),
            order_id: fact.order_id.clone(),
            state: fact.state.as_str().to_owned(),
            amount: fact.amount.minor,
            currency: fact.amount.currency.to_string(),
            captured: fact.captured,
            refunded: fact.refunded,
            brand: fact.brand.clone(),
            last4: fact.last4.clone(),
            decline_code: fact.decline_code.clone(),
            action_url: fact.action_url.clone(),
            created_at: fact.created_at,
        })),
    };
    serde_json::to_value(stored).map_err(|e| DbErr::Json(e.to_string()))
}

fn read(json: Json) -> Result<Answer, DbErr> {
    match serde_json::from_value(json).map_err(|e| DbErr::Json(e.to_string()))? {
        Stored::Refused { code } => Ok(Answer::Refused(code)),
        Stored::Payment(fields) => Ok(Answer::Payment(ProviderPayment {
            state: super::state(&fields.state)?,
            amount: super::money(fields.amount, &fields.currency)?,
            reference: fields.reference,
            order_id: fields.order_id,
            captured: fields.captured,
            refunded: fields.refunded,
            brand: fields.brand,
            last4: fields.last4,
            decline_code: fields.decline_code,
            action_url: fields.action_url,
            created_at: fields.created_at,
        })),
    }
}

/// Names of one statement: SQLite does not read conditions of any depth.
const TOGETHER: usize = 100;

/// Forgets the calls about these payments and about what this person paid with.
pub(crate) async fn forget_of(tx: &Tx, user: &str, references: &[String]) -> Result<u64, DbErr> {
    let names: Vec<&str> = references.iter().map(String::as_str).chain([user]).collect();
    let mut forgotten = 0;
    for some in names.chunks(TOGETHER) {
        let about = some
            .iter()
            .fold(Condition::any(), |any, name| any.add(Column::Fingerprint.contains(*name)));
        forgotten += Entity::delete_many().filter(about).exec(tx).await?.rows_affected;
    }
    Ok(forgotten)
}
