//! Logging out.

use super::App;
use super::keys::{RefreshToken, SessionSecret};
use super::session::{Ended, end_one};
use crate::Error;
use crate::domain::session::Reason;
use crate::store::session::Model;
use crate::store::{newest, refresh_token, session};

/// Ends the session of a refresh token, also of a used one, and that of a cookie's secret. What is
/// neither ends nothing, and is no error.
pub(crate) async fn logout(app: &App, token: &str, secret: &str) -> Result<(), Error> {
    let db = newest(&app.db);
    if let Some(token) = RefreshToken::parse(token)
        && let Some(row) = refresh_token::find(db, &token.hash()).await?
    {
        end(app, session::find(db, row.session_id).await?).await?;
    }
    if let Some(secret) = SessionSecret::parse(secret) {
        end(app, session::find_by_secret(db, &secret.hash()).await?).await?;
    }
    Ok(())
}

async fn end(app: &App, session: Option<Model>) -> Result<(), Error> {
    let Some(session) = session else { return Ok(()) };
    if session.ended_at.is_none() {
        let tx = app.db.begin().await?;
        let Ended { events, .. } = end_one(app, &tx, &session, Reason::Logout).await?;
        app.commit_all(tx, events).await?;
    }
    // also when it had ended: this process may not have heard
    app.revoke(&[session.id]);
    Ok(())
}
