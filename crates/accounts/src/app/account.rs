//! People come, change and go.

use souk_auth::Caller;
use souk_values::UserId;

use self::check::check_own;
use super::credential::end_letters;
use super::data_request::erasure;
use super::event::{Kind, user};
use super::session::{Ended, end_all};
use super::{App, api_key, entry, password::Check};
use crate::Error;
use crate::domain::account::{Fields, Password};
use crate::domain::role::CUSTOMER;
use crate::domain::session::Reason;
use crate::store::account::Model;
use crate::store::{account, idempotency, role};

mod change;
mod check;
mod power;
mod switch;

pub(super) use change::apply;
pub(crate) use check::{check_change, check_me, check_new};
pub(super) use check::{parse, refuse};
pub(super) use power::check_power;
pub(super) use switch::{remove, switch};

/// Makes a user. The same `key` with the same fields answers the same user again.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    fields: Fields,
    key: &str,
) -> Result<Model, Error> {
    let changes = check_new(app, caller, &fields, key).await?;
    let hash = match &fields.password_hash {
        Some(hash) => hash.clone(),
        None => app.passwords.hash(changes.password.as_ref().map_or("", Password::reveal)).await?,
    };
    let made = blank(app, hash);
    let made = apply(&changes, None, made).0;

    let tx = app.db.begin().await?;
    if !key.is_empty() {
        let claim = idempotency::Model {
            caller: caller.actor(),
            key: key.to_owned(),
            request_tag: app.keys.request(&canonical(&fields)),
            account_id: made.id,
            created_at: made.created_at,
        };
        if let Some(earlier) = idempotency::claim(&tx, claim).await? {
            return account::find(&tx, earlier).await?.ok_or(Error::UserNotFound);
        }
    }
    power::check_made(app, &tx, caller, &made).await?;
    account::insert(&tx, made.clone()).await?;
    let event = user(Kind::Created, &made, &[], caller.actor());
    app.commit(tx, (event, entry::user("user.created", None, &made))).await?;
    tracing::info!(user.id = %made.id, user.role = made.role, "user created");
    Ok(made)
}

/// Changes the given fields. What was so already is no change: same version, no event. Nobody gives
/// themselves a password or an address here, nor takes their own power. With another password the
/// account is won back as by a link from a letter: see [`reset`](super::credential::reset).
pub(crate) async fn update(
    app: &App,
    caller: &Caller,
    id: UserId,
    fields: Fields,
    expected: Option<u64>,
) -> Result<Model, Error> {
    let (changes, seen) = check_change(app, caller, id, &fields).await?;
    let mut hash = None;
    if let Some(password) = &changes.password
        && app.passwords.check(password.reveal(), Some(&seen.password_hash)).await? == Check::Wrong
    {
        hash = Some(app.passwords.hash(password.reveal()).await?);
    }

    let tx = app.db.begin().await?;
    if changes.role.is_some() || changes.active == Some(false) {
        role::lock_admins(&tx).await?;
    }
    let before = account::find_for_update(&tx, id).await?.ok_or(Error::UserNotFound)?;
    check_version(&before, expected)?;
    // "the same password" was said of a hash that is no longer there
    if changes.password.is_some() && hash.is_none() && before.password_hash != seen.password_hash {
        return Err(Error::StaleVersion);
    }
    let (mut after, named) = apply(&changes, hash, before.clone());
    if named.is_empty() {
        return Ok(before);
    }
    power::check_change(app, &tx, caller, &before, &after, &named).await?;
    if before.is_active_admin()
        && !after.is_active_admin()
        && !account::is_other_admin(&tx, id).await?
    {
        return Err(Error::LastAdmin);
    }
    power::check_own(caller, id, &named)?;
    let now = app.clock.now();
    after.version = before.version + 1;
    after.updated_at = now;
    // nobody showed the one before: it may have been known to others
    let won_back = named.contains(&"password");
    after.device_generation += i64::from(won_back);
    account::update(&tx, &after, before.version).await?;
    if named.contains(&"password") || named.contains(&"email") || !after.active {
        end_letters(&tx, id, now).await?;
    }
    let mut events = vec![user(Kind::Changed, &after, &named, caller.actor())];
    let mut ended = Ended::default();
    if let Some(reason) = ends_sessions(&after, &named) {
        ended = end_all(app, &tx, id, None, reason).await?;
    }
    if won_back {
        api_key::revoke_all(app, &tx, id, &caller.actor()).await?;
    }
    events.append(&mut ended.events);
    app.commit(tx, (events, entry::user("user.changed", Some(&before), &after))).await?;
    app.revoke(&ended.ids);
    tracing::info!(user.id = %id, fields = ?named, "user changed");
    Ok(after)
}

