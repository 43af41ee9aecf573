//! All that is kept of a person: as a file for them, or away. Both are asked for here and done by
//! jobs, over every service.

use chrono::{DateTime, Utc};
use souk_auth::{Caller, Permission};
use souk_jobs::{Job, Status as JobStatus};
use souk_service::personal::{Keeper, Keepers, Person};
use souk_storage::Tx;
use souk_values::UserId;

use super::App;
use super::actor::owner;
use crate::Error;
use crate::domain::data_request::Kind;
use crate::store::data_request::{self, Model};
use crate::store::{newest, session};

pub(crate) mod addresses;
pub(crate) mod erasure;
pub(crate) mod export;
pub(crate) mod file;

/// What the job says while it waits to look once more at what was on its way.
pub(crate) const LOOKS_AGAIN: &str = "looks once more at what was on its way";

/// A request, and how its job stands; none: it left the history.
pub(crate) struct Seen {
    pub(crate) request: Model,
    pub(crate) job: Option<Job>,
}

impl Seen {
    /// A word of `souk.accounts.v1.DataExport`.
    pub(crate) fn export_status(&self, now: DateTime<Utc>) -> &'static str {
        if self.request.has_file(now) {
            return "ready";
        }
        if self.request.ready_at.is_some() {
            return "expired";
        }
        match self.job.as_ref().map(|job| job.status) {
            Some(JobStatus::Waiting) => "waiting",
            Some(JobStatus::Running) => "running",
            Some(JobStatus::Cancelled) => "cancelled",
            Some(JobStatus::Failed | JobStatus::Succeeded) | None => "failed",
        }
    }

    /// A word of `souk.accounts.v1.Erasure`, and the reason of those that have one.
    pub(crate) fn erasure_status(&self) -> (&'static str, &str) {
        if self.request.ready_at.is_some() {
            return ("done", "");
        }
        let Some(job) = &self.job else { return ("cancelled", "") };
        match job.status {
            JobStatus::Waiting if job.message == LOOKS_AGAIN => ("running", ""),
            JobStatus::Waiting if job.attempts > 0 => ("held", &job.message),
            JobStatus::Waiting => ("waiting", ""),
            JobStatus::Running => ("running", ""),
            JobStatus::Failed => ("failed", &job.message),
            JobStatus::Cancelled => ("cancelled", ""),
            JobStatus::Succeeded => ("done", ""),
        }
    }

    fn is_alive(&self) -> bool {
        self.job.as_ref().is_some_and(|job| !job.status.has_ended())
    }
}

/// The newest request of a kind, also of somebody who is gone.
pub(crate) async fn get(
    app: &App,
    caller: &Caller,
    of: Option<UserId>,
    kind: Kind,
) -> Result<Seen, Error> {
    app.admit(caller).await?;
    let owner = owner(caller, of, Permission::UsersRead)?;
    let found = data_request::newest_of(newest(&app.db), owner, kind).await?;
    seen(app, found.ok_or_else(|| missing(kind))?).await
}

/// Services that keep something of people, in the order in which they are asked.
pub(crate) fn keepers(app: &App) -> Vec<Keeper> {
    Keepers::all(&app.keepers)
}

/// Whose data it is, with every address that is known to be, or to have been, theirs.
pub(crate) async fn person(app: &App, id: UserId) -> Result<Person, Error> {
    Ok(Person { id, emails: addresses::of(app, id).await? })
}

async fn seen(app: &App, request: Model) -> Result<Seen, Error> {
    let job = app.jobs.get(request.job_id).await?;
    Ok(Seen { request, job })
}

/// The newest request of a kind, if its job has not ended. The account's row is locked, so that
/// there is never a second one.
async fn alive(app: &App, tx: &Tx, owner: UserId, kind: Kind) -> Result<Option<Seen>, Error> {
    let Some(found) = data_request::newest_of(tx, owner, kind).await? else { return Ok(None) };
    Ok(Some(seen(app, found).await?).filter(Seen::is_alive))
}

/// A person in a session of their own: a program's key neither takes all data nor ends it.
async fn check_person(app: &App, caller: &Caller) -> Result<(), Error> {
    if let Some(user) = &caller.user {
        let found = session::find(newest(&app.db), user.session).await?;
        found.ok_or(Error::NotByApiKey)?;
    }
    Ok(())
}

fn missing(kind: Kind) -> Error {
    match kind {
        Kind::Export => Error::ExportNotFound,
        Kind::Erasure => Error::ErasureNotFound,
    }
}

/// A request that begins now.
fn new(app: &App, job_id: souk_values::JobId, owner: UserId, kind: Kind, by: String) -> Model {
    Model {
        job_id,
        account_id: owner,
        kind: kind.as_str().to_owned(),
        created_by: by,
        created_at: app.clock.now(),
        ready_at: None,
        expires_at: None,
        bytes: 0,
        parts: 0,
    }
}

/// Who the job is about, as it keeps it.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Params {
    pub(crate) user: UserId,
}

fn params(user: UserId) -> serde_json::Value {
    serde_json::to_value(Params { user }).unwrap_or_default()
}
