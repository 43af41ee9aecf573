//! What every service offers its operators over gRPC: dead letters, jobs, events, the audit.
mod audit;

use chrono::{DateTime, Utc};
use souk_audit::{Audit, NewEntry};
use souk_auth::{Caller, MethodTable, Permission, Rule};
use souk_events::dead_letter::{self, DeadLetterError, DeadLetters};
use souk_events::{outbox, readable};
use souk_jobs::{Cancelled, Jobs};
use souk_proto::operations::v1::operations_service_server::OperationsService;
use souk_proto::operations::v1::{
    CancelJobRequest, CheckIntegrityRequest, CheckIntegrityResponse, DeadLetter,
    DropDeadLetterRequest, EventRow, FindUnseenEventsRequest, FindUnseenEventsResponse,
    GetDeadLetterRequest, GetJobRequest, Job, JobResult, ListAuditRequest, ListAuditResponse,
    ListDeadLettersRequest, ListDeadLettersResponse, ListEventsRequest, ListEventsResponse,
    ListJobResultsRequest, ListJobResultsResponse, ListJobsRequest, ListJobsResponse,
    ListSentEventsRequest, ListSentEventsResponse, NoteRefusalsRequest, NoteRefusalsResponse,
    ReplayDeadLetterRequest, SentEvent, VerifyAuditRequest, VerifyAuditResponse,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Failure, Kind, Violation, caller};
use souk_storage::{Database, Tx};
use souk_values::{Cursor, JobId, Page};
use tonic::{Request, Response, Status};

use crate::integrity::{self, Invariant};

const READ: Rule = Rule::Permission(Permission::OperationsRead);
const WRITE: Rule = Rule::Permission(Permission::OperationsWrite);
/// Who may look at some job: at any, or at those that their own work begins (imports, group actions,
/// newsletters).
const JOBS: Rule = Rule::OneOf(&[
    Permission::OperationsRead,
    Permission::OperationsWrite,
    Permission::ProductsWrite,
    Permission::UsersWrite,
]);
/// Long looks over everything.
const OPERATOR: Rule = Rule::Service(&["operator"]);

/// Ids of one question.
const MAX_IDS: usize = 5_000;

/// Added to every service's own table.
pub(crate) const METHODS: MethodTable = &[
    ("/souk.operations.v1.OperationsService/ListDeadLetters", READ),
    ("/souk.operations.v1.OperationsService/GetDeadLetter", READ),
    ("/souk.operations.v1.OperationsService/ReplayDeadLetter", WRITE),
    ("/souk.operations.v1.OperationsService/DropDeadLetter", WRITE),
    ("/souk.operations.v1.OperationsService/ListJobs", READ),
    ("/souk.operations.v1.OperationsService/GetJob", JOBS),
    ("/souk.operations.v1.OperationsService/ListJobResults", JOBS),
    ("/souk.operations.v1.OperationsService/CancelJob", JOBS),
    ("/souk.operations.v1.OperationsService/ListEvents", READ),
    ("/souk.operations.v1.OperationsService/ListAudit", Rule::Permission(Permission::AuditRead)),
    ("/souk.operations.v1.OperationsService/VerifyAudit", OPERATOR),
    ("/souk.operations.v1.OperationsService/NoteRefusals", Rule::Service(&["gateway"])),
    ("/souk.operations.v1.OperationsService/CheckIntegrity", OPERATOR),
    ("/souk.operations.v1.OperationsService/ListSentEvents", OPERATOR),
    ("/souk.operations.v1.OperationsService/FindUnseenEvents", OPERATOR),
];

/// The operations of one service.
pub(crate) struct Operations {
    pub(crate) service: &'static str,
    pub(crate) db: Database,
    pub(crate) jobs: Jobs,
    pub(crate) audit: Audit,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) invariants: Vec<Invariant>,
}

