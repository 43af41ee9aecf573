//! Where somebody is logged in: one session on each device. Everybody their own.

use souk_auth::Caller;
use souk_rpc::Violation;
use souk_storage::Tx;
use souk_values::{SessionId, UserId};

use super::App;
use super::session::{Ended, end_all, end_one};
use crate::Error;
use crate::domain::device;
use crate::domain::session::Reason;
use crate::store::session::Model;
use crate::store::{account, newest, session};

/// Whose devices they are, and which one asks.
async fn owner(app: &App, caller: &Caller) -> Result<(UserId, SessionId), Error> {
    app.admit(caller).await?;
    caller.user.as_ref().map(|user| (user.id, user.session)).ok_or(Error::NotLoggedIn)
}

/// The caller's live sessions, the newest use first, and the caller's own.
pub(crate) async fn list(app: &App, caller: &Caller) -> Result<(Vec<Model>, SessionId), Error> {
    let (owner, current) = owner(app, caller).await?;
    let (limits, now) = (app.limits(), app.clock.now());
    let mut found = session::not_ended(newest(&app.db), owner).await?;
    found.retain(|session| session.is_live(&limits, now));
    found.reverse();
    Ok((found, current))
}

/// Gives one of the caller's sessions another name.
pub(crate) async fn rename(
    app: &App,
    caller: &Caller,
    id: SessionId,
    name: &str,
) -> Result<(Model, SessionId), Error> {
    let (owner, current) = owner(app, caller).await?;
    let tx = app.db.begin().await?;
    let found = live(app, &tx, owner, id).await?;
    let device =
        device::name(name).map_err(|must| Error::Invalid(vec![Violation::new("device", must)]))?;
    if !session::rename(&tx, id, &device).await? {
        return Err(Error::SessionNotFound);
    }
    tx.commit().await?;
    Ok((Model { device, ..found }, current))
}

/// Ends one of the caller's sessions.
pub(crate) async fn end(
    app: &App,
    caller: &Caller,
    id: SessionId,
) -> Result<(Model, SessionId), Error> {
    let (owner, current) = owner(app, caller).await?;
    let tx = app.db.begin().await?;
    let found = live(app, &tx, owner, id).await?;
    let Ended { ids, events } = end_one(app, &tx, &found, Reason::Ended).await?;
    if ids.is_empty() {
        return Err(Error::SessionNotFound);
    }
    app.commit_all(tx, events).await?;
    app.revoke(&ids);
    tracing::info!(user.id = %owner, session.id = %id, "session ended by its owner");
    Ok((found, current))
}

/// Logs the caller out everywhere, or everywhere else. Answers how many sessions that ended.
pub(crate) async fn end_every(
    app: &App,
    caller: &Caller,
    keep_current: bool,
) -> Result<usize, Error> {
    let (owner, current) = owner(app, caller).await?;
    let keep = keep_current.then_some(current);
    let tx = app.db.begin().await?;
    account::find_for_update(&tx, owner).await?.ok_or(Error::UserNotFound)?;
    // what was over by itself is not told as ended now
    let (limits, now) = (app.limits(), app.clock.now());
    let open = session::not_ended(&tx, owner).await?;
    let live = open.iter().filter(|s| s.is_live(&limits, now) && Some(s.id) != keep).count();
    let Ended { ids, events } = end_all(app, &tx, owner, keep, Reason::Ended).await?;
    app.commit_all(tx, events).await?;
    app.revoke(&ids);
    tracing::info!(user.id = %owner, sessions = live, "sessions ended by their owner");
    Ok(live)
}

/// One of the owner's; another's is missing.
async fn live(app: &App, tx: &Tx, owner: UserId, id: SessionId) -> Result<Model, Error> {
    let (limits, now) = (app.limits(), app.clock.now());
    let found = session::find(tx, id).await?;
    let found = found.filter(|s| s.account_id == owner && s.is_live(&limits, now));
    found.ok_or(Error::SessionNotFound)
}
