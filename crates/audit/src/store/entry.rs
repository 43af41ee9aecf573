//! The rows of entries: inserted unsealed, sealed once, erased in part, removed from the front.
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{Condition, ExprTrait, QueryOrder, QuerySelect, Set, Statement, Value};
use souk_storage::Tx;
use souk_values::{AuditId, Cursor, Page};

use crate::chain::{self, Kept};
use crate::entry::{Entry as Kind, Filter, NewEntry};

/// Rows of one INSERT: 16 columns each, under SQLite's 32,766 variables.
const INSERT: usize = 500;
/// Rows of one UPDATE: three statements whose texts never change.
const TOGETHER: [usize; 3] = [64, 8, 1];

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditId,
    /// `None`: not sealed yet.
    #[sea_orm(unique)]
    pub seq: Option<i64>,
    pub at_us: i64,
    pub actor: String,
    pub via: String,
    /// Personal: erased with the changes.
    pub address: Option<String>,
    pub action: String,
    pub target: String,
    pub outcome: String,
    pub reason: String,
    pub trace_id: String,
    /// JSON. `None`: erased.
    pub changes: Option<String>,
    /// Of address and changes.
    pub digest: Vec<u8>,
    /// `None`: erased.
    pub salt: Option<Vec<u8>>,
    pub prev: Option<Vec<u8>>,
    pub hash: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The row of an entry that is made now.
    pub(crate) fn new(entry: NewEntry, at_us: i64) -> Self {
        let salt: [u8; chain::SALT] = rand::random();
        let changes = serde_json::to_string(&entry.changes).unwrap_or_else(|_| "[]".to_owned());
        let digest = chain::digest(&salt, entry.address.as_deref(), &changes);
        Self {
            id: AuditId::new(),
            seq: None,
            at_us,
            actor: entry.actor,
            via: entry.via,
            address: entry.address,
            action: entry.action,
            target: entry.target,
            outcome: entry.outcome.as_str().to_owned(),
            reason: entry.reason,
            trace_id: entry.trace_id,
            changes: Some(changes),
            digest: digest.to_vec(),
            salt: Some(salt.to_vec()),
            prev: None,
            hash: None,
        }
    }

    /// The hash of the row at this place behind that hash.
    pub(crate) fn link(&self, seq: i64, prev: &[u8]) -> [u8; 32] {
        let id = self.id.uuid();
        let kept = Kept {
            seq,
            id: id.as_bytes(),
            at_us: self.at_us,
            words: [
                &self.actor,
                &self.via,
                &self.action,
                &self.target,
                &self.outcome,
                &self.reason,
                &self.trace_id,
            ],
            digest: &self.digest,
        };
        chain::hash(prev, &kept)
    }
}

impl From<Model> for Kind {
    fn from(row: Model) -> Self {
        let changes = row.changes.as_deref().map(serde_json::from_str);
        Self {
            id: row.id,
            seq: row.seq.map(i64::unsigned_abs),
            at: DateTimeUtc::from_timestamp_micros(row.at_us).unwrap_or_default(),
            actor: row.actor,
            via: row.via,
            address: row.address,
            action: row.action,
            target: row.target,
            outcome: row.outcome,
            reason: row.reason,
            trace_id: row.trace_id,
            // what is no JSON is found by verify; a list must not fail for it
            changes: changes.and_then(Result::ok).unwrap_or_default(),
        }
    }
}

