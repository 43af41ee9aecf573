//! Access tokens, and the rotation of refresh tokens.

use chrono::TimeDelta;
use souk_auth::{AccessClaims, Permission};
use souk_storage::Tx;
use souk_values::SessionId;
use uuid::Uuid;

use super::App;
use super::keys::RefreshToken;
use crate::Error;
use crate::domain::session::{Reuse, judge};
use crate::store::account::Model;
use crate::store::{account, newest, refresh_token, role, session};

/// What a login or a rotation gives.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) expires_in_s: u32,
    pub(crate) account: Model,
    pub(crate) permissions: Vec<Permission>,
}

/// Exchanges a refresh token for its successor and a new access token. Shown again within ten
/// seconds it gets the same successor; shown again later it was stolen, and the session ends.
pub(crate) async fn refresh(app: &App, token: &str) -> Result<Issued, Error> {
    let token = RefreshToken::parse(token).ok_or(Error::InvalidRefreshToken)?;
    let hash = token.hash();
    // a token that nobody was given does not get as far as the one writer
    refresh_token::find(newest(&app.db), &hash).await?.ok_or(Error::InvalidRefreshToken)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let first = refresh_token::mark_used(&tx, &hash, now).await?;
    // after the update: whoever waited for another's now sees it
    let row = refresh_token::find(&tx, &hash).await?.ok_or(Error::InvalidRefreshToken)?;
    let reuse = if first { None } else { row.used_at.map(|used_at| judge(used_at, now)) };
    if reuse == Some(Reuse::Stolen) {
        let ended = session::end(&tx, row.session_id, now).await?;
        tx.commit().await?;
        if ended {
            app.revoke(&[row.session_id]);
            tracing::warn!(session.id = %row.session_id, "refresh token reused, session ended");
        }
        return Err(Error::InvalidRefreshToken);
    }
    if !session::touch(&tx, row.session_id, now).await? {
        return Err(Error::InvalidRefreshToken);
    }
    let session = session::find(&tx, row.session_id).await?.ok_or(Error::InvalidRefreshToken)?;
    let account = account::find(&tx, session.account_id).await?.filter(|account| account.active);
    let account = account.ok_or(Error::InvalidRefreshToken)?;
    let successor = app.keys.successor(&token);
    let next = refresh_token::Model {
        hash: successor.hash(),
        session_id: session.id,
        issued_at: now,
        used_at: None,
    };
    refresh_token::insert(&tx, next).await?;
    let issued = issue(app, &tx, account, session.id, successor).await?;
    tx.commit().await?;
    Ok(issued)
}

/// Signs an access token that says what the account may do now.
pub(super) async fn issue(
    app: &App,
    tx: &Tx,
    account: Model,
    session: SessionId,
    refresh_token: RefreshToken,
) -> Result<Issued, Error> {
    let permissions: Vec<Permission> =
        role::all(tx).await?.permissions(&account.role).into_iter().collect();
    let now = app.clock.now();
    let life = TimeDelta::minutes(i64::from(app.config.access_token_minutes));
    let claims = AccessClaims {
        iss: AccessClaims::SOUK.to_owned(),
        aud: AccessClaims::SOUK.to_owned(),
        sub: account.id.to_string(),
        sid: session.to_string(),
        role: account.role.clone(),
        perms: permissions.iter().map(ToString::to_string).collect(),
        iat: now.timestamp(),
        nbf: now.timestamp(),
        exp: (now + life).timestamp(),
        jti: Uuid::now_v7().to_string(),
    };
    Ok(Issued {
        access_token: app.keys.sign(&claims),
        refresh_token: refresh_token.reveal(),
        expires_in_s: app.config.access_token_minutes * 60,
        account,
        permissions,
    })
}
