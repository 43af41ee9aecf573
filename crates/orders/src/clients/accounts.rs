//! Accounts, asked for addresses of a customer's address book.
use souk_proto::accounts::v1::GetAddressRequest;
use souk_proto::accounts::v1::address_service_client::AddressServiceClient;
use souk_rpc::{Failure, Transport};

use crate::error::Error;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Accounts {
    addresses: AddressServiceClient<Transport>,
}

impl Accounts {
    pub(crate) fn new(transport: Transport) -> Self {
        Self { addresses: AddressServiceClient::new(transport) }
    }

    /// An address of the user on whose behalf this call is.
    pub(crate) async fn address(
        &self,
        id: &str,
    ) -> Result<souk_proto::accounts::v1::CustomerAddress, Error> {
        let request = GetAddressRequest { id: id.to_owned() };
        let answer = self.addresses.clone().get_address(request).await;
        Ok(answer.map_err(Failure::from)?.into_inner())
    }
}
