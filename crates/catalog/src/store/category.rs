//! Categories by path.
use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};
use souk_values::CategoryId;

use crate::domain::category::CategoryPath;

/// As many as a shop may have.
const MAX: u64 = 10_000;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "category")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: CategoryId,
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// All, parents before children.
pub(crate) async fn list(db: &Database) -> Result<Vec<Model>, DbErr> {
    Entity::find().order_by_asc(Column::Path).limit(MAX).all(db.read()).await
}

pub(crate) async fn find<C: ConnectionTrait>(
    db: &C,
    path: &CategoryPath,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Path.eq(path.as_str())).one(db).await
}

pub(crate) async fn insert(
    tx: &Tx,
    path: &CategoryPath,
    name: &str,
    now: DateTime<Utc>,
) -> Result<Model, DbErr> {
    let row = Model {
        id: CategoryId::new(),
        path: path.to_string(),
        name: name.to_owned(),
        created_at: now,
    };
    Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(tx).await?;
    Ok(row)
}

/// Makes sure that these and all above them exist, named by their slugs.
pub(crate) async fn ensure<'a>(
    tx: &Tx,
    paths: impl Iterator<Item = &'a CategoryPath>,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let mut wanted: Vec<CategoryPath> = paths.flat_map(CategoryPath::lineage).collect();
    wanted.sort();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(());
    }
    let rows = wanted.iter().map(|path| ActiveModel {
        id: Set(CategoryId::new()),
        path: Set(path.to_string()),
        name: Set(path.title()),
        created_at: Set(now),
    });
    let nothing = OnConflict::column(Column::Path).do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(nothing).exec_without_returning(tx).await.map(|_| ())
}

pub(crate) async fn has_children(tx: &Tx, path: &CategoryPath) -> Result<bool, DbErr> {
    let below = format!("{path}/");
    let found = Entity::find().filter(Column::Path.starts_with(below)).limit(1).one(tx).await?;
    Ok(found.is_some())
}

pub(crate) async fn delete(tx: &Tx, id: CategoryId) -> Result<(), DbErr> {
    Entity::delete_by_id(id).exec(tx).await.map(|_| ())
}
