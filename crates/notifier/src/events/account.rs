//! Account events: who closed, or lost the role, gets no letters any more.
use std::collections::HashSet;

use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::UserChanged;
use souk_storage::Tx;
use souk_values::UserId;

use super::failed;
use crate::app::{AccountNews, App, Standing};
use crate::clients::accounts::Accounts;

/// Events that are news of an account.
const KNOWN: [&str; 3] = [registry::USER_CREATED, registry::USER_CHANGED, registry::USER_DELETED];

/// Hears `notifier.account.v1`.
pub struct AccountHandler {
    app: App,
    accounts: Accounts,
}

impl AccountHandler {
    pub fn new(app: App, accounts: Accounts) -> Self {
        Self { app, accounts }
    }
}

/// Who gets notices now; asked only when a role changed, for roles are accounts' business.
#[derive(Default)]
pub struct Receivers(Option<HashSet<UserId>>);

impl Receivers {
    pub fn known(users: impl IntoIterator<Item = UserId>) -> Self {
        Self(Some(users.into_iter().collect()))
    }
}

#[async_trait::async_trait]
impl Handler for AccountHandler {
    type Ready = Receivers;

    async fn prepare(&self, events: &[Envelope]) -> Result<Receivers, HandleError> {
        let is_role_change = |event: &Envelope| {
            event.decode::<UserChanged>().is_ok_and(|user| user.active && changes_role(&user))
        };
        if !events.iter().any(is_role_change) {
            return Ok(Receivers::default());
        }
        let people = self.accounts.recipients().await.map_err(failed)?;
        Ok(Receivers::known(people.iter().map(|p| p.user_id)))
    }

    async fn handle(
        &self,
        tx: &Tx,
        events: &[Envelope],
        ready: Receivers,
    ) -> Result<(), HandleError> {
        for event in events {
            let news = from_proto(event, &ready)?;
            self.app.learn(tx, news).await.map_err(failed)?;
        }
        Ok(())
    }
}

fn changes_role(user: &UserChanged) -> bool {
    user.fields.iter().any(|field| field == "role" || field == "rol")
}

fn from_proto(event: &Envelope, receivers: &Receivers) -> Result<AccountNews, HandleError> {
    let poisoned = |what: &str| HandleError::Poisoned(what.to_owned());
    if !KNOWN.contains(&event.event_type.as_str()) {
        return Err(HandleError::Poisoned(format!("nobody here knows {}", event.event_type)));
    }
    let message: UserChanged =
        event.decode().map_err(|_| poisoned("the payload is no UserChanged"))?;
    let user: UserId = message.user_id.parse().map_err(|_| poisoned("the user id is not one"))?;
    let lost_role = changes_role(&message)
        && receivers.0.as_ref().is_some_and(|receivers| !receivers.contains(&user));
    let gone = !message.active || message.kind == "deleted";
    let standing = match (gone, lost_role) {
        (true, _) => Standing::Gone,
        (false, true) => Standing::Closed,
        (false, false) => Standing::Open,
    };
    Ok(AccountNews { user, epoch: event.epoch, version: message.version, at: event.time, standing })
}
