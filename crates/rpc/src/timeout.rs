//! The `grpc-timeout` header: at most eight digits and a unit.
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};

pub(crate) const HEADER: &str = "grpc-timeout";
/// Of a call that nobody gave a deadline.
pub(crate) const DEFAULT: Duration = Duration::from_secs(10);

/// A header that cannot be read sets no deadline, as in tonic.
pub(crate) fn take(headers: &mut HeaderMap) -> Option<Duration> {
    headers.remove(HEADER).and_then(|value| parse(value.to_str().ok()?))
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

/// Milliseconds (rounded up, so that the callee is not the first to give up) while they fit, else
/// seconds.
pub(crate) fn value(left: Duration) -> Option<HeaderValue> {
    let ms = left.as_micros().div_ceil(1000);
    let text = if ms < 100_000_000 {
        format!("{ms}m")
    } else {
        format!("{}S", left.as_secs().min(99_999_999))
    };
    HeaderValue::from_str(&text).ok()
}

/// The moment that is `left` from now; an absurdly distant one is none.
pub(crate) fn after(left: Duration) -> Option<Instant> {
    Instant::now().checked_add(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_nonsense_is_not() {
        for (text, expected) in [
            ("1H", Duration::from_secs(3600)),
            ("2M", Duration::from_secs(120)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("99999999n", Duration::from_nanos(99_999_999)),
            ("0S", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        for bad in ["", "S", "1", "1s", "123456789S", "-1S", "+1S", " 1S", "1.5S", "1µ", "µ"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_back_and_is_never_shorter() {
        for left in [0, 1, 999, 1000, 1_500_300, 10_000_000, 99_999_999_000] {
            let left = Duration::from_micros(left);
            let back = parse(value(left).unwrap().to_str().unwrap()).unwrap();
            assert!(back >= left && back - left < Duration::from_millis(1), "{left:?}");
        }
        let year = Duration::from_secs(365 * 86_400);
        assert_eq!(parse(value(year).unwrap().to_str().unwrap()), Some(year));
    }
}
