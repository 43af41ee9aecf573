//! Access tokens, the rotation of refresh tokens, and the visits of browsers.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use souk_auth::{AccessClaims, Permission};
use souk_storage::Tx;
use souk_values::SessionId;
use uuid::Uuid;

use super::App;
use super::keys::{RefreshToken, SessionSecret};
use super::second_factor::standing;
use super::session::{Ended, end_one, letter};
use crate::Error;
use crate::domain::session::{Reason, Reuse, judge, network};
use crate::store::account::Model;
use crate::store::session::Model as Session;
use crate::store::{account, newest, refresh_token, role, session};

/// A visit is written down when the last one is as old as this: the one writer is spared, and the
/// idle limit still holds to within these seconds.
const VISIT: TimeDelta = TimeDelta::seconds(5);

/// What a login, a rotation or a visit gives.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) expires_in_s: u32,
    pub(crate) account: Model,
    pub(crate) permissions: Vec<Permission>,
    pub(crate) session: SessionId,
    /// When the session is over at the latest.
    pub(crate) session_expires_at: DateTime<Utc>,
    pub(crate) remember: bool,
    pub(crate) enrolment_required: bool,
    /// Empty: the session keeps what it has, or goes by a cookie.
    pub(crate) refresh_token: String,
    /// Empty: the session keeps what it has, or goes by refresh tokens.
    pub(crate) session_secret: String,
    /// Given at a login only.
    pub(crate) device_token: String,
    /// For so long it counts without another login on the device.
    pub(crate) device_expires_in_s: u32,
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
    let session = session::find(&tx, row.session_id).await?;
    let session = session.filter(|session| session.is_live(&app.limits(), now));
    let session = session.ok_or(Error::InvalidRefreshToken)?;
    let reuse = if first { None } else { row.used_at.map(|used_at| judge(used_at, now)) };
    if reuse == Some(Reuse::Stolen) {
        return Err(stolen(app, tx, &session).await?);
    }
    if !session::touch(&tx, session.id, None, now).await? {
        return Err(Error::InvalidRefreshToken);
    }
    let successor = app.keys.successor(&token);
    let next = refresh_token::Model {
        hash: successor.hash(),
        session_id: session.id,
        issued_at: now,
        used_at: None,
    };
    refresh_token::insert(&tx, next).await?;
    let account = owner(&tx, &session).await?.ok_or(Error::InvalidRefreshToken)?;
    let issued = issue(app, &tx, account, &session).await.map_err(|error| match error {
        Error::SessionEnded => Error::InvalidRefreshToken,
        error => error,
    })?;
    tx.commit().await?;
    Ok(Issued { refresh_token: successor.reveal(), ..issued })
}

/// Somebody has a copy of the token: the session ends, its owner is told. Answers what the caller
/// is told.
async fn stolen(app: &App, tx: Tx, session: &Session) -> Result<Error, Error> {
    let Ended { ids, mut events } = end_one(app, &tx, session, Reason::Reused).await?;
    if !ids.is_empty() {
        events.extend(letter(app, &tx, session, Some(Reason::Reused)).await?);
    }
    app.commit_all(tx, events).await?;
    app.revoke(&ids);
    tracing::warn!(session.id = %session.id, "refresh token reused, session ended");
    Ok(Error::InvalidRefreshToken)
}

/// A browser comes with the secret of its cookie: a new access token, and the session lives on.
pub(crate) async fn resume(app: &App, secret: &str, address: &str) -> Result<Issued, Error> {
    let secret = SessionSecret::parse(secret).ok_or(Error::SessionEnded)?;
    let db = newest(&app.db);
    let now = app.clock.now();
    let session = session::find_by_secret(db, &secret.hash()).await?;
    let session = session.filter(|session| session.is_live(&app.limits(), now));
    let session = session.ok_or(Error::SessionEnded)?;
    let account = owner(db, &session).await?.ok_or(Error::SessionEnded)?;
    let issued = issue(app, db, account, &session).await?;
    let network = network(address).filter(|network| *network != session.network);
    if now - session.last_used_at >= VISIT || network.is_some() {
        let tx = app.db.begin().await?;
        if !session::touch(&tx, session.id, network, now).await? {
            return Err(Error::SessionEnded);
        }
        tx.commit().await?;
    }
    Ok(issued)
}

/// Whose session it is, unless they are out.
async fn owner(db: &impl ConnectionTrait, session: &Session) -> Result<Option<Model>, Error> {
    let account = account::find(db, session.account_id).await?;
    Ok(account.filter(|account| account.active))
}

/// A new access token for a session that goes on; it keeps its refresh token or its secret.
pub(crate) async fn reissue(
    app: &App,
    tx: &Tx,
    account: Model,
    session: &Session,
) -> Result<Issued, Error> {
    issue(app, tx, account, session).await
}

/// Signs an access token that says what the account may do now. It never outlives its session:
/// [`Error::SessionEnded`] when that is over for what the account has become.
pub(super) async fn issue(
    app: &App,
    db: &impl ConnectionTrait,
    account: Model,
    session: &Session,
) -> Result<Issued, Error> {
    let permissions: Vec<Permission> =
        role::all(db).await?.permissions(&account.role).into_iter().collect();
    let now = app.clock.now();
    let limits = app.limits();
    let end = limits.end(session.created_at, !permissions.is_empty()).min(session.expires_at);
    if now >= end {
        return Err(Error::SessionEnded);
    }
    let mut life = TimeDelta::minutes(i64::from(app.config.access_token_minutes)).min(end - now);
    if !session.remember {
        life = life.min(limits.idle);
    }
    let expires_at = now + life;
    let standing = standing(app, db, &account, session, expires_at.timestamp()).await?;
    let permissions = if standing.enrol_only { Vec::new() } else { permissions };
    let claims = AccessClaims {
        iss: AccessClaims::SOUK.to_owned(),
        aud: AccessClaims::SOUK.to_owned(),
        sub: account.id.to_string(),
        sid: session.id.to_string(),
        role: account.role.clone(),
        perms: permissions.iter().map(ToString::to_string).collect(),
        iat: now.timestamp(),
        nbf: now.timestamp(),
        exp: expires_at.timestamp(),
        jti: Uuid::now_v7().to_string(),
        fresh: standing.fresh_until,
        enrol: standing.enrol_only,
        key: false,
    };
    Ok(Issued {
        access_token: app.keys.sign(&claims),
        expires_in_s: u32::try_from(life.num_seconds()).unwrap_or_default(),
        account,
        permissions,
        session: session.id,
        session_expires_at: end,
        remember: session.remember,
        enrolment_required: standing.enrol_only,
        refresh_token: String::new(),
        session_secret: String::new(),
        device_token: String::new(),
        device_expires_in_s: 0,
    })
}
