//! A file with everything that is kept of a person: asked for, read, forgotten.

use chrono::{SecondsFormat, TimeDelta};
use souk_audit::NewEntry;
use souk_auth::{Caller, Permission};
use souk_jobs::NewJob;
use souk_storage::Tx;
use souk_values::{JobId, UserId};

use super::file::{Reader, Writer};
use super::{Seen, alive, check_person, new, owner, params, seen};
use crate::Error;
use crate::app::App;
use crate::app::entry::target;
use crate::app::mail::{self, NewMail, To};
use crate::domain::data_request::{EXPORTS, Kind, WINDOW};
use crate::domain::mail::Kind as Letter;
use crate::store::data_request::Model;
use crate::store::{account, data_request, newest};

/// What is left of a file that was never ready is kept this long.
const UNREADY_KEPT: TimeDelta = TimeDelta::days(7);

/// Has the file made: for oneself, or by an admin for somebody who asked by mail. It is the
/// owner's in any case.
pub(crate) async fn start(app: &App, caller: &Caller, of: Option<UserId>) -> Result<Seen, Error> {
    app.admit(caller).await?;
    check_person(app, caller).await?;
    let owner = owner(caller, of, Permission::UsersWrite)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    account::find_for_update(&tx, owner).await?.ok_or(Error::UserNotFound)?;
    if alive(app, &tx, owner, Kind::Export).await?.is_some() {
        return Err(Error::ExportRunning);
    }
    let lately = data_request::since(&tx, owner, Kind::Export, now - WINDOW).await?;
    if lately.len() as u64 >= EXPORTS
        && let Some(first) = lately.first()
    {
        let wait = first.created_at + WINDOW - now;
        return Err(Error::TooManyExports { retry_after: wait.to_std().unwrap_or_default() });
    }
    let created_by = caller.actor();
    let kind = Kind::Export.job();
    let job = NewJob { kind, params: params(owner), created_by: created_by.clone(), run_at: None };
    let job = app.jobs.create(&tx, job).await?;
    let request = new(app, job, owner, Kind::Export, created_by);
    data_request::insert(&tx, request.clone()).await?;
    app.commit(tx, NewEntry::new("export.requested", target(owner))).await?;
    app.jobs.wake();
    tracing::info!(user.id = %owner, job.id = %job, "export requested");
    seen(app, request).await
}

/// One's own file, to be read part by part.
pub(crate) async fn open(app: &App, caller: &Caller) -> Result<Reader, Error> {
    app.admit(caller).await?;
    check_person(app, caller).await?;
    let owner = caller.user.as_ref().ok_or(Error::NotLoggedIn)?.id;
    let found = data_request::newest_of(newest(&app.db), owner, Kind::Export).await?;
    let found = found.filter(|request| request.has_file(app.clock.now()));
    let request = found.ok_or(Error::ExportNotFound)?;
    let read = NewEntry::new("export.downloaded", target(owner));
    app.audit.note(read);
    Ok(Reader::new(request))
}

/// The request that the job is about.
pub(crate) async fn of_job(tx: &Tx, job: JobId) -> Result<Option<Model>, Error> {
    Ok(data_request::find(tx, job).await?)
}

/// The end of the file: it is there for so long, and its owner is told.
pub(crate) async fn finish(
    app: &App,
    tx: &Tx,
    job: JobId,
    owner: UserId,
    file: Writer,
    kept: TimeDelta,
) -> Result<(), Error> {
    let now = app.clock.now();
    let (bytes, parts) = file.end(app, tx).await?;
    data_request::ready(tx, job, now, Some(now + kept), bytes, parts).await?;
    let until = (now + kept).to_rfc3339_opts(SecondsFormat::Secs, true);
    let facts = vec![("until", until)];
    let to = To::Account(owner);
    let mail = NewMail { kind: Letter::ExportReady, to, facts, expires_at: None };
    let (_, event) = mail::request(app, tx, mail).await?;
    app.audit.record(tx, NewEntry::by_service("accounts", "export.made", target(owner))).await?;
    app.outbox.append(tx, vec![event]).await?;
    Ok(())
}

/// Removes files whose time is over.
pub(crate) async fn forget(app: &App) -> Result<u64, Error> {
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let forgotten = data_request::forget(&tx, now, now - UNREADY_KEPT).await?;
    tx.commit().await?;
    tracing::debug!(forgotten, "files of personal data removed");
    Ok(forgotten)
}
