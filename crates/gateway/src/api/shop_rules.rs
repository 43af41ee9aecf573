//! What the shop's staff decide about prices: shipping, tax, coupons. A change takes the given
//! fields and leaves the others, like everywhere.
pub(crate) mod coupons;
pub(crate) mod shipping;
pub(crate) mod taxes;

use souk_rpc::{Failure, Kind};
use souk_values::{Currency, Money};

use super::Answer;
use crate::http::json::Fields;
use crate::http::problem::Problem;

/// The version of what is not there yet.
const NONE_YET: u64 = 0;
/// The version that nothing has: a tag that is none of ours matches nothing.
const NEVER: u64 = u64::MAX;
/// A change without a condition that another one came before is done again on top of it.
const TRIES: usize = 5;

/// What a writer has seen, for a change of something that is there.
fn seen(if_match: Option<u64>) -> Option<u64> {
    if_match.map(|version| if version == NONE_YET { NEVER } else { version })
}

/// Lays the change over what is there, again if somebody else was faster, unless the writer named
/// a version.
async fn overlay<T, F>(if_match: Option<u64>, mut change: impl FnMut(Option<u64>) -> F) -> Answer<T>
where
    F: Future<Output = Answer<Result<T, Failure>>>,
{
    let expected = seen(if_match);
    let mut tries = 1;
    loop {
        match change(expected).await? {
            Ok(done) => return Ok(done),
            Err(failure) if failure.kind == Kind::Stale && expected.is_none() && tries < TRIES => {
                tries += 1;
            }
            Err(failure) => return Err(Problem::from(failure)),
        }
    }
}

/// An amount of the body in minor units.
fn amount(body: &mut Fields, name: &'static str, currency: Option<Currency>) -> Option<i64> {
    let text = body.decimal(name)?;
    minor(body, name, &text, currency)
}

/// `null` takes the amount away.
fn amount_or_null(
    body: &mut Fields,
    name: &'static str,
    currency: Option<Currency>,
) -> Option<Option<i64>> {
    match body.decimal_or_null(name)? {
        None => Some(None),
        Some(text) => minor(body, name, &text, currency).map(Some),
    }
}

fn minor(
    body: &mut Fields,
    name: &'static str,
    text: &str,
    currency: Option<Currency>,
) -> Option<i64> {
    // without a currency there is nothing to read it in, and that was said
    match Money::parse_price(text, currency?) {
        Ok(money) => Some(money.minor),
        Err(e) => {
            body.breaks(name, e);
            None
        }
    }
}

/// The currency of the body, else the one from before.
fn currency(body: &mut Fields, before: Currency) -> Option<Currency> {
    let Some(text) = body.string("currency") else { return Some(before) };
    let parsed = text.parse();
    if let Err(e) = &parsed {
        body.breaks("currency", e);
    }
    parsed.ok()
}

/// Amounts of another currency mean something else: each must be given anew.
fn check_amounts(
    body: &mut Fields,
    changed: bool,
    amounts: impl IntoIterator<Item = (&'static str, bool)>,
) {
    for (name, given) in amounts {
        if changed && !given {
            body.breaks(name, "is required when the currency changes");
        }
    }
}

/// A whole number that is not negative.
fn natural(body: &mut Fields, name: &'static str, number: i64) -> Option<u64> {
    let natural = u64::try_from(number).ok();
    if natural.is_none() {
        body.breaks(name, "must not be negative");
    }
    natural
}

fn natural_or_null(body: &mut Fields, name: &'static str) -> Option<Option<u64>> {
    match body.integer_or_null(name)? {
        None => Some(None),
        Some(number) => natural(body, name, number).map(Some),
    }
}

/// A percentage in millionths: `"8.25"` is 82,500. Four decimals at most, never a float.
fn percent(body: &mut Fields, name: &'static str) -> Option<u32> {
    let text = body.decimal(name)?;
    let ppm = parse_percent(&text);
    if ppm.is_none() {
        body.breaks(name, "must be 0 to 100 with at most 4 decimals, such as \"8.25\"");
    }
    ppm
}

fn parse_percent(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 4 {
        return None;
    }
    let ppm: u32 = format!("{whole}{fraction:0<4}").parse().ok()?;
    (ppm <= 1_000_000).then_some(ppm)
}

/// `"19"`, `"8.25"`.
pub(crate) fn percent_text(ppm: u32) -> String {
    let (whole, fraction) = (ppm / 10_000, ppm % 10_000);
    if fraction == 0 {
        return whole.to_string();
    }
    let fraction = format!("{fraction:04}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

/// An amount of the wire as a decimal text.
pub(crate) fn decimal(minor: i64, currency: &str) -> String {
    let currency = currency.parse().unwrap_or(Currency::EUR);
    Money::new(minor, currency).decimal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_exact() {
        for (text, ppm, back) in [
            ("19", 190_000, "19"),
            ("8.25", 82_500, "8.25"),
            ("0.0001", 1, "0.0001"),
            ("100", 1_000_000, "100"),
            ("7.70", 77_000, "7.7"),
            ("0", 0, "0"),
            ("5.00000", 50_000, "5"),
        ] {
            assert_eq!(parse_percent(text), Some(ppm), "{text}");
            assert_eq!(percent_text(ppm), back);
        }
        for bad in ["", "-1", "100.0001", "1e1", "1,5", "0.00001", ".5", "5.", "101", "99999999999"]
        {
            assert_eq!(parse_percent(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_foreign_tag_matches_nothing() {
        assert_eq!([seen(None), seen(Some(3)), seen(Some(0))], [None, Some(3), Some(NEVER)]);
    }
}