#[tonic::async_trait]
impl OperationsService for Operations {
    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let request = request.into_inner();
        if !["", "parked", "replayed", "dropped"].contains(&request.status.as_str()) {
            let violation = Violation::new("status", "must be parked, replayed or dropped");
            return Err(Failure::invalid(vec![violation]).into());
        }
        let page = page(request.page)?;
        let (items, next) =
            self.dead_letters.list(&request.status, &page).await.map_err(dead_letter_failure)?;
        Ok(Response::new(ListDeadLettersResponse {
            items: items.into_iter().map(|d| self.dead_letter(d)).collect(),
            next_cursor: cursor(next),
        }))
    }

    async fn get_dead_letter(
        &self,
        request: Request<GetDeadLetterRequest>,
    ) -> Result<Response<DeadLetter>, Status> {
        let id = id(&request.into_inner().id, "dead_letter_not_found")?;
        let found = self.dead_letters.get(id).await.map_err(dead_letter_failure)?;
        Ok(Response::new(self.dead_letter(found)))
    }

    async fn replay_dead_letter(
        &self,
        request: Request<ReplayDeadLetterRequest>,
    ) -> Result<Response<DeadLetter>, Status> {
        let by = caller(&request).actor();
        let id = id(&request.into_inner().id, "dead_letter_not_found")?;
        self.dead_letters.send_again(id).await.map_err(dead_letter_failure)?;
        let tx = self.db.begin().await.map_err(storage_failure)?;
        let found = self.dead_letters.note_replayed(&tx, id, &by).await;
        let found = found.map_err(dead_letter_failure)?;
        self.decided(tx, "dead_letter.replayed", &found).await?;
        Ok(Response::new(self.dead_letter(found)))
    }

    async fn drop_dead_letter(
        &self,
        request: Request<DropDeadLetterRequest>,
    ) -> Result<Response<DeadLetter>, Status> {
        let by = caller(&request).actor();
        let id = id(&request.into_inner().id, "dead_letter_not_found")?;
        let tx = self.db.begin().await.map_err(storage_failure)?;
        let found = self.dead_letters.drop_within(&tx, id, &by).await;
        let found = found.map_err(dead_letter_failure)?;
        self.decided(tx, "dead_letter.dropped", &found).await?;
        Ok(Response::new(self.dead_letter(found)))
    }

    async fn list_audit(
        &self,
        request: Request<ListAuditRequest>,
    ) -> Result<Response<ListAuditResponse>, Status> {
        let request = request.into_inner();
        let page = page(request.page.clone())?;
        Ok(Response::new(audit::list(self.service, &self.audit, request, &page).await?))
    }

    async fn verify_audit(
        &self,
        _request: Request<VerifyAuditRequest>,
    ) -> Result<Response<VerifyAuditResponse>, Status> {
        Ok(Response::new(audit::verify(&self.audit).await?))
    }

    async fn note_refusals(
        &self,
        request: Request<NoteRefusalsRequest>,
    ) -> Result<Response<NoteRefusalsResponse>, Status> {
        audit::note(&self.audit, request.into_inner())?;
        Ok(Response::new(NoteRefusalsResponse {}))
    }

    async fn list_jobs(
        &self,
        request: Request<ListJobsRequest>,
    ) -> Result<Response<ListJobsResponse>, Status> {
        let page = page(request.into_inner().page)?;
        let (items, next) = self.jobs.list(&page).await.map_err(storage_failure)?;
        Ok(Response::new(ListJobsResponse {
            items: items.into_iter().map(|j| self.job(j)).collect(),
            next_cursor: cursor(next),
        }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<Job>, Status> {
        let caller = caller(&request);
        let id = id(&request.into_inner().id, "job_not_found")?;
        let found = self.visible(&caller, id, Permission::OperationsRead).await?;
        Ok(Response::new(self.job(found)))
    }

    async fn list_job_results(
        &self,
        request: Request<ListJobResultsRequest>,
    ) -> Result<Response<ListJobResultsResponse>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let id = id(&request.id, "job_not_found")?;
        let page = page(request.page)?;
        self.visible(&caller, id, Permission::OperationsRead).await?;
        let (items, next) = self.jobs.results(id, &page).await.map_err(storage_failure)?;
        let items = items
            .into_iter()
            .map(|r| JobResult {
                position: r.position,
                key: r.key,
                outcome: r.outcome,
                detail: r.detail,
            })
            .collect();
        Ok(Response::new(ListJobResultsResponse { items, next_cursor: cursor(next) }))
    }

    async fn cancel_job(
        &self,
        request: Request<CancelJobRequest>,
    ) -> Result<Response<Job>, Status> {
        let caller = caller(&request);
        let id = id(&request.into_inner().id, "job_not_found")?;
        self.visible(&caller, id, Permission::OperationsWrite).await?;
        let tx = self.db.begin().await.map_err(storage_failure)?;
        let found = self.jobs.cancel_within(&tx, id).await.map_err(storage_failure)?;
        let Cancelled { job: found, removed } = found.ok_or_else(|| not_found("job_not_found"))?;
        let action = if removed { "job.removed" } else { "job.cancelled" };
        let entry = NewEntry::new(action, format!("job/{id}"));
        let entry = entry.change("kind", &found.kind, "").change("status", "", found.status);
        self.audit.record(&tx, entry).await.map_err(storage_failure)?;
        tx.commit().await.map_err(storage_failure)?;
        self.jobs.tell_cancelled(id);
        Ok(Response::new(self.job(found)))
    }

    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        let request = request.into_inner();
        let page = page(request.page)?;
        let only = match request.event_id.as_str() {
            "" => None,
            text => Some(uuid::Uuid::parse_str(text).map_err(|_| not_found("event_not_found"))?),
        };
        let (items, next) = outbox::list(&self.db, &page, only).await.map_err(event_failure)?;
        if only.is_some() && items.is_empty() {
            return Err(not_found("event_not_found").into());
        }
        let items = items.into_iter().map(event_row).collect();
        Ok(Response::new(ListEventsResponse { items, next_cursor: cursor(next) }))
    }

    async fn check_integrity(
        &self,
        _request: Request<CheckIntegrityRequest>,
    ) -> Result<Response<CheckIntegrityResponse>, Status> {
        let mut checks = Vec::with_capacity(self.invariants.len());
        for invariant in &self.invariants {
            let check = integrity::run(invariant).await;
            checks.push(check.map_err(|e| Failure::internal(e.as_ref()))?);
        }
        Ok(Response::new(CheckIntegrityResponse { checks }))
    }

    async fn list_sent_events(
        &self,
        request: Request<ListSentEventsRequest>,
    ) -> Result<Response<ListSentEventsResponse>, Status> {
        let request = request.into_inner();
        let limit = request.limit.clamp(1, MAX_IDS as u32);
        let after = i64::try_from(request.after_seq).unwrap_or(i64::MAX);
        let sent = outbox::audit::sent(&self.db, after, limit).await.map_err(storage_failure)?;
        let item = |sent: outbox::audit::Sent| SentEvent {
            seq: sent.seq.unsigned_abs(),
            event_id: sent.event_id.to_string(),
            event_type: sent.event_type,
        };
        Ok(Response::new(ListSentEventsResponse { items: sent.into_iter().map(item).collect() }))
    }

    async fn find_unseen_events(
        &self,
        request: Request<FindUnseenEventsRequest>,
    ) -> Result<Response<FindUnseenEventsResponse>, Status> {
        let request = request.into_inner();
        let ids: Result<Vec<uuid::Uuid>, _> =
            request.event_ids.iter().map(|id| uuid::Uuid::parse_str(id)).collect();
        let ids = ids.ok().filter(|ids| ids.len() <= MAX_IDS).ok_or_else(|| {
            let sentence = format!("must be at most {MAX_IDS} ids of events");
            Failure::invalid(vec![Violation::new("event_ids", sentence)])
        })?;
        let unseen = souk_events::consumer::unseen(&self.db, &request.queue, &ids).await;
        let unseen = unseen.map_err(storage_failure)?;
        let event_ids = unseen.into_iter().map(|id| id.to_string()).collect();
        Ok(Response::new(FindUnseenEventsResponse { event_ids }))
    }
}

