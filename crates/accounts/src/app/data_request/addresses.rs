//! E-mail addresses that are, or were, a person's: letters went there before there was an account.

use std::collections::BTreeSet;

use souk_audit::Filter;
use souk_values::{MAX_LIMIT, Page, UserId};

use crate::Error;
use crate::app::App;
use crate::app::entry::target;
use crate::store::{account, email_change, newest, personal};

/// The account's, those that letters for it went to, and those that the audit knows of.
pub(crate) async fn of(app: &App, id: UserId) -> Result<Vec<String>, Error> {
    let db = newest(&app.db);
    let mut found = BTreeSet::new();
    found.extend(account::find(db, id).await?.map(|account| account.email));
    found.extend(email_change::find(db, id).await?.map(|change| change.email));
    found.extend(personal::letter_addresses(db, id).await?);
    let filter = Filter { target: target(id), ..Filter::default() };
    let mut page = Page { limit: MAX_LIMIT, cursor: None };
    loop {
        let (entries, next) = app.audit.list(&filter, &page).await?;
        let changes = entries.into_iter().flat_map(|entry| entry.changes);
        for change in changes.filter(|change| change.field == "email") {
            found.extend([change.before, change.after].into_iter().filter(|text| !text.is_empty()));
        }
        let Some(next) = next else { return Ok(found.into_iter().collect()) };
        page.cursor = Some(next);
    }
}
