//! People come, change and go.

use souk_auth::Caller;
use souk_values::UserId;

use self::check::check_own;
use super::event::{Kind, user};
use super::{App, password::Check};
use crate::Error;
use crate::domain::account::{Fields, Password};
use crate::domain::role::CUSTOMER;
use crate::store::account::Model;
use crate::store::{account, idempotency, role, session};

mod change;
mod check;

pub(super) use change::apply;
pub(crate) use check::{check_change, check_me, check_new};
pub(super) use check::{parse, refuse};

/// Makes a user. The same `key` with the same fields answers the same user again.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    fields: Fields,
    key: &str,
) -> Result<Model, Error> {
    let changes = check_new(app, caller, &fields, key).await?;
    let hash = app.passwords.hash(changes.password.as_ref().map_or("", Password::reveal)).await?;
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
    account::insert(&tx, made.clone()).await?;
    let event = user(Kind::Created, &made, &[], caller.actor());
    app.commit(tx, event).await?;
    tracing::info!(user.id = %made.id, user.role = made.role, "user created");
    Ok(made)
}

/// Changes the given fields. What was so already is no change: same version, no event.
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
    if before.is_active_admin()
        && !after.is_active_admin()
        && !account::is_other_admin(&tx, id).await?
    {
        return Err(Error::LastAdmin);
    }
    let now = app.clock.now();
    after.version = before.version + 1;
    after.updated_at = now;
    account::update(&tx, &after, before.version).await?;
    let mut ended = Vec::new();
    if named.contains(&"password") || named.contains(&"role") || !after.active {
        ended = session::end_all(&tx, id, now).await?;
    }
    let event = user(Kind::Changed, &after, &named, caller.actor());
    app.commit(tx, event).await?;
    app.revoke(&ended);
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
    if before.is_active_admin() && !account::is_other_admin(&tx, id).await? {
        return Err(Error::LastAdmin);
    }
    let now = app.clock.now();
    let seen = before.version;
    let after = Model { active: false, version: seen + 1, updated_at: now, ..before };
    account::update(&tx, &after, seen).await?;
    let ended = session::end_all(&tx, id, now).await?;
    let event = user(Kind::Deleted, &after, &["active"], caller.actor());
    app.commit(tx, event).await?;
    app.revoke(&ended);
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
    let Fields { username, email, full_name, password, role, active } = fields;
    let text = serde_json::json!([username, email, full_name, password, role, active]);
    text.to_string().into_bytes()
}
