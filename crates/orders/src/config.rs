//! Settings of orders: `[orders]`, and the sections `[payments]` and `[stripe]` lent to it.
use serde::Deserialize;
use souk_service::{Secret, Settings, Validate};

/// `[orders]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Empty the cart when its owner logs out.
    pub clear_cart_at_logout: bool,
    /// A guest's cart that nobody touched for so many days ends: 1 to 365.
    pub guest_cart_days: u32,
    /// How long a placed order waits for the buyer's second step, in minutes: 1 to 60. Not longer
    /// than catalog keeps a reservation.
    pub action_minutes: u32,
    /// How long a request waits for its order to be confirmed before it answers 202, in
    /// milliseconds: 100 to 9000.
    pub wait_ms: u64,
    /// The section `[payments]`.
    pub payments: PaymentsConfig,
    /// The section `[stripe]`.
    pub stripe: StripeConfig,
}

/// `[payments]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentsConfig {
    /// "test" or "stripe".
    pub provider: String,
    /// Orders that name no payment method are paid by a test card. Only with the test provider.
    pub default_method: bool,
    /// The longest that one call to the provider may take, in milliseconds: 100 to 30000.
    pub timeout_ms: u64,
    /// How often books are compared with the provider's, in seconds: 1 to 86400.
    pub reconcile_s: u64,
}

/// `[stripe]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StripeConfig {
    pub base_url: String,
    pub secret_key: Secret,
    /// Of the webhook endpoint: `whsec_…`.
    pub webhook_secret: Secret,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            clear_cart_at_logout: false,
            guest_cart_days: 30,
            action_minutes: 10,
            wait_ms: 8_000,
            payments: PaymentsConfig::default(),
            stripe: StripeConfig::default(),
        }
    }
}

impl Default for PaymentsConfig {
    fn default() -> Self {
        Self {
            provider: "test".to_owned(),
            default_method: true,
            timeout_ms: 5_000,
            reconcile_s: 600,
        }
    }
}

impl Default for StripeConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.stripe.com".to_owned(),
            secret_key: Secret::default(),
            webhook_secret: Secret::default(),
        }
    }
}

impl Validate for Config {
    fn validate(&self, _settings: &Settings) -> Result<(), String> {
        for (name, value, least, most) in [
            ("orders.guest_cart_days", u64::from(self.guest_cart_days), 1, 365),
            ("orders.action_minutes", u64::from(self.action_minutes), 1, 60),
            ("orders.wait_ms", self.wait_ms, 100, 9_000),
            ("payments.timeout_ms", self.payments.timeout_ms, 100, 30_000),
            ("payments.reconcile_s", self.payments.reconcile_s, 1, 86_400),
        ] {
            if !(least..=most).contains(&value) {
                return Err(format!("{name} is {value} but must be between {least} and {most}"));
            }
        }
        match self.payments.provider.as_str() {
            "test" => Ok(()),
            "stripe" if self.stripe.secret_key.is_empty() => {
                Err("stripe.secret_key must be set when payments.provider is \"stripe\"".to_owned())
            }
            "stripe" if self.stripe.webhook_secret.is_empty() => {
                Err("stripe.webhook_secret must be set when payments.provider is \"stripe\""
                    .to_owned())
            }
            "stripe" => Ok(()),
            other => {
                Err(format!("payments.provider is {other:?} but must be \"test\" or \"stripe\""))
            }
        }
    }
}
