//! Transport (local or remote), the tower stack around every service, failures on the wire.

mod arrival;
mod body;
mod context;
mod failure;
mod hello;
mod kind;
mod method;
mod server;
mod stack;
mod timeout;
mod tls;
mod transport;

pub use context::{CallContext, caller, current, deadline, scope};
pub use failure::{Failure, Violation};
pub use kind::Kind;
pub use server::{ServerListener, serve};
pub use stack::{Guarded, Refusals, Refused, Stack};
pub use tls::{Authority, AuthorityError, Issued, Tls, TlsError, TlsFiles, Validity};
pub use transport::{Identity, Transport};
