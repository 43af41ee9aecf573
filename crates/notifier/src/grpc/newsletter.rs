//! `NewsletterService`: newsletters as staff write and send them.
use souk_proto::notifier::v1 as pb;
use souk_proto::notifier::v1::newsletter_service_server::{
    NewsletterService, NewsletterServiceServer,
};
use souk_rpc::{Failure, Violation, caller};
use souk_values::{Cursor, NewsletterId, Page};
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::app::newsletter::Standing;
use crate::domain::newsletter::Fields;
use crate::error::Error;
use crate::store::newsletter::{self, Model};

type Answer<T> = Result<Response<T>, Status>;

/// Answers `NewsletterService`.
pub struct Newsletters {
    app: App,
}

impl Newsletters {
    pub fn new(app: App) -> Self {
        Self { app }
    }

    pub fn into_server(self) -> NewsletterServiceServer<Self> {
        NewsletterServiceServer::new(self)
    }

    async fn shown(&self, row: Model) -> Answer<pb::Newsletter> {
        Ok(Response::new(to_proto(self.app.standing(row).await.map_err(refuse)?)))
    }
}

#[tonic::async_trait]
impl NewsletterService for Newsletters {
    async fn create_newsletter(
        &self,
        request: Request<pb::CreateNewsletterRequest>,
    ) -> Answer<pb::Newsletter> {
        let caller = caller(&request);
        let fields = from_proto(request.into_inner().fields);
        self.shown(self.app.create_newsletter(&caller, fields).await.map_err(refuse)?).await
    }

    async fn update_newsletter(
        &self,
        request: Request<pb::UpdateNewsletterRequest>,
    ) -> Answer<pb::Newsletter> {
        let pb::UpdateNewsletterRequest { id, fields, expected_version } = request.into_inner();
        let id = newsletter_id(&id).map_err(refuse)?;
        let changed = self.app.update_newsletter(id, from_proto(fields), expected_version).await;
        self.shown(changed.map_err(refuse)?).await
    }

    async fn delete_newsletter(
        &self,
        request: Request<pb::DeleteNewsletterRequest>,
    ) -> Answer<pb::Newsletter> {
        let pb::DeleteNewsletterRequest { id, expected_version } = request.into_inner();
        let id = newsletter_id(&id).map_err(refuse)?;
        let gone = self.app.delete_newsletter(id, expected_version).await.map_err(refuse)?;
        self.shown(gone).await
    }

    async fn get_newsletter(
        &self,
        request: Request<pb::GetNewsletterRequest>,
    ) -> Answer<pb::Newsletter> {
        let id = newsletter_id(&request.into_inner().id).map_err(refuse)?;
        Ok(Response::new(to_proto(self.app.newsletter(id).await.map_err(refuse)?)))
    }

    async fn list_newsletters(
        &self,
        request: Request<pb::ListNewslettersRequest>,
    ) -> Answer<pb::ListNewslettersResponse> {
        let (page, before) = wanted(request.into_inner()).map_err(refuse)?;
        let limit = page.limit as usize;
        let rows = newsletter::list(self.app.db.write(), before, u64::from(page.limit) + 1).await;
        let mut rows = rows.map_err(|error| refuse(error.into()))?;
        let is_last = rows.len() <= limit;
        rows.truncate(limit);
        let next = if is_last { None } else { rows.last().map(|last| Cursor::encode(&last.id)) };
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(to_proto(self.app.standing(row).await.map_err(refuse)?));
        }
        let next_cursor = next.map(|cursor| cursor.as_str().to_owned()).unwrap_or_default();
        Ok(Response::new(pb::ListNewslettersResponse { items, next_cursor }))
    }

    async fn send_newsletter(
        &self,
        request: Request<pb::SendNewsletterRequest>,
    ) -> Answer<pb::SendNewsletterResponse> {
        let caller = caller(&request);
        let pb::SendNewsletterRequest { id, delay_s, expected_version } = request.into_inner();
        let id = newsletter_id(&id).map_err(refuse)?;
        let ordered = self.app.send_newsletter(&caller, id, delay_s, expected_version).await;
        let (job, run_at) = ordered.map_err(refuse)?;
        let run_at_us = run_at.timestamp_micros();
        Ok(Response::new(pb::SendNewsletterResponse { job_id: job.to_string(), run_at_us }))
    }
}

fn wanted(request: pb::ListNewslettersRequest) -> Result<(Page, Option<NewsletterId>), Error> {
    let wish = request.page.unwrap_or_default();
    let mut broken = Vec::new();
    let page = Page::new(wish.limit, &wish.cursor)
        .map_err(|error| broken.push(Violation::new("limit", error)))
        .ok();
    let before = page.as_ref().and_then(|page| page.cursor.as_ref()).and_then(|cursor| {
        cursor.decode::<NewsletterId>().map_err(|e| broken.push(Violation::new("cursor", e))).ok()
    });
    match page {
        Some(page) if broken.is_empty() => Ok((page, before)),
        _ => Err(Error::InvalidFields(broken)),
    }
}

/// What is no id names nothing.
fn newsletter_id(text: &str) -> Result<NewsletterId, Error> {
    text.parse().map_err(|_| Error::NewsletterNotFound)
}

fn refuse(error: Error) -> Status {
    Failure::from(error).into()
}

fn from_proto(fields: Option<pb::NewsletterFields>) -> Fields {
    let pb::NewsletterFields { subject, text, with_products } = fields.unwrap_or_default();
    Fields { subject, text, with_products }
}

fn to_proto(Standing { row, status }: Standing) -> pb::Newsletter {
    pb::Newsletter {
        id: row.id.to_string(),
        subject: row.subject,
        text: row.text,
        with_products: row.with_products,
        status: status.as_str().to_owned(),
        version: row.version.unsigned_abs(),
        created_by: row.created_by,
        created_at_us: row.created_at.timestamp_micros(),
        updated_at_us: row.updated_at.timestamp_micros(),
        job_id: row.job_id.map(|id| id.to_string()).unwrap_or_default(),
        sent_at_us: row.sent_at.map_or(0, |at| at.timestamp_micros()),
    }
}
