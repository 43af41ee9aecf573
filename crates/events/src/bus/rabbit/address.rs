//! Where the broker is, and how our names look there.
use lapin::uri::AMQPUri;

use crate::bus::{BusError, dead_letter_queue};

const HEARTBEAT_S: u16 = 10;
const PREFIX: &str = "souk_prefix=";

/// What a house calls its exchanges and queues.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// With the dot, or empty.
    prefix: String,
}

impl Names {
    pub(super) fn of(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn events(&self) -> String {
        self.of("souk.events")
    }

    pub(super) fn dead_letters(&self) -> String {
        self.of("souk.dlx")
    }

    pub(super) fn dead(&self, queue: &str) -> String {
        self.of(&dead_letter_queue(queue))
    }

    pub(super) fn retry(&self, queue: &str, delay: &str) -> String {
        self.of(&format!("{queue}.retry.{delay}"))
    }
}

/// Takes `souk_prefix` out of the URL, and sets the heartbeat unless the URL does.
pub(super) fn parse(url: &str) -> Result<(AMQPUri, Names), BusError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let (mine, theirs): (Vec<&str>, Vec<&str>) =
        query.split('&').filter(|part| !part.is_empty()).partition(|part| part.starts_with(PREFIX));
    let prefix = mine.first().map(|part| &part[PREFIX.len()..]).unwrap_or_default();
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
    let rest = if theirs.is_empty() { String::new() } else { format!("?{}", theirs.join("&")) };
    // The parser's own words could repeat the password.
    let malformed = |_| BusError::Refused("bus.url is malformed".to_owned());
    let mut uri: AMQPUri = format!("{base}{rest}").parse().map_err(malformed)?;
    uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
    Ok((uri, Names { prefix }))
}

#[cfg(test)]
mod tests;
