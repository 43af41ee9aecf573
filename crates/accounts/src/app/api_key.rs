//! Keys of programs: made and revoked by their owners, exchanged by the gateway for short tokens.

use souk_audit::NewEntry;
use souk_auth::{Caller, Permission};
use souk_rpc::Violation;
use souk_storage::Tx;
use souk_values::{ApiKeyId, SessionId, UserId};

use super::App;
use super::actor::owner;
use super::second_factor::own;
use super::session::tell;
use crate::Error;
use crate::domain::api_key as rules;
use crate::domain::session::Reason;
use crate::store::api_key::{self, Model};
use crate::store::newest;

mod exchange;
mod text;

pub(crate) use exchange::{Exchanged, exchange};
use text::KeyText;

/// A key that was just made.
pub(crate) struct Made {
    pub(crate) api_key: Model,
    /// To be shown once.
    pub(crate) key: String,
}

/// Makes a key for the caller. Its scopes are permissions that the caller holds.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    name: &str,
    scopes: &[String],
    days: u32,
) -> Result<Made, Error> {
    app.admit(caller).await?;
    let (name, scopes, life) = read(name, scopes, days)?;
    if !scopes.iter().all(|&scope| caller.may(scope)) {
        return Err(Error::BeyondOwnPermissions);
    }
    let key = KeyText::random();
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    // the owner's row is locked: keys that are made at once are counted one by one
    let (owner, _) = own(app, &tx, caller).await?;
    if api_key::count_live(&tx, owner.id, now).await? >= rules::MAX {
        return Err(Error::TooManyKeys);
    }
    let made = Model {
        id: ApiKeyId::new(),
        account_id: owner.id,
        name,
        prefix: key.prefix(),
        hash: key.hash(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        session_id: SessionId::new(),
        created_at: now,
        expires_at: now + life,
        last_used_at: None,
        revoked_at: None,
    };
    api_key::insert(&tx, made.clone()).await?;
    let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let entry = NewEntry::new("api_key.created", format!("api_key/{}", made.id));
    app.commit(tx, entry.change("scopes", "", words.join(" "))).await?;
    tracing::info!(user.id = %owner.id, api_key.id = %made.id, "api key made");
    Ok(Made { api_key: made, key: key.reveal() })
}

/// The caller's keys, or another's for whoever may see accounts; newest first.
pub(crate) async fn list(
    app: &App,
    caller: &Caller,
    of: Option<UserId>,
) -> Result<Vec<Model>, Error> {
    app.admit(caller).await?;
    let owner = owner(caller, of, Permission::UsersRead)?;
    Ok(api_key::list(newest(&app.db), owner).await?)
}

/// Ends a key and its tokens: one's own, or another's for whoever may change accounts. The second
/// time nothing happens.
pub(crate) async fn revoke(app: &App, caller: &Caller, id: ApiKeyId) -> Result<Model, Error> {
    app.admit(caller).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let key = api_key::find_for_update(&tx, id).await?;
    let own = |key: &Model| Some(key.account_id) == caller.person();
    let key = key.filter(|key| own(key) || caller.may(Permission::UsersWrite));
    let key = key.ok_or(Error::ApiKeyNotFound)?;
    if !api_key::revoke(&tx, id, now).await? {
        return Ok(key);
    }
    let events = tell(app, &tx, key.account_id, &[key.session_id], Reason::Ended).await?;
    let entry = NewEntry::new("api_key.revoked", format!("api_key/{id}"));
    app.commit(tx, (events, entry)).await?;
    app.revoke(&[key.session_id]);
    tracing::info!(user.id = %key.account_id, api_key.id = %id, "api key revoked");
    Ok(Model { revoked_at: Some(now), ..key })
}

/// Revokes every key of an account that somebody wins back: whoever had it may have made some.
/// Answers how many. Their tokens end with the sessions, which comes before.
pub(super) async fn revoke_all(
    app: &App,
    tx: &Tx,
    owner: UserId,
    actor: &str,
) -> Result<usize, Error> {
    let mut revoked = api_key::revoke_all(tx, owner, app.clock.now()).await?;
    revoked.sort_unstable();
    for id in &revoked {
        let entry = NewEntry::new("api_key.revoked", format!("api_key/{id}"));
        app.audit.record(tx, entry.actor(actor)).await?;
    }
    Ok(revoked.len())
}

/// Every broken field at once.
fn read(
    name: &str,
    scopes: &[String],
    days: u32,
) -> Result<(String, Vec<Permission>, chrono::TimeDelta), Error> {
    let mut broken = Vec::new();
    let name = rules::name(name).map_err(|must| broken.push(Violation::new("name", must)));
    let life = rules::life(days).map_err(|must| broken.push(Violation::new("days", must)));
    let scopes: Result<Vec<Permission>, ()> = scopes.iter().map(|word| word.parse()).collect();
    let scopes = scopes.map(|mut scopes| {
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    });
    if scopes.is_err() {
        broken.push(Violation::new("scopes", "must be permissions such as products.write"));
    }
    match (name, scopes, life) {
        (Ok(name), Ok(scopes), Ok(life)) => Ok((name, scopes, life)),
        _ => Err(Error::Invalid(broken)),
    }
}
