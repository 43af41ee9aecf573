//! Tokens and the callers they name; permissions; who may call which method.

mod caller;
mod keys;
mod permission;
mod rule;
mod service_token;
mod token;

pub use caller::{Caller, User};
pub use keys::{Jwks, SigningKey};
pub use permission::Permission;
pub use rule::{MethodTable, Refusal, Rule};
pub use service_token::{ServiceTokenError, ServiceTokens};
pub use token::{AccessClaims, KeySource, TokenError, Verifier};
