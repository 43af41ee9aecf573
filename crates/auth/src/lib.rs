//! Tokens and the callers they name; permissions; who may call which method.

mod caller;
mod key_set;
mod keys;
mod permission;
mod provider;
mod revocations;
mod rule;
mod service_token;
mod token;
mod verifier;

pub use caller::{Caller, User};
pub use keys::{Jwks, SigningKey};
pub use permission::Permission;
pub use rule::{MethodTable, Refusal, Rule};
pub use service_token::{ServiceTokenError, ServiceTokens};
pub use token::{AccessClaims, TokenError};
pub use verifier::{KeySource, Verifier};
