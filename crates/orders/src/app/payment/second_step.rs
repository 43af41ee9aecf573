//! The buyer's second step with the test provider.
use souk_values::UserId;

use crate::app::App;
use crate::domain::payment::{ProviderError, ProviderPayment};
use crate::error::Error;
use crate::store;

/// The buyer approves or refuses; the saga hears it by the funnel.
pub(crate) async fn complete(
    app: &App,
    user: UserId,
    order_id: &str,
    approve: bool,
) -> Result<ProviderPayment, Error> {
    let test = app.test_provider.as_ref().ok_or(Error::Conflict(
        "no_second_step",
        "the second step is done with the payment provider itself",
    ))?;
    let known = store::order::id_of(store::order::fresh(&app.db), order_id).await?;
    let order_id = known.ok_or(Error::OrderNotFound)?.to_string();
    let entry = test.of_order(&order_id).await?;
    let entry = entry.filter(|entry| entry.user_id == user.to_string());
    let entry = entry.ok_or(Error::OrderNotFound)?;
    let done = test.complete(&entry.fact.reference, approve).await;
    let fact = done.map_err(|error| match error {
        ProviderError::Refused { .. } => {
            Error::Conflict("no_second_step", "this payment does not wait for a second step")
        }
        ProviderError::Unknown(_) => Error::ProviderAway,
    })?;
    super::learn(app, &fact).await?;
    Ok(fact)
}
