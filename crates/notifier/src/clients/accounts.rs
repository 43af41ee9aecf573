//! Accounts, asked for those who get notices, where letters to a buyer go, what its own letters say, and
//! what somebody may still do.
use chrono::DateTime;
use souk_auth::Permission;
use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::mail_service_client::MailServiceClient;
use souk_proto::accounts::v1::newsletter_service_client::NewsletterServiceClient;
use souk_proto::accounts::v1::{
    GetContactRequest, GetHeldPermissionsRequest, GetMailRequest, GetNewsletterRecipientRequest,
    ListNewsletterRecipientsRequest, ListNoticeRecipientsRequest,
};
use souk_rpc::{Failure, Kind, Transport};
use souk_values::{MailRequestId, SubscriberId, UserId};

use crate::app::{Buyer, Recipient};
use crate::domain::request::Mail;
use crate::error::Error;

/// Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    client: AccountServiceClient<Transport>,
    mail: MailServiceClient<Transport>,
    newsletter: NewsletterServiceClient<Transport>,
}

impl Accounts {
    pub fn new(transport: Transport) -> Self {
        let mail = MailServiceClient::new(transport.clone());
        let newsletter = NewsletterServiceClient::new(transport.clone());
        Self { client: AccountServiceClient::new(transport), mail, newsletter }
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

    /// Whether somebody may do this at this moment; who may not come in may do nothing.
    pub async fn may(&self, user_id: UserId, permission: Permission) -> Result<bool, Error> {
        let request = GetHeldPermissionsRequest { user_id: user_id.to_string() };
        let answer = self.client.clone().get_held_permissions(request).await;
        let held = answer.map_err(|s| Error::AccountsAway(Failure::from(s)))?.into_inner();
        Ok(held.permissions.iter().any(|word| word == permission.as_str()))
    }

    /// What a letter says at this moment; `None`: accounts does not know it.
    pub async fn mail(&self, id: MailRequestId) -> Result<Option<Mail>, Error> {
        let mut client = self.mail.clone();
        match client.get_mail(GetMailRequest { request_id: id.to_string() }).await {
            Ok(answer) => Ok(Some(mail(answer.into_inner()))),
            Err(status) => {
                let failure = Failure::from(status);
                let unknown = failure.kind == Kind::NotFound;
                if unknown { Ok(None) } else { Err(Error::AccountsAway(failure)) }
            }
        }
    }

    /// Those who confirmed that they want the newsletter, after this one and in order; and how many
    /// there are in all.
    pub async fn newsletter_recipients(
        &self,
        after: Option<SubscriberId>,
        limit: u32,
    ) -> Result<(Vec<SubscriberId>, u64), Error> {
        let mut client = self.newsletter.clone();
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let request = ListNewsletterRecipientsRequest { after, limit };
        let answer = client.list_newsletter_recipients(request).await;
        let answer = answer.map_err(|s| Error::AccountsAway(Failure::from(s)))?.into_inner();
        let ids = answer.ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok((ids, answer.total))
    }

    /// Where a letter to one of them goes at this moment, and path and query that end it; `None`:
    /// they do not want it any more.
    pub async fn newsletter_recipient(
        &self,
        id: SubscriberId,
    ) -> Result<Option<(String, String)>, Error> {
        let mut client = self.newsletter.clone();
        let request = GetNewsletterRecipientRequest { id: id.to_string() };
        match client.get_newsletter_recipient(request).await {
            Ok(answer) => {
                let pb::NewsletterRecipient { email, link } = answer.into_inner();
                Ok(Some((email, link)))
            }
            Err(status) => {
                let failure = Failure::from(status);
                let unknown = failure.kind == Kind::NotFound;
                if unknown { Ok(None) } else { Err(Error::AccountsAway(failure)) }
            }
        }
    }
}

fn mail(mail: pb::Mail) -> Mail {
    let pb::Mail { email, name, code, link, facts, obsolete, expires_at_us, .. } = mail;
    let expires_at = (expires_at_us != 0).then(|| DateTime::from_timestamp_micros(expires_at_us));
    Mail {
        email,
        name,
        code,
        link,
        facts: facts.into_iter().map(|fact| (fact.name, fact.value)).collect(),
        obsolete,
        expires_at: expires_at.flatten(),
    }
    .bounded()
}
