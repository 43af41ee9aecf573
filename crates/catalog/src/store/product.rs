//! Products: the row, and every query about it.
mod list;
mod write;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{
    Condition, FromJsonQueryResult, FromQueryResult, Iterable, QueryOrder, QuerySelect, Select,
};
use serde::{Deserialize, Serialize};
use souk_storage::Tx;
use souk_values::{Currency, Money, ProductId, Sku, Slug};

pub(crate) use list::{Filter, Position, Sort, all_after, count_by_category, list};
pub(crate) use write::{any, insert_many, update_many};

use crate::domain::category::CategoryPath;
use crate::domain::product::{Kind, Product};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: ProductId,
    pub(crate) sku: String,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) brand: String,
    pub(crate) category: Option<String>,
    pub(crate) tags: Texts,
    pub(crate) kind: String,
    pub(crate) condition: Option<String>,
    pub(crate) price_minor: i64,
    pub(crate) old_price_minor: Option<i64>,
    pub(crate) currency: String,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) stock_seq: i64,
    pub(crate) active: bool,
    pub(crate) images: Texts,
    pub(crate) attributes: Named,
    pub(crate) handle: String,
    /// What text filters look at: folded name, SKU, brand, tags, description.
    pub(crate) search_text: String,
    pub(crate) version: i64,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A JSON array of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Texts(pub(crate) Vec<String>);

/// A JSON object of texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Named(pub(crate) BTreeMap<String, String>);

/// A row as reads see it: without the search text, which repeats most of the others.
#[derive(Debug, FromQueryResult)]
pub(super) struct Row {
    id: ProductId,
    sku: String,
    slug: String,
    name: String,
    description: String,
    brand: String,
    category: Option<String>,
    tags: Texts,
    kind: String,
    condition: Option<String>,
    price_minor: i64,
    old_price_minor: Option<i64>,
    currency: String,
    on_hand: i64,
    reserved: i64,
    stock_seq: i64,
    active: bool,
    images: Texts,
    attributes: Named,
    handle: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A question for products.
fn rows() -> Select<Entity> {
    let seen = Column::iter().filter(|column| !matches!(column, Column::SearchText));
    Entity::find().select_only().columns(seen)
}

/// The products that a question finds.
async fn all<C: ConnectionTrait>(db: &C, select: Select<Entity>) -> Result<Vec<Product>, DbErr> {
    select.into_model::<Row>().all(db).await?.into_iter().map(read).collect()
}

/// By id, SKU or slug, tried in this order.
pub(crate) async fn find<C: ConnectionTrait>(db: &C, key: &str) -> Result<Option<Product>, DbErr> {
    find_row(db, key, false).await
}

/// The active ones among the ids.
pub(crate) async fn find_active(
    db: &DatabaseConnection,
    ids: Vec<ProductId>,
) -> Result<Vec<Product>, DbErr> {
    all(db, rows().filter(Column::Id.is_in(ids)).filter(Column::Active.eq(true))).await
}

/// The same, held against other writers until the transaction ends.
pub(crate) async fn find_for_update(tx: &Tx, key: &str) -> Result<Option<Product>, DbErr> {
    find_row(tx, key, true).await
}

async fn find_row<C: ConnectionTrait>(
    db: &C,
    key: &str,
    lock: bool,
) -> Result<Option<Product>, DbErr> {
    // PostgreSQL knows no such text and would fail
    if key.contains('\0') {
        return Ok(None);
    }
    let select = || if lock { rows().lock_exclusive() } else { rows() };
    if let Ok(id) = key.parse::<ProductId>()
        && let Some(row) = select().filter(Column::Id.eq(id)).into_model::<Row>().one(db).await?
    {
        return read(row).map(Some);
    }
    // one product's SKU may be another's slug
    let either = Condition::any().add(Column::Sku.eq(key)).add(Column::Slug.eq(key));
    let select = select().filter(either).order_by_desc(Column::Sku.eq(key));
    select.into_model::<Row>().one(db).await?.map(read).transpose()
}

/// Those of the SKUs that exist, held against other writers.
pub(crate) async fn find_skus_for_update(tx: &Tx, skus: &[Sku]) -> Result<Vec<Product>, DbErr> {
    let skus = skus.iter().map(Sku::as_str);
    let held = rows()
        .filter(Column::Sku.is_in(skus))
        // in one order: two batches never wait for each other
        .order_by_asc(Column::Id)
        .lock_exclusive();
    all(tx, held).await
}

/// Those of the SKUs that exist.
pub(crate) async fn known_skus(db: &DatabaseConnection, skus: &[&Sku]) -> Result<Vec<Sku>, DbErr> {
    let skus = skus.iter().map(|sku| sku.as_str());
    let found = Entity::find().select_only().column(Column::Sku).filter(Column::Sku.is_in(skus));
    let found: Vec<String> = found.into_tuple().all(db).await?;
    // a SKU of the store was parsed before it came there
    Ok(found.iter().filter_map(|sku| Sku::parse(sku).ok()).collect())
}

/// Those of the slugs that are taken.
pub(crate) async fn taken_slugs(tx: &Tx, slugs: &[&str]) -> Result<Vec<String>, DbErr> {
    let slugs = slugs.iter().copied();
    Entity::find()
        .select_only()
        .column(Column::Slug)
        .filter(Column::Slug.is_in(slugs))
        .into_tuple()
        .all(tx)
        .await
}

/// Those of the slugs that are taken, with the products that have them.
pub(crate) async fn slug_owners(
    tx: &Tx,
    slugs: &[&str],
) -> Result<Vec<(String, ProductId)>, DbErr> {
    let slugs = slugs.iter().copied();
    Entity::find()
        .select_only()
        .columns([Column::Slug, Column::Id])
        .filter(Column::Slug.is_in(slugs))
        .into_tuple()
        .all(tx)
        .await
}

/// Whether any product, hidden ones too, is in the category.
pub(crate) async fn any_in(tx: &Tx, category: &CategoryPath) -> Result<bool, DbErr> {
    let found = Entity::find().filter(Column::Category.eq(category.as_str())).limit(1).one(tx);
    Ok(found.await?.is_some())
}

/// A row as the product it is; a row that is none means that somebody else wrote to the table.
fn read(row: Row) -> Result<Product, DbErr> {
    let broken = |what: &str| DbErr::Type(format!("product {} has a broken {what}", row.id));
    let currency: Currency = row.currency.parse().map_err(|_| broken("currency"))?;
    Ok(Product {
        sku: Sku::parse(&row.sku).map_err(|_| broken("sku"))?,
        slug: Slug::parse(&row.slug).map_err(|_| broken("slug"))?,
        category: row
            .category
            .as_deref()
            .map(CategoryPath::parse)
            .transpose()
            .map_err(|_| broken("category"))?,
        kind: Kind::parse(&row.kind).map_err(|_| broken("kind"))?,
        tags: row.tags.0,
        images: row.images.0,
        attributes: row.attributes.0,
        price: Money::new(row.price_minor, currency),
        id: row.id,
        name: row.name,
        description: row.description,
        brand: row.brand,
        condition: row.condition,
        old_price: row.old_price_minor,
        on_hand: row.on_hand,
        reserved: row.reserved,
        stock_seq: row.stock_seq,
        active: row.active,
        handle: row.handle,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Text in the form in which filters compare it.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
}

pub(super) mod tag {
    //! Tags as rows, for filtering.
    use sea_orm::entity::prelude::*;
    use souk_values::ProductId;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product_tag")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) tag: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) product_id: ProductId,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
