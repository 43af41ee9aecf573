//! An account on and off, and away for good, inside somebody's transaction.

use souk_storage::Tx;

use crate::Error;
use crate::app::event::{Kind, user};
use crate::app::session::{Ended, end_all};
use crate::app::{App, entry, newsletter};
use crate::domain::session::Reason;
use crate::store::account::{self, Model};
use crate::store::{brake, mail_request};

/// Writes whether somebody may come in; `before` is locked. Off: under
/// [`lock_admins`](crate::store::role::lock_admins), and their sessions end. The events tell of
/// both, the change first.
pub(in crate::app) async fn switch(
    app: &App,
    tx: &Tx,
    before: Model,
    active: bool,
    kind: Kind,
    actor: &str,
) -> Result<(Model, Ended), Error> {
    let (id, seen) = (before.id, before.version);
    if before.is_active_admin() && !active && !account::is_other_admin(tx, id).await? {
        return Err(Error::LastAdmin);
    }
    let after = Model { active, version: seen + 1, updated_at: app.clock.now(), ..before.clone() };
    account::update(tx, &after, seen).await?;
    let action = if kind == Kind::Deleted { "user.deleted" } else { "user.changed" };
    app.audit.record(tx, entry::user(action, Some(&before), &after).actor(actor)).await?;
    let mut ended = Ended::default();
    if !active {
        ended = end_all(app, tx, id, None, Reason::Blocked).await?;
    }
    ended.events.insert(0, user(kind, &after, &["active"], actor.to_owned()));
    Ok((after, ended))
}

/// Removes an account that nobody can use any more, with all that is kept of it here. What it
/// bought stays with the orders, which have copies of their own.
pub(in crate::app) async fn remove(
    app: &App,
    tx: &Tx,
    before: Model,
    actor: &str,
) -> Result<Ended, Error> {
    let id = before.id;
    // its events say that they ended, should one be open
    let mut ended = end_all(app, tx, id, None, Reason::Blocked).await?;
    mail_request::forget_account(tx, id).await?;
    brake::forget_account(tx, id).await?;
    newsletter::forget_address(tx, &before.email_folded, app.clock.now()).await?;
    account::remove(tx, id).await?;
    // names and addresses before and after earlier changes
    app.audit.erase_person(tx, id).await?;
    app.audit.record(tx, entry::removed(&before).actor(actor)).await?;
    let gone = Model { active: false, version: before.version + 1, ..before };
    ended.events.insert(0, user(Kind::Deleted, &gone, &[], actor.to_owned()));
    Ok(ended)
}
