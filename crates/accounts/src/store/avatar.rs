//! The table `avatar`: the small pictures of people. It goes with the account.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, QueryFilter};
use souk_storage::Tx;
use souk_values::UserId;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "avatar")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) account_id: UserId,
    /// One of the set, or …
    pub(crate) chosen: Option<String>,
    /// … what the uploaded one is called: drawn anew with each.
    pub(crate) picture: Option<String>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) media_type: Option<String>,
    /// Grows also when the picture is taken away.
    pub(crate) version: i64,
    pub(crate) updated_at: DateTimeUtc,
}

/// Without the picture.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Avatar({}, {})", self.account_id, self.version)
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) async fn find(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(account).one(db).await
}

pub(crate) async fn find_by_picture(
    db: &impl ConnectionTrait,
    picture: &str,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Picture.eq(picture)).one(db).await
}

/// Under the lock of the account's row: writes the first one, or over the one before.
pub(crate) async fn write(tx: &Tx, avatar: Model, is_first: bool) -> Result<(), DbErr> {
    let row = avatar.into_active_model().reset_all();
    if is_first {
        Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
    } else {
        Entity::update(row).exec(tx).await.map(|_| ())
    }
}
