//! `NewsletterService` on the wire.

use chrono::{DateTime, Utc};
use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::newsletter_service_server::NewsletterService;
use souk_rpc::{Violation, caller};
use souk_values::{Page, SubscriberId};
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::newsletter as app;
use crate::domain::newsletter as rules;
use crate::store::subscriber::Model;
use crate::store::{self, newest};

type Answer<T> = Result<Response<T>, Status>;

/// Recipients of one answer.
const MOST_RECIPIENTS: u32 = 500;

#[tonic::async_trait]
impl NewsletterService for Door {
    async fn get_consent_text(
        &self,
        _request: Request<pb::GetConsentTextRequest>,
    ) -> Answer<pb::ConsentText> {
        let (version, text) = rules::text();
        Ok(Response::new(pb::ConsentText { version: version.to_owned(), text: text.to_owned() }))
    }

    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Answer<pb::SubscribeResponse> {
        let pb::SubscribeRequest { email, text_version } = request.into_inner();
        app::subscribe(&self.app, &email, &text_version).await.map_err(status)?;
        Ok(Response::new(pb::SubscribeResponse {}))
    }

    async fn confirm_subscription(
        &self,
        request: Request<pb::ConfirmSubscriptionRequest>,
    ) -> Answer<pb::ConfirmSubscriptionResponse> {
        app::confirm(&self.app, &request.into_inner().token).await.map_err(status)?;
        Ok(Response::new(pb::ConfirmSubscriptionResponse {}))
    }

    async fn unsubscribe(
        &self,
        request: Request<pb::UnsubscribeRequest>,
    ) -> Answer<pb::UnsubscribeResponse> {
        let pb::UnsubscribeRequest { token, one_click } = request.into_inner();
        app::unsubscribe(&self.app, &token, one_click).await.map_err(status)?;
        Ok(Response::new(pb::UnsubscribeResponse {}))
    }

    async fn get_my_subscription(
        &self,
        request: Request<pb::GetMySubscriptionRequest>,
    ) -> Answer<pb::MySubscription> {
        let found = app::own(&self.app, &caller(&request)).await.map_err(status)?;
        Ok(Response::new(mine(found)))
    }

    async fn set_my_subscription(
        &self,
        request: Request<pb::SetMySubscriptionRequest>,
    ) -> Answer<pb::MySubscription> {
        let caller = caller(&request);
        let pb::SetMySubscriptionRequest { subscribed, text_version } = request.into_inner();
        let set = app::set_own(&self.app, &caller, subscribed, &text_version).await;
        Ok(Response::new(mine(set.map_err(status)?)))
    }

    async fn list_subscribers(
        &self,
        request: Request<pb::ListSubscribersRequest>,
    ) -> Answer<pb::ListSubscribersResponse> {
        self.app.admit(&caller(&request)).await.map_err(status)?;
        let request = request.into_inner();
        let (status_of, page, after) = wanted(&request).map_err(status)?;
        let db = newest(self.app.db());
        let found = store::subscriber::list(db, status_of, &request.text, &page, after).await;
        let (rows, next) = found.map_err(status)?;
        Ok(Response::new(pb::ListSubscribersResponse {
            items: rows.into_iter().map(to_proto).collect(),
            next_cursor: next.map(|c| c.as_str().to_owned()).unwrap_or_default(),
        }))
    }

    async fn count_subscribers(
        &self,
        request: Request<pb::CountSubscribersRequest>,
    ) -> Answer<pb::CountSubscribersResponse> {
        self.app.admit(&caller(&request)).await.map_err(status)?;
        let counts = store::subscriber::count(newest(self.app.db())).await.map_err(status)?;
        let by_status = counts.into_iter().collect();
        Ok(Response::new(pb::CountSubscribersResponse { by_status }))
    }

    async fn end_subscription(
        &self,
        request: Request<pb::EndSubscriptionRequest>,
    ) -> Answer<pb::Subscriber> {
        let caller = caller(&request);
        let id = subscriber_id(&request.into_inner().id).map_err(status)?;
        let ended = app::end_by_staff(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(to_proto(ended)))
    }

    async fn list_newsletter_recipients(
        &self,
        request: Request<pb::ListNewsletterRecipientsRequest>,
    ) -> Answer<pb::ListNewsletterRecipientsResponse> {
        let pb::ListNewsletterRecipientsRequest { after, limit } = request.into_inner();
        let after = match after.as_str() {
            "" => None,
            id => Some(subscriber_id(id).map_err(status)?),
        };
        let limit = u64::from(limit.clamp(1, MOST_RECIPIENTS));
        let (ids, total) = app::recipients(&self.app, after, limit).await.map_err(status)?;
        let ids = ids.iter().map(ToString::to_string).collect();
        Ok(Response::new(pb::ListNewsletterRecipientsResponse { ids, total }))
    }

    async fn get_newsletter_recipient(
        &self,
        request: Request<pb::GetNewsletterRecipientRequest>,
    ) -> Answer<pb::NewsletterRecipient> {
        let id = subscriber_id(&request.into_inner().id).map_err(status)?;
        let app::Recipient { email, link } = app::recipient(&self.app, id).await.map_err(status)?;
        Ok(Response::new(pb::NewsletterRecipient { email, link }))
    }
}

/// What is no id names nobody.
fn subscriber_id(text: &str) -> Result<SubscriberId, Error> {
    text.parse().map_err(|_| Error::SubscriberNotFound)
}

type Wish = (Option<rules::Status>, Page, Option<SubscriberId>);

fn wanted(request: &pb::ListSubscribersRequest) -> Result<Wish, Error> {
    let mut broken = Vec::new();
    let wish = request.page.clone().unwrap_or_default();
    let page = Page::new(wish.limit, &wish.cursor)
        .map_err(|error| broken.push(Violation::new("limit", error)))
        .ok();
    let after = page.as_ref().and_then(|page| page.cursor.as_ref()).and_then(|cursor| {
        cursor.decode::<SubscriberId>().map_err(|e| broken.push(Violation::new("cursor", e))).ok()
    });
    let status = rules::Status::parse(&request.status);
    if status.is_none() && !request.status.is_empty() {
        broken.push(Violation::new("status", "must be pending, confirmed or ended"));
    }
    if request.text.len() > 254 || request.text.chars().any(char::is_control) {
        broken.push(Violation::new("text", "must have at most 254 printable characters"));
    }
    match page {
        Some(page) if broken.is_empty() => Ok((status, page, after)),
        _ => Err(Error::Invalid(broken)),
    }
}

fn mine((email, found): (String, Option<Model>)) -> pb::MySubscription {
    let Some(row) = found else {
        let status = "none".to_owned();
        return pb::MySubscription { email, status, ..pb::MySubscription::default() };
    };
    pb::MySubscription {
        email,
        status: row.status,
        text_version: row.text_version,
        confirmed_at_us: micros(row.confirmed_at),
    }
}

fn to_proto(row: Model) -> pb::Subscriber {
    pb::Subscriber {
        id: row.id.to_string(),
        email: row.email,
        status: row.status,
        how: row.how,
        text_version: row.text_version,
        asked_at_us: row.asked_at.timestamp_micros(),
        confirmed_at_us: micros(row.confirmed_at),
        ended_at_us: micros(row.ended_at),
        ended_by: row.ended_by,
    }
}

fn micros(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |at| at.timestamp_micros())
}
