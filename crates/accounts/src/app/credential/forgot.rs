//! A link to a new password, for whoever can read the account's mail. Nobody learns from the answer
//! whether there is an account: what is written for it is written for nobody too.

use std::time::Duration;

use chrono::TimeDelta;
use souk_storage::Tx;
use souk_values::UserId;
use tokio::time::sleep;

use super::{end_links, required};
use crate::Error;
use crate::app::App;
use crate::app::account::refuse;
use crate::app::keys::link_hash;
use crate::app::mail::{self, NewMail, To};
use crate::domain::code::LIFE;
use crate::domain::mail::Kind;
use crate::store::account::{self, Model};
use crate::store::{mail_request, newest, password_reset};

/// Links for one account in an hour.
const LINKS: u64 = 3;
/// No answer comes earlier: a letter to somebody takes a little longer than none.
const EVENLY: Duration = Duration::from_millis(100);

/// Asks for a link. When both names are given, each must be of the same account.
pub(crate) async fn forgot(app: &App, login: &str, also_login: &str) -> Result<(), Error> {
    refuse(required("login", login.trim()).into_iter().collect())?;
    // counted from here
    let due = sleep(EVENLY);
    let found = find(app, login, also_login).await?.filter(|account| account.active);
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    // of nobody, nothing is found under a new id
    let id = found.as_ref().map_or_else(UserId::new, |account| account.id);
    let account = entitled(app, &tx, id).await?;
    let to = match &account {
        Some(account) => {
            end_links(&tx, account.id, now).await?;
            To::Account(account.id)
        }
        None => {
            end_links(&tx, UserId::new(), now).await?;
            To::Address { account: None, email: String::new(), name: String::new() }
        }
    };
    let (kind, expires_at) = (Kind::PasswordReset, Some(now + LIFE));
    let mail = NewMail { kind, to, facts: Vec::new(), expires_at };
    let (mail, event) = mail::request(app, &tx, mail).await?;
    let reset = password_reset::Model {
        id: mail,
        account_id: account.as_ref().map(|account| account.id),
        token_hash: link_hash(&app.keys.link(mail)),
        created_at: now,
        expires_at: now + LIFE,
        ended_at: None,
    };
    password_reset::insert(&tx, reset).await?;
    // nobody's letter is asked for by nobody
    let events = account.iter().map(|_| event.clone()).collect();
    app.commit_all(tx, events).await?;
    if let Some(account) = account {
        tracing::info!(user.id = %account.id, "password forgotten");
    }
    due.await;
    Ok(())
}

/// The account, if it is active and did not have its letters of this hour. Its row is locked.
async fn entitled(app: &App, tx: &Tx, id: UserId) -> Result<Option<Model>, Error> {
    let account = account::find_for_update(tx, id).await?.filter(|account| account.active);
    let since = app.clock.now() - TimeDelta::hours(1);
    let sent = mail_request::count_since(tx, id, Kind::PasswordReset.as_str(), since).await?;
    Ok(account.filter(|_| sent < LINKS))
}

async fn find(app: &App, login: &str, also_login: &str) -> Result<Option<Model>, Error> {
    // no address or name is longer, and PostgreSQL takes no NUL in a text
    let possible = |login: &str| login.len() <= 1024 && !login.contains('\0');
    if !possible(login) || !possible(also_login) {
        return Ok(None);
    }
    let db = newest(&app.db);
    let found = account::find_by_login(db, login).await?;
    if also_login.trim().is_empty() {
        return Ok(found);
    }
    let also = account::find_by_login(db, also_login).await?.map(|account| account.id);
    Ok(found.filter(|account| also == Some(account.id)))
}