impl Operations {
    /// Ends the transaction in which somebody decided about a dead letter.
    async fn decided(
        &self,
        tx: Tx,
        action: &str,
        letter: &dead_letter::DeadLetter,
    ) -> Result<(), Failure> {
        let entry = NewEntry::new(action, format!("dead_letter/{}", letter.id))
            .change("status", "parked", &letter.status)
            .change("event", "", format!("{} {}", letter.event_type, letter.event_id));
        self.audit.record(&tx, entry).await.map_err(storage_failure)?;
        tx.commit().await.map_err(storage_failure)
    }

    fn dead_letter(&self, found: dead_letter::DeadLetter) -> DeadLetter {
        DeadLetter {
            id: found.id.to_string(),
            service: self.service.to_owned(),
            queue: found.queue,
            event_id: found.event_id.to_string(),
            event_type: found.event_type,
            subject: found.subject,
            reason: found.reason,
            attempts: found.attempts,
            parked_at_us: found.parked_at.timestamp_micros(),
            status: found.status,
            payload: readable(&found.envelope),
            headers: found.headers.into_iter().collect(),
            decided_by: found.decided_by.unwrap_or_default(),
            decided_at_us: us(found.decided_at),
        }
    }

    /// The job, for who holds the permission or began it; to others there is none.
    async fn visible(
        &self,
        caller: &Caller,
        id: JobId,
        needed: Permission,
    ) -> Result<souk_jobs::Job, Failure> {
        let found = self.jobs.get(id).await.map_err(storage_failure)?;
        let may = |job: &souk_jobs::Job| caller.may(needed) || job.created_by == caller.actor();
        found.filter(may).ok_or_else(|| not_found("job_not_found"))
    }

