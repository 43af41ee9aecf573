//! Letters over SMTP.
use std::time::Duration;

use lettre::address::Envelope;
use lettre::transport::smtp::{AsyncSmtpTransport, Error, PoolConfig};
use lettre::{Address, AsyncTransport, Tokio1Executor};
use souk_service::Secret;

use super::{Mail, MailError, Outgoing};

/// An SMTP server; connections are kept and used again.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    patience: Duration,
}

impl Smtp {
    pub fn new(url: &Secret, patience: Duration) -> anyhow::Result<Self> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.reveal())
            // the error would print the URL with its password
            .map_err(|_| anyhow::anyhow!("mail.smtp_url cannot be read"))?;
        let transport =
            builder.timeout(Some(patience)).pool_config(PoolConfig::new().min_idle(0)).build();
        Ok(Self { transport, patience })
    }
}

#[async_trait::async_trait]
impl Mail for Smtp {
    async fn send(&self, outgoing: &Outgoing) -> Result<String, MailError> {
        let address = |text: &str| {
            text.parse::<Address>()
                .map_err(|_| MailError::Refused("the address cannot be written".to_owned()))
        };
        let envelope = Envelope::new(Some(address(&outgoing.from)?), vec![address(&outgoing.to)?])
            .map_err(|_| MailError::Refused("the envelope cannot be written".to_owned()))?;
        let sending = self.transport.send_raw(&envelope, &outgoing.mime);
        match tokio::time::timeout(self.patience, sending).await {
            Ok(Ok(answer)) => Ok(answer.message().next().unwrap_or_default().to_owned()),
            Ok(Err(error)) => Err(what(&error)),
            Err(_) => Err(MailError::Unknown("no answer in time".to_owned())),
        }
    }
}

/// Reply codes by RFC 5321 §4.2.3 and RFC 4954 §6.
fn what(error: &Error) -> MailError {
    let Some(code) = error.status() else {
        return if was_never_taken(error) {
            MailError::Failed("the server cannot be reached".to_owned())
        } else {
            MailError::Unknown("the connection broke".to_owned())
        };
    };
    let text = format!("the server answered {code}");
    match u16::from(code) {
        421 | 450 | 451 | 452 => MailError::Failed(text),
        // authentication: no letter's fault
        454 | 530 | 534 | 535 | 538 => MailError::Blocked(text),
        500..=599 => MailError::Refused(text),
        _ => MailError::Failed(text),
    }
}

/// Whether it ended before any letter was handed over. lettre tells a connection that did not come
/// about from one that broke only by its text.
fn was_never_taken(error: &Error) -> bool {
    error.is_tls() || error.is_client() || error.to_string().starts_with("Connection error")
}
