//! `PersonalDataService`: the service's own part, and its audit's.
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures::{FutureExt, Stream};
use serde_json::json;
use souk_audit::{Audit, Entry, Filter};
use souk_auth::{MethodTable, Rule};
use souk_proto::operations::v1::personal_data_service_server::{
    PersonalDataService, PersonalDataServiceServer,
};
use souk_proto::operations::v1::{
    ErasePersonRequest, ErasePersonResponse, ExportPersonRequest, FindHoldsRequest,
    FindHoldsResponse, Hold as HoldMessage, PersonalRecord,
};
use souk_rpc::{Failure, Kind, Violation};
use souk_storage::{Database, Tx};
use souk_values::{MAX_LIMIT, Page, UserId};
use tonic::{Request, Response, Status};
use tracing::Instrument;

use super::{Hold, Person, PersonalData, Records};

const ACCOUNTS: Rule = Rule::Service(&["accounts"]);

/// Added to every service's own table.
pub const METHODS: MethodTable = &[
    ("/souk.operations.v1.PersonalDataService/FindHolds", ACCOUNTS),
    ("/souk.operations.v1.PersonalDataService/ExportPerson", ACCOUNTS),
    ("/souk.operations.v1.PersonalDataService/ErasePerson", ACCOUNTS),
];

/// The door of one service, as the frame opens it. Without `data` the service keeps nothing of
/// people but its audit.
pub fn door(
    service: &'static str,
    db: Database,
    audit: Audit,
    data: Option<Arc<dyn PersonalData>>,
) -> PersonalDataServiceServer<impl PersonalDataService> {
    PersonalDataServiceServer::new(Door { service, db, audit, data })
}

#[derive(Clone)]
struct Door {
    service: &'static str,
    db: Database,
    audit: Audit,
    data: Option<Arc<dyn PersonalData>>,
}

#[tonic::async_trait]
impl PersonalDataService for Door {
    async fn find_holds(
        &self,
        request: Request<FindHoldsRequest>,
    ) -> Result<Response<FindHoldsResponse>, Status> {
        let person = person(&request.into_inner().user_id, Vec::new())?;
        let tx = self.db.begin().await.map_err(storage)?;
        let holds = self.holds(&tx, &person).await.map_err(internal)?;
        let wire =
            |hold: Hold| HoldMessage { reason: hold.reason.to_owned(), subjects: hold.subjects };
        Ok(Response::new(FindHoldsResponse { holds: holds.into_iter().map(wire).collect() }))
    }

    type ExportPersonStream = Pin<Box<dyn Stream<Item = Result<PersonalRecord, Status>> + Send>>;

    async fn export_person(
        &self,
        request: Request<ExportPersonRequest>,
    ) -> Result<Response<Self::ExportPersonStream>, Status> {
        let ExportPersonRequest { user_id, emails } = request.into_inner();
        let person = person(&user_id, emails)?;
        let (mut records, receiver) = Records::channel();
        let door = self.clone();
        let work = async move {
            let export = AssertUnwindSafe(door.export(&person, &mut records)).catch_unwind().await;
            let told = match export {
                Ok(Ok(())) => records.end().await,
                Ok(Err(error)) => records.fail(internal(error)).await,
                Err(_) => {
                    let error = anyhow::anyhow!("the export of {} panicked", door.service);
                    records.fail(internal(error)).await
                }
            };
            if told.is_err() {
                tracing::info!(service = door.service, "nobody read an export to its end");
            }
        };
        tokio::spawn(work.in_current_span());
        Ok(Response::new(Box::pin(receiver)))
    }

    async fn erase_person(
        &self,
        request: Request<ErasePersonRequest>,
    ) -> Result<Response<ErasePersonResponse>, Status> {
        let ErasePersonRequest { user_id, emails } = request.into_inner();
        let person = person(&user_id, emails)?;
        let tx = self.db.begin().await.map_err(storage)?;
        let holds = self.holds(&tx, &person).await.map_err(internal)?;
        if let Some(hold) = holds.into_iter().next() {
            let sentence = "something stands against erasing the person";
            let failure = Failure::new(Kind::Conflict, hold.reason, sentence);
            return Err(failure.with("subjects", hold.subjects.join(" ")).into());
        }
        let records = match &self.data {
            Some(data) => data.erase(&tx, &person).await.map_err(internal)?,
            None => 0,
        };
        let audit_entries = self.audit.erase_person(&tx, person.id).await.map_err(storage)?;
        tx.commit().await.map_err(storage)?;
        // also when nothing was left: a process may have died before it came here
        if !self.db.scrub().await.map_err(storage)? {
            let service = self.service;
            tracing::warn!(service, "the file keeps what was erased: run VACUUM in a quiet hour");
        }
        tracing::info!(user.id = %person.id, records, audit_entries, "person erased");
        Ok(Response::new(ErasePersonResponse { records, audit_entries }))
    }
}

impl Door {
    async fn holds(&self, tx: &Tx, person: &Person) -> anyhow::Result<Vec<Hold>> {
        match &self.data {
            Some(data) => data.holds(tx, person).await,
            None => Ok(Vec::new()),
        }
    }

    async fn export(&self, person: &Person, records: &mut Records) -> anyhow::Result<()> {
        if let Some(data) = &self.data {
            data.export(person, records).await?;
        }
        let actor = Filter { actor: person.id.to_string(), ..Filter::default() };
        self.entries(&actor, records, |_| true).await?;
        // what others did to them; who it was is not theirs to know
        let target = Filter { target: format!("user/{}", person.id), ..Filter::default() };
        self.entries(&target, records, |entry| entry.actor != person.id.to_string()).await
    }

    async fn entries(
        &self,
        filter: &Filter,
        records: &mut Records,
        wanted: impl Fn(&Entry) -> bool + Send + Sync,
    ) -> anyhow::Result<()> {
        let mut page = Page { limit: MAX_LIMIT, cursor: None };
        loop {
            let (entries, next) = self.audit.list(filter, &page).await?;
            for entry in entries.iter().filter(|entry| wanted(entry)) {
                records.put("security_log", &record(entry, !filter.actor.is_empty())).await?;
            }
            let Some(next) = next else { return Ok(()) };
            page.cursor = Some(next);
        }
    }
}

/// `own`: the person did it, so that the network is theirs, too.
fn record(entry: &Entry, own: bool) -> serde_json::Value {
    json!({
        "id": entry.id,
        "at": entry.at,
        "by_you": own,
        "network": entry.address.as_ref().filter(|_| own || entry.actor == "anonymous"),
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "changes": entry.changes,
    })
}

fn person(id: &str, emails: Vec<String>) -> Result<Person, Status> {
    let id: UserId = id.parse().map_err(|_| {
        Status::from(Failure::invalid(vec![Violation::new("user_id", "is not an id of a user")]))
    })?;
    Ok(Person { id, emails })
}

fn storage(error: souk_storage::DbErr) -> Status {
    Failure::internal(&error).into()
}

fn internal(error: anyhow::Error) -> Status {
    let error: Box<dyn std::error::Error + Send + Sync> = error.into();
    Failure::internal(error.as_ref()).into()
}
