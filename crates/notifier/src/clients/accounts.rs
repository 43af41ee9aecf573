//! Accounts, asked for those who get notices, and where letters to a buyer go.
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::{GetContactRequest, ListNoticeRecipientsRequest};
use souk_rpc::{Failure, Kind, Transport};
use souk_values::UserId;

use crate::app::{Buyer, Recipient};
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

    /// Where letters to one account go at this moment.
    pub async fn contact(&self, user_id: UserId) -> Result<Buyer, Error> {
        let mut client = self.client.clone();
        let asked = GetContactRequest { user_id: user_id.to_string() };
        match client.get_contact(asked).await {
            Ok(answer) => {
                let contact = answer.into_inner();
                let (email, name) = (contact.email, contact.name);
                let person = Recipient { user_id, email, name };
                Ok(if contact.active { Buyer::Known(person) } else { Buyer::Closed(person) })
            }
            Err(status) => {
                let failure = Failure::from(status);
                let gone = failure.kind == Kind::NotFound;
                if gone { Ok(Buyer::Gone) } else { Err(Error::AccountsAway(failure)) }
            }
        }
    }
}