/// A row's place in the chain.
pub(crate) struct Seal {
    pub(crate) id: AuditId,
    pub(crate) seq: i64,
    pub(crate) prev: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

pub(crate) async fn insert_many(tx: &Tx, rows: Vec<Model>) -> Result<(), DbErr> {
    let mut rest = rows.into_iter().peekable();
    while rest.peek().is_some() {
        let some = rest.by_ref().take(INSERT).map(|row| ActiveModel {
            id: Set(row.id),
            seq: Set(row.seq),
            at_us: Set(row.at_us),
            actor: Set(row.actor),
            via: Set(row.via),
            address: Set(row.address),
            action: Set(row.action),
            target: Set(row.target),
            outcome: Set(row.outcome),
            reason: Set(row.reason),
            trace_id: Set(row.trace_id),
            changes: Set(row.changes),
            digest: Set(row.digest),
            salt: Set(row.salt),
            prev: Set(row.prev),
            hash: Set(row.hash),
        });
        Entity::insert_many(some).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// Those that were never sealed: a row that lost its place has a hash.
fn fresh() -> Condition {
    Condition::all().add(Column::Seq.is_null()).add(Column::Hash.is_null())
}

/// Oldest first.
pub(crate) async fn unsealed(db: &impl ConnectionTrait, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(fresh()).order_by_asc(Column::Id).limit(limit).all(db).await
}

pub(crate) async fn any_unsealed(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let first = Entity::find().select_only().column(Column::Id).filter(fresh()).limit(1);
    Ok(first.into_tuple::<Uuid>().one(db).await?.is_some())
}

/// Made before that time and not sealed.
pub(crate) async fn count_late(db: &impl ConnectionTrait, before_us: i64) -> Result<u64, DbErr> {
    Entity::find().filter(fresh()).filter(Column::AtUs.lt(before_us)).count(db).await
}

/// Gives unsealed rows their places. `DbErr::RecordNotUpdated` when one of them is not there to be
/// sealed any more.
pub(crate) async fn seal(tx: &Tx, seals: Vec<Seal>) -> Result<(), DbErr> {
    let mut rest = seals.into_iter();
    for size in TOGETHER {
        while rest.len() >= size {
            let mut values: Vec<Value> = Vec::with_capacity(size * 4);
            for seal in rest.by_ref().take(size) {
                values.push(seal.id.uuid().into());
                values.push(seal.seq.into());
                values.push(seal.prev.into());
                values.push(seal.hash.into());
            }
            // both databases call the columns of VALUES so
            let place = |n: usize| {
                format!("(${}, ${}, ${}, ${})", 4 * n + 1, 4 * n + 2, 4 * n + 3, 4 * n + 4)
            };
            let places: Vec<String> = (0..size).map(place).collect();
            let sql = format!(
                "UPDATE audit_entry SET seq = v.column2, prev = v.column3, hash = v.column4 \
                 FROM (VALUES {}) AS v WHERE audit_entry.id = v.column1 \
                 AND audit_entry.seq IS NULL AND audit_entry.hash IS NULL",
                places.join(", ")
            );
            let statement = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
            let done = tx.execute_raw(statement).await?.rows_affected();
            if done != size as u64 {
                return Err(DbErr::RecordNotUpdated);
            }
        }
    }
    Ok(())
}

/// Sealed rows behind a place, in order.
pub(crate) async fn sealed_after(
    db: &impl ConnectionTrait,
    seq: i64,
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let behind = Entity::find().filter(Column::Seq.gt(seq)).order_by_asc(Column::Seq);
    behind.limit(limit).all(db).await
}

/// Their places only: readable also where a row is not.
pub(crate) async fn places_after(
    db: &impl ConnectionTrait,
    seq: i64,
    limit: u64,
) -> Result<Vec<i64>, DbErr> {
    let behind = Entity::find().select_only().column(Column::Seq).filter(Column::Seq.gt(seq));
    behind.order_by_asc(Column::Seq).limit(limit).into_tuple().all(db).await
}

pub(crate) async fn at(db: &impl ConnectionTrait, seq: i64) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Seq.eq(seq)).one(db).await
}

/// Rows that say to be sealed, at or before a place; and rows that were sealed and have no place.
pub(crate) async fn misplaced(
    db: &impl ConnectionTrait,
    seq: i64,
    limit: u64,
) -> Result<Vec<(AuditId, Option<i64>)>, DbErr> {
    let displaced = Condition::all().add(Column::Seq.is_null()).add(Column::Hash.is_not_null());
    Entity::find()
        .select_only()
        .column(Column::Id)
        .column(Column::Seq)
        .filter(Condition::any().add(Column::Seq.lte(seq)).add(displaced))
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}

/// Whether there is an entry of this action about this, sealed or not.
pub(crate) async fn is_told(
    db: &impl ConnectionTrait,
    action: &str,
    target: &str,
) -> Result<bool, DbErr> {
    let told = Entity::find().select_only().column(Column::Id);
    let told = told.filter(Column::Action.eq(action)).filter(Column::Target.eq(target));
    Ok(told.limit(1).into_tuple::<Uuid>().one(db).await?.is_some())
}

/// The last sealed row of the oldest that were made before that time and stand in front of all
/// that were not, of at most `limit`.
pub(crate) async fn last_before(
    tx: &Tx,
    before_us: i64,
    limit: u64,
) -> Result<Option<(i64, Vec<u8>)>, DbErr> {
    let oldest: Vec<(i64, i64, Option<Vec<u8>>)> = Entity::find()
        .select_only()
        .columns([Column::Seq, Column::AtUs, Column::Hash])
        .filter(Column::Seq.is_not_null())
        .order_by_asc(Column::Seq)
        .limit(limit)
        .into_tuple()
        .all(tx)
        .await?;
    let old = oldest.into_iter().take_while(|(_, at_us, _)| *at_us < before_us);
    Ok(old.last().and_then(|(seq, _, hash)| Some((seq, hash?))))
}

/// Removes the sealed rows up to a place.
pub(crate) async fn remove_to(tx: &Tx, seq: i64) -> Result<u64, DbErr> {
    let done = Entity::delete_many().filter(Column::Seq.lte(seq)).exec(tx).await?;
    Ok(done.rows_affected)
}

/// Erases address, changes and salt of the entries by this actor or about this target, but for
/// those of one action.
pub(crate) async fn erase(tx: &Tx, actor: &str, target: &str, but: &str) -> Result<u64, DbErr> {
    let theirs = Condition::any().add(Column::Actor.eq(actor)).add(Column::Target.eq(target));
    let done = Entity::update_many()
        .col_expr(Column::Address, Expr::value(None::<String>))
        .col_expr(Column::Changes, Expr::value(None::<String>))
        .col_expr(Column::Salt, Expr::value(None::<Vec<u8>>))
        .filter(theirs)
        .filter(Column::Action.ne(but))
        .filter(Column::Salt.is_not_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}

/// The same for the entries about these targets.
pub(crate) async fn erase_about(tx: &Tx, targets: &[String], but: &str) -> Result<u64, DbErr> {
    let done = Entity::update_many()
        .col_expr(Column::Address, Expr::value(None::<String>))
        .col_expr(Column::Changes, Expr::value(None::<String>))
        .col_expr(Column::Salt, Expr::value(None::<Vec<u8>>))
        .filter(Column::Target.is_in(targets))
        .filter(Column::Action.ne(but))
        .filter(Column::Salt.is_not_null())
        .exec(tx)
        .await?;
    Ok(done.rows_affected)
}

/// Newest first. A cursor of another list is a `DbErr::Type`.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    filter: &Filter,
    page: &Page,
) -> Result<(Vec<Kind>, Option<Cursor>), DbErr> {
    let mut query = Entity::find();
    if let Some(cursor) = &page.cursor {
        let before: AuditId = cursor.decode().map_err(|e| DbErr::Type(e.to_string()))?;
        query = query.filter(Column::Id.lt(before));
    }
    for (column, wish) in [
        (Column::Actor, &filter.actor),
        (Column::Target, &filter.target),
        (Column::Outcome, &filter.outcome),
    ] {
        if !wish.is_empty() {
            query = query.filter(column.eq(wish.as_str()));
        }
    }
    if filter.action.ends_with('.') {
        // no LIKE: its wildcards and its case differ
        let letters = i32::try_from(filter.action.chars().count()).unwrap_or(i32::MAX);
        let column = Expr::col(Column::Action);
        let begins = Func::cust("substr").args([column, Expr::value(1), Expr::value(letters)]);
        query = query.filter(Expr::from(begins).eq(filter.action.as_str()));
    } else if !filter.action.is_empty() {
        query = query.filter(Column::Action.eq(filter.action.as_str()));
    }
    if let Some(from_us) = filter.from_us {
        query = query.filter(Column::AtUs.gte(from_us));
    }
    if let Some(to_us) = filter.to_us {
        query = query.filter(Column::AtUs.lt(to_us));
    }
    let limit = page.limit as usize;
    let mut rows = query.order_by_desc(Column::Id).limit(u64::from(page.limit) + 1).all(db).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| Cursor::encode(&last.id));
    Ok((rows.into_iter().map(Kind::from).collect(), next))
}
