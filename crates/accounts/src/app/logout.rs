//! Logging out.

use super::App;
use super::event::logged_out;
use super::keys::RefreshToken;
use crate::Error;
use crate::store::{newest, refresh_token, session};

/// Ends the session of a refresh token, also of a used one. What is no token of ours ends nothing,
/// and is no error.
pub(crate) async fn logout(app: &App, token: &str) -> Result<(), Error> {
    let Some(token) = RefreshToken::parse(token) else { return Ok(()) };
    if let Some(row) = refresh_token::find(newest(&app.db), &token.hash()).await? {
        let tx = app.db.begin().await?;
        let session = session::find(&tx, row.session_id).await?;
        let ended = session::end(&tx, row.session_id, app.clock.now()).await?;
        match session.filter(|_| ended) {
            Some(session) => app.commit(tx, logged_out(&session)).await?,
            None => tx.rollback().await?,
        }
        app.revoke(&[row.session_id]);
    }
    Ok(())
}
