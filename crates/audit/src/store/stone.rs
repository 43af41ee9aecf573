//! Where the chain begins, once its oldest rows are removed: the last of them.
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, Set};
use souk_storage::Tx;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_stone")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub seq: i64,
    pub hash: Vec<u8>,
    /// When it was laid.
    pub at_us: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

const ONLY: i32 = 1;

pub(crate) async fn find(db: &impl ConnectionTrait) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(ONLY).one(db).await
}

pub(crate) async fn lay(tx: &Tx, seq: i64, hash: Vec<u8>, at_us: i64) -> Result<(), DbErr> {
    let stone = ActiveModel { id: Set(ONLY), seq: Set(seq), hash: Set(hash), at_us: Set(at_us) };
    let further = OnConflict::column(Column::Id)
        .update_columns([Column::Seq, Column::Hash, Column::AtUs])
        .to_owned();
    Entity::insert(stone).on_conflict(further).exec_without_returning(tx).await.map(drop)
}
