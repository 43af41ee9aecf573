//! What lies on the shelves: the columns of a product that stock is about. Products in general are
//! written by [`super::product`], which leaves these alone.
mod integrity;

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect, Statement, Value, prelude::Json};
use souk_storage::Tx;
use souk_values::{Currency, Money, ProductId};

pub(crate) use integrity::{check, versions};

use crate::domain::product::Kind;
use crate::domain::stock::{LOW_ATTRIBUTE, Shelf, low_at};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: ProductId,
    pub(crate) sku: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) price_minor: i64,
    pub(crate) currency: String,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) stock_seq: i64,
    pub(crate) active: bool,
    pub(crate) attributes: Json,
    pub(crate) version: i64,
    pub(crate) low_told: bool,
    pub(crate) low_seq: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Rows of one statement.
const AT_ONCE: usize = 500;

/// Those of the products that exist, held until the transaction ends. In one order over all of
/// them: two transactions never wait for each other.
pub(crate) async fn lock(tx: &Tx, products: &BTreeSet<ProductId>) -> Result<Vec<Shelf>, DbErr> {
    let products: Vec<ProductId> = products.iter().copied().collect();
    let mut shelves = Vec::with_capacity(products.len());
    for some in products.chunks(AT_ONCE) {
        let rows = Entity::find()
            .filter(Column::Id.is_in(some.iter().copied()))
            .order_by_asc(Column::Id)
            .lock_exclusive()
            .all(tx)
            .await?;
        for row in rows {
            shelves.push(read(row)?);
        }
    }
    Ok(shelves)
}

/// A product's stock as it is.
pub(crate) async fn find(
    db: &impl ConnectionTrait,
    product: ProductId,
) -> Result<Option<Shelf>, DbErr> {
    Entity::find_by_id(product).one(db).await?.map(read).transpose()
}

/// Writes moved shelves. Each is at its next `stock_seq`; one that is not at the one before in the
/// store was moved by somebody else, and nothing may be written.
pub(crate) async fn save(tx: &Tx, shelves: &[Shelf]) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    let postgres = backend == sea_orm::DatabaseBackend::Postgres;
    // SQLite knows what it is given; PostgreSQL must be told
    let types = if postgres {
        ["::uuid", "::bigint", "::bigint", "::bigint", "::boolean", "::bigint"]
    } else {
        [""; 6]
    };
    for some in shelves.chunks(AT_ONCE) {
        let mut values: Vec<Value> = Vec::with_capacity(some.len() * types.len());
        let mut rows: Vec<String> = Vec::with_capacity(some.len());
        for shelf in some {
            let row: [Value; 6] = [
                shelf.id.into(),
                shelf.stock_seq.into(),
                shelf.on_hand.into(),
                shelf.reserved.into(),
                shelf.low_told.into(),
                shelf.low_seq.into(),
            ];
            let first = values.len() + 1;
            let places = (first..).zip(types).map(|(n, of)| format!("${n}{of}"));
            rows.push(format!("({})", places.collect::<Vec<_>>().join(", ")));
            values.extend(row);
        }
        let sql = format!(
            "WITH moved (id, stock_seq, on_hand, reserved, low_told, low_seq) AS (VALUES {}) \
             UPDATE product SET on_hand = moved.on_hand, reserved = moved.reserved, \
             stock_seq = moved.stock_seq, low_told = moved.low_told, low_seq = moved.low_seq \
             FROM moved WHERE product.id = moved.id AND product.stock_seq = moved.stock_seq - 1",
            rows.join(", ")
        );
        let done = tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        if done.rows_affected() != some.len() as u64 {
            return Err(DbErr::RecordNotUpdated);
        }
    }
    Ok(())
}

fn read(row: Model) -> Result<Shelf, DbErr> {
    let broken = |what: &str| DbErr::Type(format!("product {} has a broken {what}", row.id));
    let currency: Currency = row.currency.parse().map_err(|_| broken("currency"))?;
    let kind = Kind::parse(&row.kind).map_err(|_| broken("kind"))?;
    // what was written before the rule may be anything: then the shop's threshold counts
    let own = row.attributes.get(LOW_ATTRIBUTE).and_then(|text| text.as_str());
    Ok(Shelf {
        low_at: own.and_then(|text| low_at(text).ok()),
        digital: kind == Kind::Digital,
        price: Money::new(row.price_minor, currency),
        id: row.id,
        sku: row.sku,
        slug: row.slug,
        name: row.name,
        active: row.active,
        version: row.version,
        on_hand: row.on_hand,
        reserved: row.reserved,
        stock_seq: row.stock_seq,
        low_told: row.low_told,
        low_seq: row.low_seq,
    })
}
