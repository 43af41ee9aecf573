//! Writing products, one or hundreds at a time.
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, Iterable, QuerySelect};
use souk_storage::{Database, Tx};

use super::{ActiveModel, Column, Entity, fold, tag};
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

/// The new state of products that this transaction holds.
pub(crate) async fn update_many(tx: &Tx, products: &[Product]) -> Result<(), DbErr> {
    for some in products.chunks(AT_ONCE) {
        // an upsert of rows that exist: one statement instead of hundreds
        let kept = |c: &Column| matches!(c, Column::Id | Column::Sku | Column::CreatedAt);
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

async fn insert_tags(tx: &Tx, products: &[Product]) -> Result<(), DbErr> {
    let rows: Vec<tag::ActiveModel> = products
        .iter()
        .flat_map(|p| p.tags.iter().map(|t| (p.id, fold(t))))
        .map(|(id, tag)| tag::ActiveModel { tag: Set(tag), product_id: Set(id) })
        .collect();
    for some in rows.chunks(AT_ONCE) {
        // two tags that fold alike are one
        let columns = [tag::Column::Tag, tag::Column::ProductId];
        let nothing = OnConflict::columns(columns).do_nothing().to_owned();
        tag::Entity::insert_many(some.to_vec())
            .on_conflict(nothing)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
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
        tags: Set(serde_json::json!(p.tags)),
        kind: Set(p.kind.as_str().to_owned()),
        condition: Set(p.condition.clone()),
        price_minor: Set(p.price.minor),
        old_price_minor: Set(p.old_price),
        currency: Set(p.price.currency.to_string()),
        on_hand: Set(p.on_hand),
        reserved: Set(p.reserved),
        stock_seq: Set(p.stock_seq),
        active: Set(p.active),
        images: Set(serde_json::json!(p.images)),
        attributes: Set(serde_json::json!(p.attributes)),
        handle: Set(p.handle.clone()),
        search_text: Set(fold(&texts.join("\n"))),
        version: Set(p.version),
        created_at: Set(p.created_at),
        updated_at: Set(p.updated_at),
    }
}
