//! Letters through Amazon SES v2. Retries are ours, so the SDK's are off.
mod bound;

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Credentials;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, MessageTag, RawMessage};
use aws_smithy_http_client::{Builder, tls};

use self::bound::Bound;
use super::{Mail, MailError, Outgoing};
use crate::config::SesSettings;

/// No id of a message is longer.
const LONGEST_ID: usize = 255;
/// What has no name.
const UNKNOWN: &str = "unknown";
/// No name of an exception is longer.
const LONGEST_NAME: usize = 64;

/// One account of SES.
pub struct Ses {
    client: Client,
    configuration_set: Option<String>,
    newsletter_configuration_set: Option<String>,
    rate: u32,
}

impl Ses {
    pub async fn new(settings: &SesSettings, patience: Duration) -> anyhow::Result<Self> {
        // without a client of our own the SDK fails at the first call, not here
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2).min(patience))
            .operation_attempt_timeout(patience)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if !settings.region.is_empty() {
            loader = loader.region(Region::new(settings.region.clone()));
        }
        if !settings.endpoint.is_empty() {
            loader = loader.endpoint_url(&settings.endpoint);
        }
        if !settings.access_key_id.is_empty() {
            let (id, secret) = (&settings.access_key_id, &settings.secret_access_key);
            let keys = Credentials::new(id.reveal(), secret.reveal(), None, None, "settings");
            loader = loader.credentials_provider(keys);
        }
        let config = loader.load().await;
        if config.region().is_none() {
            anyhow::bail!("ses.region must be set, or AWS_REGION");
        }
        let bounded = aws_sdk_sesv2::config::Builder::from(&config).interceptor(Bound).build();
        let named = |set: &String| (!set.is_empty()).then(|| set.clone());
        let set = named(&settings.configuration_set);
        Ok(Self {
            client: Client::from_conf(bounded),
            newsletter_configuration_set: named(&settings.newsletter_configuration_set)
                .or_else(|| set.clone()),
            configuration_set: set,
            rate: settings.max_send_rate,
        })
    }
}

#[async_trait::async_trait]
impl Mail for Ses {
    async fn send(&self, outgoing: &Outgoing) -> Result<String, MailError> {
        let broken = |_| MailError::Refused("the letter cannot be written".to_owned());
        let raw = RawMessage::builder().data(Blob::new(outgoing.mime.clone())).build();
        // the tag settles, by SES's own events, which letter was sent
        let tag = MessageTag::builder().name("d").value(outgoing.letter.to_string()).build();
        let set = if outgoing.newsletter {
            &self.newsletter_configuration_set
        } else {
            &self.configuration_set
        };
        let answer = self
            .client
            .send_email()
            .from_email_address(&outgoing.from)
            .destination(Destination::builder().to_addresses(&outgoing.to).build())
            .content(EmailContent::builder().raw(raw.map_err(broken)?).build())
            .email_tags(tag.map_err(broken)?)
            .set_configuration_set_name(set.clone())
            .send()
            .await;
        match answer {
            Ok(answer) => named(answer.message_id()),
            Err(error) => Err(what(&error)),
        }
    }

    fn rate(&self) -> Option<u32> {
        Some(self.rate)
    }
}

/// A letter without an id cannot be found again at SES: who knows whether it was taken.
fn named(id: Option<&str>) -> Result<String, MailError> {
    let plain = |id: &&str| {
        (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
    };
    let odd = || MailError::Unknown("an answer without the id of a message".to_owned());
    id.filter(plain).map(str::to_owned).ok_or_else(odd)
}

fn what(error: &SdkError<SendEmailError>) -> MailError {
    match error {
        SdkError::ConstructionFailure(_) => {
            MailError::Blocked("the request cannot be made: region or credentials".to_owned())
        }
        SdkError::TimeoutError(_) => MailError::Unknown("no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            if failure.as_connector_error().is_some_and(|e| never_reached(e)) {
                MailError::Failed("the endpoint cannot be reached".to_owned())
            } else if failure.is_user() {
                MailError::Blocked("the request cannot be made".to_owned())
            } else {
                MailError::Unknown("the connection broke".to_owned())
            }
        }
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            refusal(status, error.code().unwrap_or(UNKNOWN))
        }
        _ => MailError::Unknown("the answer cannot be read".to_owned()),
    }
}

/// What SES means: <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>.
/// Its sentences hold addresses, so only its code is told.
fn refusal(status: u16, code: &str) -> MailError {
    // somebody between us and SES says such things, too: no letter is given up for that
    let is_name = code.len() <= LONGEST_NAME && code.bytes().all(|b| b.is_ascii_alphanumeric());
    let code = if is_name { code } else { UNKNOWN };
    let text = format!("SES answered {status} {code}");
    match code {
        "TooManyRequestsException"
        | "LimitExceededException"
        | "ThrottlingException"
        | "Throttling" => MailError::Throttled(text),
        "MessageRejected" | "BadRequestException" => MailError::Refused(text),
        "AccountSuspendedException"
        | "SendingPausedException"
        | "MailFromDomainNotVerifiedException"
        | "NotFoundException" => MailError::Blocked(text),
        _ => match status {
            200..=299 => MailError::Unknown("the answer cannot be read".to_owned()),
            429 => MailError::Throttled(text),
            401 | 403 | 404 => MailError::Blocked(text),
            400..=499 if code != UNKNOWN => MailError::Refused(text),
            _ => MailError::Failed(text),
        },
    }
}

/// Whether no connection came about, so that nothing was taken.
fn never_reached(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let unreached = [
            ErrorKind::ConnectionRefused,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
            ErrorKind::AddrNotAvailable,
        ];
        if kind.is_some_and(|k| unreached.contains(&k)) || error.to_string().contains("dns error") {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_of_ses_has_a_meaning() {
        let cases = [
            (429, "TooManyRequestsException", "Throttled"),
            (400, "LimitExceededException", "Throttled"),
            (400, "ThrottlingException", "Throttled"),
            (429, "unknown", "Throttled"),
            (400, "MessageRejected", "Refused"),
            (400, "BadRequestException", "Refused"),
            (400, "AccountSuspendedException", "Blocked"),
            (400, "SendingPausedException", "Blocked"),
            (400, "MailFromDomainNotVerifiedException", "Blocked"),
            (404, "NotFoundException", "Blocked"),
            (403, "InvalidClientTokenId", "Blocked"),
            (500, "InternalFailure", "Failed"),
            (503, "ServiceUnavailable", "Failed"),
            // not SES's own words
            (400, "unknown", "Failed"),
            (413, "unknown", "Failed"),
            (302, "unknown", "Failed"),
            (400, "<html>", "Failed"),
            (200, "unknown", "Unknown"),
        ];
        for (status, code, expected) in cases {
            let meaning = format!("{:?}", refusal(status, code));
            assert!(meaning.starts_with(expected), "{status} {code}: {meaning}");
        }
    }
}
