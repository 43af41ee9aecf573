//! A new password by a link from a letter.

use super::{end_letters, new_password, password_changed};
use crate::Error;
use crate::app::event::{Kind, user};
use crate::app::keys::link_hash;
use crate::app::session::end_all;
use crate::app::{App, api_key, entry};
use crate::domain::session::Reason;
use crate::store::account::{self, Model};
use crate::store::{brake, mail_request, newest, password_reset};

/// Sets a new password and ends whatever else leads into the account: every session, every API key,
/// links and codes that were sent. No device is known any more, and the brake on the login is
/// released. It opens no session: whoever has the mailbox still has no second factor.
pub(crate) async fn reset(app: &App, token: &str, new: &str) -> Result<(), Error> {
    let token_hash = link_hash(token);
    // one link, one hash: the others find it used
    let _turn = app.turns.wait(token).await?;
    let now = app.clock.now();
    let db = newest(&app.db);
    let link = password_reset::find(db, &token_hash).await?.ok_or(Error::ResetNotFound)?;
    let id = link.account_id.filter(|_| link.ended_at.is_none()).ok_or(Error::ResetNotFound)?;
    if now >= link.expires_at {
        return Err(Error::CodeExpired);
    }
    let seen = account::find(db, id).await?.filter(|account| account.active);
    let seen = seen.ok_or(Error::ResetNotFound)?;
    let password = new_password(new, &seen, Vec::new())?;
    let hash = app.passwords.hash(password.reveal()).await?;

    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let before = account::find_for_update(&tx, id).await?.filter(|account| account.active);
    let before = before.ok_or(Error::ResetNotFound)?;
    if !password_reset::use_up(&tx, link.id, now).await? {
        return Err(Error::ResetNotFound);
    }
    mail_request::end(&tx, link.id, now).await?;
    end_letters(&tx, id, now).await?;
    let version = before.version;
    let after = Model {
        password_hash: hash,
        version: version + 1,
        updated_at: now,
        device_generation: before.device_generation + 1,
        ..before
    };
    account::update(&tx, &after, version).await?;
    for subject in [id.to_string(), format!("{id}:known")] {
        brake::release(&tx, &subject).await?;
    }
    let mut ended = end_all(app, &tx, id, None, Reason::Password).await?;
    let keys = api_key::revoke_all(app, &tx, id, &id.to_string()).await?;
    ended.events.push(user(Kind::Changed, &after, &["password"], id.to_string()));
    ended.events.push(password_changed(app, &tx, id, keys).await?);
    app.commit(tx, (ended.events, entry::password("password.reset", id))).await?;
    app.revoke(&ended.ids);
    tracing::info!(user.id = %id, sessions = ended.ids.len(), keys, "password reset");
    Ok(())
}