    fn job(&self, job: souk_jobs::Job) -> Job {
        Job {
            id: job.id.to_string(),
            service: self.service.to_owned(),
            kind: job.kind,
            status: job.status.as_str().to_owned(),
            done: job.done,
            total: job.total,
            message: job.message,
            created_by: job.created_by,
            created_at_us: job.created_at.timestamp_micros(),
            run_at_us: job.run_at.timestamp_micros(),
            started_at_us: us(job.started_at),
            ended_at_us: us(job.ended_at),
            attempts: job.attempts,
            counts: job.counts.into_iter().collect(),
        }
    }
}

fn event_row(row: outbox::EventRow) -> EventRow {
    EventRow {
        event_id: row.envelope.id.to_string(),
        event_type: row.envelope.event_type.clone(),
        subject: row.envelope.subject.clone(),
        status: row.status().to_owned(),
        created_at_us: row.envelope.time.timestamp_micros(),
        sent_at_us: us(row.sent_at),
        attempts: row.attempts,
        last_error: row.last_error.unwrap_or_default(),
        payload: readable(&row.envelope),
        headers: row.envelope.headers().into_iter().collect(),
    }
}

fn us(at: Option<DateTime<Utc>>) -> i64 {
    at.map_or(0, |at| at.timestamp_micros())
}

fn cursor(next: Option<Cursor>) -> String {
    next.map(|c| c.as_str().to_owned()).unwrap_or_default()
}

fn page(request: Option<PageRequest>) -> Result<Page, Failure> {
    let request = request.unwrap_or_default();
    Page::new(request.limit, &request.cursor)
        .map_err(|e| Failure::invalid(vec![Violation::new("limit", e)]))
}

fn id<T: std::str::FromStr>(text: &str, reason: &str) -> Result<T, Failure> {
    text.parse().map_err(|_| not_found(reason))
}

fn not_found(reason: &str) -> Failure {
    Failure::new(Kind::NotFound, reason, "there is no such thing here")
}

/// Lists of jobs answer a foreign cursor as a value of the wrong type.
fn storage_failure(error: sea_orm::DbErr) -> Failure {
    match error {
        sea_orm::DbErr::Type(_) => cursor_failure(),
        error => Failure::internal(&error),
    }
}

fn event_failure(error: outbox::ListError) -> Failure {
    match error {
        outbox::ListError::Cursor(_) => cursor_failure(),
        outbox::ListError::Storage(error) => storage_failure(error),
    }
}

fn cursor_failure() -> Failure {
    Failure::invalid(vec![Violation::new("cursor", "is not a cursor of this list")])
}

fn dead_letter_failure(error: DeadLetterError) -> Failure {
    match error {
        DeadLetterError::NotFound => not_found("dead_letter_not_found"),
        DeadLetterError::Cursor(_) => cursor_failure(),
        DeadLetterError::Decided(_) => Failure::new(Kind::Conflict, "already_decided", error),
        DeadLetterError::Bus(_) => Failure::new(Kind::Unavailable, "bus_away", error),
        DeadLetterError::Storage(error) => storage_failure(error),
    }
}
