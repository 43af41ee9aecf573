//! The table `ended_session`: sessions whose access tokens count no more although they have not
//! expired. It outlives the sessions, whose rows go with their account, and knows those of programs'
//! keys, which have no rows.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, OnConflict};
use sea_orm::{IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::SessionId;

/// Rows of one insert: within the bound of SQLite's parameters.
const TOGETHER: usize = 1000;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ended_session")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) session_id: SessionId,
    pub(crate) ended_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A session ends once: the first time counts.
pub(crate) async fn insert(tx: &Tx, ids: &[SessionId], now: DateTime<Utc>) -> Result<(), DbErr> {
    for some in ids.chunks(TOGETHER) {
        let rows = some.iter().map(|&session_id| Model { session_id, ended_at: now });
        let rows = rows.map(IntoActiveModel::into_active_model);
        let known = OnConflict::column(Column::SessionId).do_nothing().to_owned();
        Entity::insert_many(rows).on_conflict(known).exec_without_returning(tx).await?;
    }
    Ok(())
}

/// What ended after `after`, in the order of the ends.
pub(crate) async fn list(
    db: &impl ConnectionTrait,
    after: (DateTime<Utc>, SessionId),
    limit: u64,
) -> Result<Vec<Model>, DbErr> {
    let (at, id) = after;
    let same = Condition::all().add(Column::EndedAt.eq(at)).add(Column::SessionId.gt(id));
    let query = Entity::find().filter(Condition::any().add(Column::EndedAt.gt(at)).add(same));
    let query = query.order_by_asc(Column::EndedAt).order_by_asc(Column::SessionId);
    query.limit(limit).all(db).await
}

/// Removes what ended before `before`.
pub(crate) async fn forget(tx: &Tx, before: DateTime<Utc>) -> Result<u64, DbErr> {
    Ok(Entity::delete_many().filter(Column::EndedAt.lt(before)).exec(tx).await?.rows_affected)
}
