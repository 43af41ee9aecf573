//! Where the chain ends: kept beside it, so that a tail that was cut off is missed.
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{EntityTrait, QuerySelect};
use souk_storage::Tx;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub seq: i64,
    pub hash: Vec<u8>,
    pub at_us: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

const ONLY: i32 = 1;

pub(crate) async fn find(db: &impl ConnectionTrait) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(ONLY).one(db).await
}

/// Whoever holds the head is the only one who changes the chain, in any process.
pub(crate) async fn hold(tx: &Tx) -> Result<Model, DbErr> {
    let found = Entity::find_by_id(ONLY).lock_exclusive().one(tx).await?;
    found.ok_or_else(|| DbErr::RecordNotFound("audit_head".to_owned()))
}

pub(crate) async fn set(tx: &Tx, seq: i64, hash: &[u8], at_us: i64) -> Result<(), DbErr> {
    Entity::update_many()
        .col_expr(Column::Seq, Expr::value(seq))
        .col_expr(Column::Hash, Expr::value(hash.to_vec()))
        .col_expr(Column::AtUs, Expr::value(at_us))
        .filter(Column::Id.eq(ONLY))
        .exec(tx)
        .await
        .map(drop)
}
