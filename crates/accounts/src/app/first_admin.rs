//! The first admin of a shop that has no user at all.

use souk_auth::Caller;

use super::account::{blank, parse, refuse};
use super::event::{Kind, user};
use super::{App, entry, password};
use crate::Error;
use crate::domain::account::{Fields, Password};
use crate::domain::role::ADMIN;
use crate::store::account::Model;
use crate::store::{account, newest, role};

/// Who became the first admin.
pub(crate) struct FirstAdmin {
    pub(crate) account: Model,
    /// To be shown once; `None` when the caller brought the password.
    pub(crate) password: Option<String>,
}

/// Makes an admin if there is no user; `None` if there is any. Empty texts: `admin@souk.local`,
/// `admin`, a random password. However many call at once, one of them makes one admin.
pub(crate) async fn create(
    app: &App,
    caller: &Caller,
    email: &str,
    username: &str,
    password: &str,
) -> Result<Option<FirstAdmin>, Error> {
    if account::is_anybody(newest(&app.db)).await? {
        return Ok(None);
    }
    let or =
        |text: &str, default: &str| Some(if text.is_empty() { default } else { text }.to_owned());
    let random = password.is_empty().then(password::random);
    let fields = Fields {
        username: or(username, "admin"),
        email: or(email, "admin@souk.local"),
        password: Some(random.clone().unwrap_or_else(|| password.to_owned())),
        role: Some(ADMIN.to_owned()),
        ..Fields::default()
    };
    let (changes, mut broken) = parse(app, &fields).await?;
    broken.extend(changes.told("", ""));
    refuse(broken)?;
    let hash = app.passwords.hash(changes.password.as_ref().map_or("", Password::reveal)).await?;
    let account = super::account::apply(&changes, None, blank(app, hash)).0;

    let tx = app.db.begin().await?;
    role::lock_admins(&tx).await?;
    if account::is_anybody(&tx).await? {
        return Ok(None);
    }
    account::insert(&tx, account.clone()).await?;
    let event = user(Kind::Created, &account, &[], caller.actor());
    app.commit(tx, (event, entry::user("user.created", None, &account))).await?;
    tracing::info!(user.id = %account.id, "first admin created");
    Ok(Some(FirstAdmin { account, password: random }))
}
