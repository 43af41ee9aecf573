//! The end of everything that names a person: asked for, taken back, begun, ended.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use souk_audit::NewEntry;
use souk_auth::{Caller, Permission};
use souk_events::NewEvent;
use souk_jobs::{NewJob, Status};
use souk_storage::Tx;
use souk_values::{JobId, SessionId, UserId};

use super::{Seen, alive, check_person, new, owner, params, seen};
use crate::Error;
use crate::app::App;
use crate::app::account::{check_power, refuse, switch};
use crate::app::actor::Actor;
use crate::app::credential::check_password;
use crate::app::entry::target;
use crate::app::event::Kind as Told;
use crate::app::mail::{self, NewMail, To};
use crate::domain::account::Broken;
use crate::domain::data_request::Kind;
use crate::domain::mail::Kind as Letter;
use crate::store::account::Model as Account;
use crate::store::{account, data_request, newest, role};

/// Whose name an erasure bears in the audit.
const SERVICE: &str = "accounts";

/// Has everything erased, after the delay of the settings: by the owner, who gives the password, or
/// by an admin for somebody who asked by mail.
pub(crate) async fn start(
    app: &App,
    caller: &Caller,
    of: Option<UserId>,
    password: &str,
) -> Result<Seen, Error> {
    app.admit(caller).await?;
    check_person(app, caller).await?;
    let own = caller.user.as_ref().map(|user| user.id);
    let id = owner(caller, of, Permission::UsersWrite)?;
    if of.is_some() && of == own {
        return Err(Error::OwnAccount);
    }
    let found = account::find(newest(&app.db), id).await?.ok_or(Error::UserNotFound)?;
    if of.is_none() {
        if password.is_empty() {
            refuse(vec![Broken::new("current_password", "is required")])?;
        }
        check_password(app, &found, password).await?;
    }

    let delay = TimeDelta::seconds(i64::from(app.config.personal_data.erasure_delay_s));
    let run_at = app.clock.now() + delay;
    let tx = app.db.begin().await?;
    role::lock_admins(&tx).await?;
    let account = account::find_for_update(&tx, id).await?.ok_or(Error::UserNotFound)?;
    if of.is_none() {
        if account.password_hash != found.password_hash || !account.active {
            return Err(Error::SessionEnded);
        }
    } else {
        check_power(&tx, caller, &account).await?;
    }
    check_last_admin(&tx, &account).await?;
    if alive(app, &tx, id, Kind::Erasure).await?.is_some() {
        return Err(Error::ErasureRequested);
    }
    let by = caller.actor();
    let kind = Kind::Erasure.job();
    let job = NewJob { kind, params: params(id), created_by: by.clone(), run_at: Some(run_at) };
    let job = app.jobs.create(&tx, job).await?;
    let request = new(app, job, id, Kind::Erasure, by);
    data_request::insert(&tx, request.clone()).await?;
    let told = letter(app, &tx, id, Letter::ErasureRequested, Some(run_at)).await?;
    let entry =
        NewEntry::new("erasure.requested", target(id)).change("begins", "", spelled(run_at));
    app.commit(tx, (told, entry)).await?;
    app.jobs.wake();
    tracing::info!(user.id = %id, job.id = %job, "erasure requested");
    seen(app, request).await
}

/// Takes the wish back, as long as nothing was erased.
pub(crate) async fn cancel(app: &App, caller: &Caller, of: Option<UserId>) -> Result<Seen, Error> {
    app.admit(caller).await?;
    check_person(app, caller).await?;
    let id = owner(caller, of, Permission::UsersWrite)?;
    let tx = app.db.begin().await?;
    // nobody asks anew while this is decided
    account::find_for_update(&tx, id).await?;
    let found = data_request::newest_of(&tx, id, Kind::Erasure).await?;
    let request = found.ok_or(Error::ErasureNotFound)?;
    let cancelled = app.jobs.cancel_within(&tx, request.job_id).await?;
    let cancelled = cancelled.filter(|cancelled| !cancelled.removed);
    let job = cancelled.ok_or(Error::ErasureNotFound)?.job;
    if job.status != Status::Cancelled || job.done > 0 {
        return Err(Error::ErasureBegun);
    }
    let told = letter(app, &tx, id, Letter::ErasureCancelled, None).await?;
    app.commit(tx, (told, NewEntry::new("erasure.cancelled", target(id)))).await?;
    app.jobs.tell_cancelled(request.job_id);
    tracing::info!(user.id = %id, job.id = %request.job_id, "erasure cancelled");
    seen(app, request).await
}

/// Whether whoever ordered it may still: an admin who did it for somebody else must be able to decide
/// about them now, too. Else its owner and the audit are told that nothing is erased.
pub(crate) async fn may_begin(app: &App, tx: &Tx, by: &str, id: UserId) -> Result<bool, Error> {
    let Some(by) = by.parse().ok().filter(|by: &UserId| *by != id) else { return Ok(true) };
    let actor = Actor::now(tx, by, app.clock.now()).await?;
    let mut entitled = actor.check_entitled();
    if let Some(account) = account::find(tx, id).await? {
        let roles = role::all(tx).await?;
        entitled = entitled.and_then(|()| actor.check(&roles, &account));
    }
    let Err(error) = entitled else { return Ok(true) };
    let told = letter(app, tx, id, Letter::ErasureCancelled, None).await?;
    app.outbox.append(tx, vec![told]).await?;
    let entry = NewEntry::by_service(SERVICE, "person.erased", target(id));
    app.audit.record(tx, entry.actor(by).refused(error.reason())).await?;
    Ok(false)
}

/// Shuts the account, so that nothing new begins: sessions end, nobody comes in. An account that is
/// gone already is shut. The ids belong to [`close`] after the commit.
pub(crate) async fn shut(app: &App, tx: &Tx, id: UserId) -> Result<Vec<SessionId>, Error> {
    role::lock_admins(tx).await?;
    let Some(before) = account::find_for_update(tx, id).await? else { return Ok(Vec::new()) };
    if !before.active {
        return Ok(Vec::new());
    }
    let (_, ended) = switch(app, tx, before, false, Told::Deleted, SERVICE).await?;
    app.outbox.append(tx, ended.events).await?;
    Ok(ended.ids)
}

/// Commits it, after its progress was saved in the same transaction.
pub(crate) async fn close(app: &App, tx: Tx, ended: &[SessionId]) -> Result<(), Error> {
    tx.commit().await?;
    app.outbox.wake();
    app.revoke(ended);
    Ok(())
}

/// Everything is erased, everywhere.
pub(crate) async fn done(app: &App, tx: &Tx, id: UserId, job: JobId) -> Result<(), Error> {
    data_request::ready(tx, job, app.clock.now(), None, 0, 0).await?;
    let entry = NewEntry::by_service(SERVICE, "person.erased", target(id));
    Ok(app.audit.record(tx, entry).await?)
}

/// The last admin who can come in stays.
pub(crate) async fn check_last_admin(tx: &Tx, account: &Account) -> Result<(), Error> {
    if account.is_active_admin() && !account::is_other_admin(tx, account.id).await? {
        return Err(Error::LastAdmin);
    }
    Ok(())
}

async fn letter(
    app: &App,
    tx: &Tx,
    to: UserId,
    kind: Letter,
    at: Option<DateTime<Utc>>,
) -> Result<NewEvent, Error> {
    let facts = at.map(|at| ("at", spelled(at))).into_iter().collect();
    let mail = NewMail { kind, to: To::Account(to), facts, expires_at: None };
    Ok(mail::request(app, tx, mail).await?.1)
}

fn spelled(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
