//! The table `role`: names, the source systems' numbers, permissions.

use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{IntoActiveModel, QuerySelect, SqlErr};
use souk_auth::Permission;
use souk_storage::{OnConstraint, Tx};

use crate::Error;
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

/// Those with a number first. Sorted here: the databases disagree on where none belongs.
pub(crate) async fn all(db: &impl ConnectionTrait) -> Result<Roles, DbErr> {
    let mut roles = Entity::find().all(db).await?;
    roles.sort_by(|a, b| {
        let place = |role: &Model| (role.number.is_none(), role.number);
        place(a).cmp(&place(b)).then_with(|| a.name.cmp(&b.name))
    });
    Ok(Roles(roles))
}

/// Locks the row until the transaction ends; people may still get or leave the role.
pub(crate) async fn find_for_update(tx: &Tx, name: &str) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(name).lock(LockType::NoKeyUpdate).one(tx).await
}

pub(crate) async fn insert(tx: &Tx, role: Model) -> Result<(), Error> {
    let insert = Entity::insert(role.into_active_model()).exec_without_returning(tx).await;
    insert.map(|_| ()).on_constraint("role_pkey|role.name", Error::RoleTaken)
}

pub(crate) async fn update(tx: &Tx, name: &str, permissions: Json) -> Result<(), DbErr> {
    let query = Entity::update_many().col_expr(Column::Permissions, Expr::value(permissions));
    query.filter(Column::Name.eq(name)).exec(tx).await.map(|_| ())
}

/// Whoever gets the role in the same moment keeps it from going.
pub(crate) async fn delete(tx: &Tx, name: &str) -> Result<(), Error> {
    match Entity::delete_by_id(name).exec(tx).await {
        Ok(_) => Ok(()),
        Err(error) => match error.sql_err() {
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Err(Error::RoleInUse),
            _ => Err(error.into()),
        },
    }
}

/// One at a time until the transaction ends: whoever may take an admin away. Inserts and updates of
/// accounts go on (their foreign key asks for less), and taking this lock before any account's
/// keeps one order.
pub(crate) async fn lock_admins(tx: &Tx) -> Result<(), DbErr> {
    Entity::find_by_id(ADMIN).lock(LockType::NoKeyUpdate).one(tx).await.map(|_| ())
}
