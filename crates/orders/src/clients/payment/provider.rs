//! What a payment provider can do.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::domain::payment::{Authorise, Hint, ProviderError, ProviderPayment};

/// A payment provider. Every changing call carries a key and may be repeated with it.
#[async_trait::async_trait]
pub(crate) trait Provider: Send + Sync {
    /// "test" or "stripe".
    fn name(&self) -> &'static str;
    /// Holds the amount without taking it. A decline is an answer (`State::Declined`), not an
    /// error.
    async fn authorise(&self, ask: &Authorise) -> Result<ProviderPayment, ProviderError>;
    async fn capture(&self, reference: &str, key: &str) -> Result<ProviderPayment, ProviderError>;
    async fn void(&self, reference: &str, key: &str) -> Result<ProviderPayment, ProviderError>;
    /// Gives back `minor` of a captured payment.
    async fn refund(
        &self,
        reference: &str,
        minor: i64,
        key: &str,
    ) -> Result<ProviderPayment, ProviderError>;
    /// The truth about one payment; `None`: unknown there.
    async fn find(&self, reference: &str) -> Result<Option<ProviderPayment>, ProviderError>;
    /// Payments since then, in the provider's order, after the cursor (the last reference of the
    /// page before); an empty page ends.
    async fn list(
        &self,
        since: DateTime<Utc>,
        cursor: Option<&str>,
    ) -> Result<Vec<ProviderPayment>, ProviderError>;
    /// Whether the customer may pay with this method, as far as it is known before the charge.
    async fn accepts(&self, user_id: &str, method: &str) -> Result<bool, ProviderError>;
    /// Checks the signature over the raw body and the time; headers by lower-case name.
    fn read_webhook(
        &self,
        headers: &BTreeMap<String, String>,
        body: &[u8],
        now: DateTime<Utc>,
    ) -> Option<Hint>;
}
