//! `RoleService` on the wire.

use souk_auth::Permission;
use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::role_service_server::RoleService;
use souk_rpc::caller;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::app::role as app;
use crate::store::role::Model;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl RoleService for Door {
    async fn list_permissions(
        &self,
        request: Request<pb::ListPermissionsRequest>,
    ) -> Answer<pb::ListPermissionsResponse> {
        self.app.admit(&caller(&request)).await.map_err(status)?;
        let items = Permission::ALL.into_iter().map(|permission| pb::PermissionInfo {
            name: permission.to_string(),
            meaning: permission.meaning().to_owned(),
        });
        Ok(Response::new(pb::ListPermissionsResponse { items: items.collect() }))
    }

    async fn create_role(&self, request: Request<pb::CreateRoleRequest>) -> Answer<pb::Role> {
        let caller = caller(&request);
        let pb::CreateRoleRequest { name, permissions } = request.into_inner();
        let made = app::create(&self.app, &caller, &name, &permissions).await;
        Ok(Response::new(to_proto(&made.map_err(status)?)))
    }

    async fn update_role(&self, request: Request<pb::UpdateRoleRequest>) -> Answer<pb::Role> {
        let caller = caller(&request);
        let pb::UpdateRoleRequest { name, permissions } = request.into_inner();
        let changed = app::update(&self.app, &caller, &name, &permissions).await;
        Ok(Response::new(to_proto(&changed.map_err(status)?)))
    }

    async fn delete_role(&self, request: Request<pb::DeleteRoleRequest>) -> Answer<pb::Role> {
        let caller = caller(&request);
        let gone = app::delete(&self.app, &caller, &request.into_inner().name).await;
        Ok(Response::new(to_proto(&gone.map_err(status)?)))
    }
}

pub(super) fn to_proto(role: &Model) -> pb::Role {
    pb::Role {
        name: role.name.clone(),
        number: role.number().unwrap_or_default(),
        permissions: role.permissions().into_iter().map(|p| p.to_string()).collect(),
    }
}
