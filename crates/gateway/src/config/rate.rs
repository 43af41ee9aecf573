//! How often, in settings: `"5/hour"`, `"100/10m"`, `"off"`.
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

/// So many in so long; a token bucket: all at once, then one each `period / count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// 0: no limit.
    pub count: u32,
    pub period: Duration,
}

const MAX_COUNT: u32 = 10_000_000;
const MAX_PERIOD: Duration = Duration::from_secs(30 * 86_400);

impl Rate {
    /// `count` in so many seconds.
    pub(crate) const fn of(count: u32, seconds: u64) -> Self {
        Self { count, period: Duration::from_secs(seconds) }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text == "off" {
            return Some(Self::of(0, 1));
        }
        let (count, period) = text.split_once('/')?;
        let count: u32 = count.trim().parse().ok().filter(|n| (1..=MAX_COUNT).contains(n))?;
        let period = period.trim();
        let unit = period.trim_start_matches(|c: char| c.is_ascii_digit());
        let number: u64 = match &period[..period.len() - unit.len()] {
            "" => 1,
            digits => digits.parse().ok()?,
        };
        let seconds = match unit.trim() {
            "s" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            _ => return None,
        };
        let period = Duration::from_secs(number.checked_mul(seconds)?);
        (!period.is_zero() && period <= MAX_PERIOD).then_some(Self { count, period })
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is not a rate such as \"5/hour\", \"100/10m\" or \"off\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, rate) in [
            ("5/hour", Rate::of(5, 3600)),
            ("120/minute", Rate::of(120, 60)),
            ("100/10m", Rate::of(100, 600)),
            ("1/2 days", Rate::of(1, 172_800)),
            (" 7 / s ", Rate::of(7, 1)),
            ("off", Rate::of(0, 1)),
        ] {
            assert_eq!(Rate::parse(text), Some(rate), "{text}");
        }
        for bad in [
            "",
            "5",
            "/hour",
            "0/hour",
            "-1/hour",
            "5/0s",
            "5/week",
            "5/hour/day",
            "1e3/hour",
            "5/31d",
        ] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }
}
