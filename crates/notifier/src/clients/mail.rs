//! Whatever carries letters, behind one trait: a folder, SMTP, SES. All three get the same bytes.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use souk_values::LetterId;

use crate::config::{Config, SenderKind};

mod folder;
pub mod mime;
mod ses;
mod smtp;

pub use folder::Folder;
pub use ses::Ses;
pub use smtp::Smtp;

/// A letter as it leaves.
pub struct Outgoing {
    pub letter: LetterId,
    /// Bare addresses.
    pub from: String,
    pub to: String,
    /// A stream of its own, apart from letters that people wait for.
    pub newsletter: bool,
    /// The whole message (RFC 5322).
    pub mime: Vec<u8>,
}

/// Why a letter did not leave. The text tells an operator why, without addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Too many at once: everybody waits; not the letter's fault.
    #[error("throttled: {0}")]
    Throttled(String),
    /// Nothing can be sent for now (account paused, credentials wrong): everybody waits.
    #[error("cannot send: {0}")]
    Blocked(String),
    /// This letter will never be taken.
    #[error("refused: {0}")]
    Refused(String),
    /// It was not taken; later perhaps.
    #[error("not sent: {0}")]
    Failed(String),
    /// It may have been taken.
    #[error("unknown whether sent: {0}")]
    Unknown(String),
}

/// One way to send.
#[async_trait::async_trait]
pub trait Mail: Send + Sync + 'static {
    /// Hands the letter over; answers the id the carrier knows it by.
    async fn send(&self, outgoing: &Outgoing) -> Result<String, MailError>;

    /// Whether sending a letter a second time cannot double it.
    fn repeats_safely(&self) -> bool {
        false
    }

    /// Letters a second that the carrier takes; `None`: any number.
    fn rate(&self) -> Option<u32> {
        None
    }
}

/// The way that the settings name. `folder` is where letters go without any other.
pub async fn open(config: &Config, folder: &Path) -> anyhow::Result<Arc<dyn Mail>> {
    Ok(match config.mail.sender {
        SenderKind::Folder => Arc::new(Folder::open(folder).await?),
        SenderKind::Smtp => Arc::new(Smtp::new(&config.mail.smtp_url, patience(config))?),
        SenderKind::Ses => Arc::new(Ses::new(&config.ses, patience(config)).await?),
    })
}

/// How long one attempt may last: well below the time after which another sender takes over.
fn patience(config: &Config) -> Duration {
    (config.ses.unknown_after.duration() * 2 / 3).min(Duration::from_secs(10))
}
