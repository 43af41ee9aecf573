//! Accounts, asked for those who get notices.
use souk_proto::accounts::v1::ListNoticeRecipientsRequest;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_rpc::{Failure, Transport};
use souk_values::UserId;

use crate::app::Recipient;
use crate::error::Error;

/// Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    client: AccountServiceClient<Transport>,
}

impl Accounts {
    pub fn new(transport: Transport) -> Self {
        Self { client: AccountServiceClient::new(transport) }
    }

    /// Everybody who gets notices of product changes at this moment.
    pub async fn recipients(&self) -> Result<Vec<Recipient>, Error> {
        let mut client = self.client.clone();
        let answer = client.list_notice_recipients(ListNoticeRecipientsRequest {}).await;
        let answer = answer.map_err(|s| Error::AccountsAway(Failure::from(s)))?.into_inner();
        let mut recipients = Vec::with_capacity(answer.items.len());
        for item in answer.items {
            match item.user_id.parse::<UserId>() {
                Ok(user_id) => {
                    recipients.push(Recipient { user_id, email: item.email, name: item.name });
                }
                // one odd row must not keep letters from all others
                Err(_) => tracing::error!("accounts named a recipient without a valid id"),
            }
        }
        Ok(recipients)
    }
}
