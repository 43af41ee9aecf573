//! `AddressService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::address_service_server::AddressService;
use souk_rpc::caller;
use souk_values::AddressId;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::address as app;
use crate::domain::address::Fields;
use crate::store::address::Model;
use crate::store::{self, newest};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AddressService for Door {
    async fn list_addresses(
        &self,
        request: Request<pb::ListAddressesRequest>,
    ) -> Answer<pb::ListAddressesResponse> {
        let owner = app::owner(&self.app, &caller(&request)).await.map_err(status)?;
        let found = store::address::list(newest(self.app.db()), owner).await.map_err(status)?;
        let items = found.into_iter().map(to_proto).collect();
        Ok(Response::new(pb::ListAddressesResponse { items }))
    }

    async fn get_address(
        &self,
        request: Request<pb::GetAddressRequest>,
    ) -> Answer<pb::CustomerAddress> {
        let owner = app::owner(&self.app, &caller(&request)).await.map_err(status)?;
        let id = address_id(&request.into_inner().id).map_err(status)?;
        let found = store::address::find(newest(self.app.db()), owner, id).await;
        let found = found.map_err(status)?.ok_or(Error::AddressNotFound).map_err(status)?;
        Ok(Response::new(to_proto(found)))
    }

    async fn create_address(
        &self,
        request: Request<pb::CreateAddressRequest>,
    ) -> Answer<pb::CustomerAddress> {
        let caller = caller(&request);
        let fields = from_proto(request.into_inner().address.unwrap_or_default());
        let made = app::create(&self.app, &caller, fields).await.map_err(status)?;
        Ok(Response::new(to_proto(made)))
    }

    async fn update_address(
        &self,
        request: Request<pb::UpdateAddressRequest>,
    ) -> Answer<pb::CustomerAddress> {
        let caller = caller(&request);
        let pb::UpdateAddressRequest { address, expected_version } = request.into_inner();
        let address = address.unwrap_or_default();
        let id = address_id(&address.id).map_err(status)?;
        let fields = from_proto(address);
        let changed = app::update(&self.app, &caller, id, fields, expected_version).await;
        Ok(Response::new(to_proto(changed.map_err(status)?)))
    }

    async fn delete_address(
        &self,
        request: Request<pb::DeleteAddressRequest>,
    ) -> Answer<pb::CustomerAddress> {
        let caller = caller(&request);
        let id = address_id(&request.into_inner().id).map_err(status)?;
        let gone = app::delete(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(to_proto(gone)))
    }
}

/// What is no id names nothing.
fn address_id(text: &str) -> Result<AddressId, Error> {
    text.parse().map_err(|_| Error::AddressNotFound)
}

fn from_proto(a: pb::CustomerAddress) -> Fields {
    Fields {
        label: a.label,
        name: a.name,
        company: a.company,
        line1: a.line1,
        line2: a.line2,
        city: a.city,
        region: a.region,
        postal_code: a.postal_code,
        country: a.country,
        phone: a.phone,
        is_default: a.is_default,
    }
}

fn to_proto(a: Model) -> pb::CustomerAddress {
    pb::CustomerAddress {
        id: a.id.to_string(),
        label: a.label,
        name: a.name,
        company: a.company,
        line1: a.line1,
        line2: a.line2,
        city: a.city,
        region: a.region,
        postal_code: a.postal_code,
        country: a.country,
        phone: a.phone,
        is_default: a.is_default,
        version: a.version.unsigned_abs(),
    }
}
