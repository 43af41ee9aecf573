//! Writing products, one or hundreds at a time.
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseBackend, Iterable, QuerySelect, Statement};
use souk_storage::{Database, Tx};
use souk_values::ProductId;

use super::{ActiveModel, Column, Entity, Named, Texts, fold, tag};
use crate::domain::product::Product;

/// Rows of one statement: 25 columns each, under SQLite's 32,766 variables.
const AT_ONCE: usize = 500;

/// Whether there is any product at all.
pub(crate) async fn any(db: &Database) -> Result<bool, DbErr> {
    let first = Entity::find().select_only().column(Column::Id).limit(1);
    Ok(first.into_tuple::<Uuid>().one(db.write()).await?.is_some())
}

/// New products. A taken SKU or slug breaks `product_sku` or `product_slug`.
pub(crate) async fn insert_many(tx: &Tx, products: &[Product]) -> Result<(), DbErr> {
    for some in products.chunks(AT_ONCE) {
        Entity::insert_many(some.iter().map(row)).exec_without_returning(tx).await?;
        insert_tags(tx, some).await?;
    }
    Ok(())
}

/// The new state of products that this transaction holds, but for their stock: that is written by
/// [`crate::store::stock::save`] alone.
pub(crate) async fn update_many(tx: &Tx, products: &[Product]) -> Result<(), DbErr> {
    for some in products.chunks(AT_ONCE) {
        // an upsert of rows that exist: one statement instead of hundreds
        let kept = |c: &Column| {
            use Column::{CreatedAt, Id, OnHand, Reserved, Sku, StockSeq};
            matches!(c, Id | Sku | CreatedAt | OnHand | Reserved | StockSeq)
        };
        let every = OnConflict::column(Column::Id)
            .update_columns(Column::iter().filter(|c| !kept(c)))
            .to_owned();
        Entity::insert_many(some.iter().map(row))
            .on_conflict(every)
            .exec_without_returning(tx)
            .await?;
        let ids = some.iter().map(|p| p.id);
        tag::Entity::delete_many().filter(tag::Column::ProductId.is_in(ids)).exec(tx).await?;
        insert_tags(tx, some).await?;
    }
    Ok(())
}

/// One statement, whose text never changes, with all of them as a JSON array of texts: 32 digits of
/// the product, then the tag. Two tags of a product that fold alike are one.
async fn insert_tags(tx: &Tx, products: &[Product]) -> Result<(), DbErr> {
    let mut tags: Vec<(String, ProductId)> =
        products.iter().flat_map(|p| p.tags.iter().map(|tag| (fold(tag), p.id))).collect();
    if tags.is_empty() {
        return Ok(());
    }
    // in the order of the key: neighbors lie together
    tags.sort_unstable();
    let member = |(tag, id): (String, ProductId)| format!("{}{tag}", id.uuid().simple());
    let members: Vec<String> = tags.into_iter().map(member).collect();
    let json = serde_json::to_string(&members).map_err(|e| DbErr::Json(e.to_string()))?;
    let backend = tx.get_database_backend();
    let sql = match backend {
        DatabaseBackend::Postgres => {
            "INSERT INTO product_tag (tag, product_id) \
             SELECT substr(value, 33), CAST(substr(value, 1, 32) AS uuid) \
             FROM jsonb_array_elements_text(CAST($1 AS jsonb)) AS t(value) \
             ON CONFLICT (tag, product_id) DO NOTHING"
        }
        // SQLite takes ON for a join's without the WHERE
        _ => {
            "INSERT INTO product_tag (tag, product_id) \
             SELECT substr(value, 33), unhex(substr(value, 1, 32)) FROM json_each($1) WHERE true \
             ON CONFLICT (tag, product_id) DO NOTHING"
        }
    };
    tx.execute_raw(Statement::from_sql_and_values(backend, sql, [json.into()])).await.map(drop)
}

fn row(p: &Product) -> ActiveModel {
    let texts = [p.name.as_str(), p.sku.as_str(), &p.brand, &p.tags.join(" "), &p.description];
    ActiveModel {
        id: Set(p.id),
        sku: Set(p.sku.to_string()),
        slug: Set(p.slug.to_string()),
        name: Set(p.name.clone()),
        description: Set(p.description.clone()),
        brand: Set(p.brand.clone()),
        category: Set(p.category.as_ref().map(ToString::to_string)),
        tags: Set(Texts(p.tags.clone())),
        kind: Set(p.kind.as_str().to_owned()),
        condition: Set(p.condition.clone()),
        price_minor: Set(p.price.minor),
        old_price_minor: Set(p.old_price),
        currency: Set(p.price.currency.to_string()),
        on_hand: Set(p.on_hand),
        reserved: Set(p.reserved),
        stock_seq: Set(p.stock_seq),
        active: Set(p.active),
        images: Set(Texts(p.images.clone())),
        attributes: Set(Named(p.attributes.clone())),
        handle: Set(p.handle.clone()),
        search_text: Set(fold(&texts.join("\n"))),
        version: Set(p.version),
        created_at: Set(p.created_at),
        updated_at: Set(p.updated_at),
    }
}
