//! A new password by its owner, who knows the old one.

use souk_auth::Caller;

use super::{
    check_password, end_letters, new_password, own, password_changed, required, unchanged,
};
use crate::Error;
use crate::app::session::end_all;
use crate::app::{App, entry};
use crate::domain::session::Reason;
use crate::store::account::{self, Model};

/// Changes the caller's own password and ends every session but theirs. What others see of the
/// account stays as it is: same version, and no event of the user.
pub(crate) async fn change(
    app: &App,
    caller: &Caller,
    current: &str,
    new: &str,
) -> Result<Model, Error> {
    let (seen, session) = own(app, caller).await?;
    let broken = required("current_password", current).into_iter().collect();
    let password = new_password(new, &seen, broken)?;
    check_password(app, &seen, current).await?;
    let hash = app.passwords.hash(password.reveal()).await?;

    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let account = unchanged(&tx, &seen).await?;
    account::rehash(&tx, account.id, hash).await?;
    end_letters(&tx, account.id, now).await?;
    let mut ended = end_all(app, &tx, account.id, Some(session), Reason::Password).await?;
    ended.events.push(password_changed(app, &tx, account.id, 0).await?);
    let told = entry::password("password.changed", account.id);
    app.commit(tx, (ended.events, told)).await?;
    app.revoke(&ended.ids);
    tracing::info!(user.id = %account.id, sessions = ended.ids.len(), "password changed");
    Ok(account)
}
