//! A key becomes a token: short, and only as mighty as key and owner are now.

use chrono::{DateTime, TimeDelta, Utc};
use souk_auth::{AccessClaims, Permission};
use uuid::Uuid;

use super::text::KeyText;
use crate::Error;
use crate::app::App;
use crate::app::second_factor::is_required;
use crate::domain::api_key::TOKEN_LIFE_S;
use crate::domain::second_factor::Standing;
use crate::store::api_key::{self, Model};
use crate::store::{account, block, newest, role, second_factor};

/// A token of a key.
pub(crate) struct Exchanged {
    pub(crate) access_token: String,
    pub(crate) expires_in_s: u32,
}

/// Unknown, revoked, expired, and of somebody who may not come in: all the same answer.
pub(crate) async fn exchange(app: &App, key: &str) -> Result<Exchanged, Error> {
    // what has no right checksum was mistyped or guessed, and is not looked up
    let text = KeyText::parse(key).ok_or(Error::InvalidApiKey)?;
    let now = app.clock.now();
    let db = newest(&app.db);
    // the key before its owner: what a change of the owner ends is this key's session
    let key = api_key::find_by_hash(db, &text.hash()).await?;
    let key = key.filter(|key| key.is_live(now)).ok_or(Error::InvalidApiKey)?;
    let owner = account::find(db, key.account_id).await?.filter(|owner| owner.active);
    let owner = owner.ok_or(Error::InvalidApiKey)?;
    if block::of_account(db, owner.id, now).await?.is_some() {
        return Err(Error::InvalidApiKey);
    }
    let held = role::all(db).await?.permissions(&owner.role);
    let permissions: Vec<Permission> = key.scopes().intersection(&held).copied().collect();

    let life = TOKEN_LIFE_S.min((key.expires_at - now).num_seconds()).max(1);
    let expires_at = now.timestamp() + life;
    let enrolled = second_factor::enrolled(db, owner.id).await?.is_some();
    let required = is_required(app, db, &owner).await?;
    // nobody stands behind a program to give a second factor
    let standing = Standing::of(enrolled, required, None, expires_at);
    let permissions = if standing.enrol_only { Vec::new() } else { permissions };
    let claims = AccessClaims {
        iss: AccessClaims::SOUK.to_owned(),
        aud: AccessClaims::SOUK.to_owned(),
        sub: owner.id.to_string(),
        sid: key.session_id.to_string(),
        role: owner.role,
        perms: permissions.iter().map(ToString::to_string).collect(),
        iat: now.timestamp(),
        nbf: now.timestamp(),
        exp: expires_at,
        jti: Uuid::now_v7().to_string(),
        fresh: standing.fresh_until,
        enrol: standing.enrol_only,
        key: true,
    };
    let access_token = app.keys.sign(&claims);
    note_use(app, &key, now).await?;
    Ok(Exchanged { access_token, expires_in_s: u32::try_from(life).unwrap_or_default() })
}

/// One write a minute at most: a program that works all day must not keep the writer busy.
async fn note_use(app: &App, key: &Model, now: DateTime<Utc>) -> Result<(), Error> {
    let minute = now - TimeDelta::microseconds(now.timestamp_micros().rem_euclid(60_000_000));
    if key.last_used_at.is_some_and(|last| last >= minute) {
        return Ok(());
    }
    let tx = app.db.begin().await?;
    api_key::touch(&tx, key.id, minute).await?;
    tx.commit().await?;
    Ok(())
}