/// Changes what people may change about themselves.
pub(crate) async fn update_me(
    app: &App,
    caller: &Caller,
    fields: Fields,
    expected: Option<u64>,
) -> Result<Model, Error> {
    let id = check_own(app, caller, &fields).await?;
    update(app, caller, id, fields, expected).await
}

/// Hides a user for good: no login, no session; the name and the address stay taken.
pub(crate) async fn delete(
    app: &App,
    caller: &Caller,
    id: UserId,
    expected: Option<u64>,
) -> Result<Model, Error> {
    app.admit(caller).await?;
    let tx = app.db.begin().await?;
    role::lock_admins(&tx).await?;
    let before = account::find_for_update(&tx, id).await?.filter(|account| account.active);
    let before = before.ok_or(Error::UserNotFound)?;
    check_version(&before, expected)?;
    check_power(&tx, caller, &before).await?;
    if caller.user.as_ref().is_some_and(|user| user.id == id) {
        erasure::check_last_admin(&tx, &before).await?;
        return Err(Error::OwnAccount);
    }
    let actor = caller.actor();
    let (after, ended) = switch(app, &tx, before, false, Kind::Deleted, &actor).await?;
    app.commit_all(tx, ended.events).await?;
    app.revoke(&ended.ids);
    tracing::info!(user.id = %id, "user deleted");
    Ok(after)
}

/// A new account before its fields are filled in.
pub(super) fn blank(app: &App, password_hash: String) -> Model {
    let now = app.clock.now();
    Model {
        id: UserId::new(),
        username: String::new(),
        username_folded: String::new(),
        email: String::new(),
        email_folded: String::new(),
        full_name: String::new(),
        search: String::new(),
        password_hash,
        role: CUSTOMER.to_owned(),
        active: true,
        version: 1,
        created_at: now,
        updated_at: now,
        last_login_at: None,
        device_generation: 0,
    }
}

/// Whether nobody may stay logged in after these changes, and why.
fn ends_sessions(after: &Model, named: &[&str]) -> Option<Reason> {
    if !after.active {
        Some(Reason::Blocked)
    } else if named.contains(&"password") {
        Some(Reason::Password)
    } else if named.contains(&"role") {
        Some(Reason::Role)
    } else {
        None
    }
}

fn check_version(account: &Model, expected: Option<u64>) -> Result<(), Error> {
    let current = u64::try_from(account.version).unwrap_or_default();
    if expected.is_none_or(|expected| expected == current) {
        Ok(())
    } else {
        Err(Error::StaleVersion)
    }
}

/// The fields of a request in one unambiguous spelling.
fn canonical(fields: &Fields) -> Vec<u8> {
    let Fields { username, email, full_name, password, role, active, password_hash: hash } = fields;
    let mut text = serde_json::json!([username, email, full_name, password, role, active]);
    // keys that were used before there were hashes stand for the same requests
    if let (Some(hash), Some(words)) = (hash, text.as_array_mut()) {
        words.push(serde_json::json!(hash));
    }
    text.to_string().into_bytes()
}
