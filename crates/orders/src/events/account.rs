//! Account events: the cart of who logged out is emptied if the shop wants that, the cart of who
//! left for good ends.
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::events::v1::{SessionEnded, UserChanged};
use souk_storage::Tx;
use souk_values::UserId;

use crate::app::App;
use crate::domain::cart::Owner;
use crate::store;

/// Why a session ends when its user says so; what ended in another way empties no cart.
const LOGOUT: &str = "logout";

/// Hears `orders.account.v1`.
pub(super) struct AccountHandler {
    app: App,
}

impl AccountHandler {
    pub(super) fn new(app: App) -> Self {
        Self { app }
    }

    async fn one(&self, tx: &Tx, event: &Envelope) -> Result<(), HandleError> {
        match event.event_type.as_str() {
            registry::SESSION_ENDED => {
                let message: SessionEnded =
                    event.decode().map_err(|_| poisoned("the payload is no SessionEnded"))?;
                let user = user(&message.user_id)?;
                if message.reason == LOGOUT && self.app.config.clear_cart_at_logout {
                    // what came into it after a newer login stays
                    store::cart::clear_untouched_since(tx, user, event.time).await?;
                }
            }
            registry::USER_DELETED => {
                let message: UserChanged =
                    event.decode().map_err(|_| poisoned("the payload is no UserChanged"))?;
                let owner = Owner::User(user(&message.user_id)?);
                if let Some(cart) = store::cart::find(tx, owner).await? {
                    store::cart::end(tx, cart.id).await?;
                }
            }
            other => return Err(HandleError::Poisoned(format!("nobody here knows {other}"))),
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl Handler for AccountHandler {
    type Ready = ();

    async fn prepare(&self, _events: &[Envelope]) -> Result<(), HandleError> {
        Ok(())
    }

    async fn handle(&self, tx: &Tx, events: &[Envelope], (): ()) -> Result<(), HandleError> {
        for event in events {
            self.one(tx, event).await?;
        }
        Ok(())
    }
}

fn user(id: &str) -> Result<UserId, HandleError> {
    id.parse().map_err(|_| poisoned("the user id is not one"))
}

fn poisoned(what: &str) -> HandleError {
    HandleError::Poisoned(what.to_owned())
}
