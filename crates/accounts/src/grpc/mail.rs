//! `MailService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::mail_service_server::MailService;
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::mail::{Content, content};

#[tonic::async_trait]
impl MailService for Door {
    async fn get_mail(
        &self,
        request: Request<pb::GetMailRequest>,
    ) -> Result<Response<pb::Mail>, Status> {
        let id = request.into_inner().request_id.parse();
        let id = id.map_err(|_| Error::MailNotFound).map_err(status)?;
        Ok(Response::new(to_proto(content(&self.app, id).await.map_err(status)?)))
    }
}

fn to_proto(content: Content) -> pb::Mail {
    let Content { request, email, name, code, link, obsolete } = content;
    let facts = request.facts.as_array().into_iter().flatten().filter_map(|fact| {
        let word = |at| fact.get(at).and_then(serde_json::Value::as_str).map(str::to_owned);
        Some(pb::Fact { name: word(0)?, value: word(1)? })
    });
    pb::Mail {
        request_id: request.id.to_string(),
        user_id: request.account_id.map(|id| id.to_string()).unwrap_or_default(),
        email,
        name,
        code,
        link,
        facts: facts.collect(),
        obsolete,
        expires_at_us: request.expires_at.map_or(0, |end| end.timestamp_micros()),
        kind: request.kind,
    }
}
