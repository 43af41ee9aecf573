//! The table `role`: names, the source systems' numbers, permissions.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{QueryOrder, QuerySelect};
use souk_auth::Permission;
use souk_storage::Tx;

use crate::domain::role::{ADMIN, is_meant};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "role")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) name: String,
    pub(crate) number: Option<i32>,
    pub(crate) permissions: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub(crate) fn number(&self) -> Option<u32> {
        self.number.and_then(|number| u32::try_from(number).ok())
    }

    /// `*` is every permission; words that this version does not know give nothing.
    pub(crate) fn permissions(&self) -> BTreeSet<Permission> {
        let words = self.permissions.as_array().into_iter().flatten().filter_map(Json::as_str);
        words
            .flat_map(|word| match word {
                "*" => Permission::ALL.to_vec(),
                word => word.parse().into_iter().collect(),
            })
            .collect()
    }
}

/// All roles; there are few.
#[derive(Clone, Debug)]
pub(crate) struct Roles(pub(crate) Vec<Model>);

impl Roles {
    /// The name of the role that a caller means by name or number.
    pub(crate) fn find(&self, text: &str) -> Option<String> {
        let found = self.0.iter().find(|role| is_meant(&role.name, role.number(), text));
        found.map(|role| role.name.clone())
    }

    pub(crate) fn permissions(&self, name: &str) -> BTreeSet<Permission> {
        let found = self.0.iter().find(|role| role.name == name);
        found.map(Model::permissions).unwrap_or_default()
    }

    /// Names of the roles that hold the permission.
    pub(crate) fn holding(&self, permission: Permission) -> Vec<String> {
        let holds = |role: &&Model| role.permissions().contains(&permission);
        self.0.iter().filter(holds).map(|role| role.name.clone()).collect()
    }
}

pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Roles, DbErr> {
    Entity::find().order_by_asc(Column::Number).order_by_asc(Column::Name).all(db).await.map(Roles)
}

/// One at a time until the transaction ends: whoever may take an admin away. Inserts and updates of
/// accounts go on (their foreign key asks for less), and taking this lock before any account's
/// keeps one order.
pub(crate) async fn lock_admins(tx: &Tx) -> Result<(), DbErr> {
    Entity::find_by_id(ADMIN).lock(LockType::NoKeyUpdate).one(tx).await.map(|_| ())
}
