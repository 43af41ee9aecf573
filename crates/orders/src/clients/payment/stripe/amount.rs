//! Amounts as Stripe counts them: whole units of its own choice per currency.
use souk_values::{Currency, Money};

/// <https://docs.stripe.com/currencies>: counted without decimals.
const NO_DECIMALS: [&str; 15] = [
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
/// Counted with three decimals, of which the last is 0.
const THREE_DECIMALS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];
/// Has no decimals but is counted with two, which are 0.
const TWO_BY_HISTORY: [&str; 2] = ["ISK", "UGX"];

/// `None`: Stripe cannot take this amount.
pub(super) fn to_stripe(amount: Money) -> Option<i64> {
    let code = amount.currency.as_str();
    let scaled = rescale(amount.minor, amount.currency.exponent(), exponent(code))?;
    let step = if THREE_DECIMALS.contains(&code) {
        10
    } else if TWO_BY_HISTORY.contains(&code) {
        100
    } else {
        1
    };
    (scaled % step == 0).then_some(scaled)
}

/// `None`: we cannot count this amount.
pub(super) fn from_stripe(amount: i64, currency: Currency) -> Option<i64> {
    rescale(amount, exponent(currency.as_str()), currency.exponent())
}

fn exponent(code: &str) -> u32 {
    if NO_DECIMALS.contains(&code) {
        0
    } else if THREE_DECIMALS.contains(&code) {
        3
    } else {
        2
    }
}

/// Exactly, or not at all.
fn rescale(amount: i64, from: u32, to: u32) -> Option<i64> {
    if to >= from {
        return amount.checked_mul(10_i64.checked_pow(to - from)?);
    }
    let divisor = 10_i64.checked_pow(from - to)?;
    (amount % divisor == 0).then_some(amount / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_counted_as_stripe_documents_it() {
        for (code, minor, stripe) in [
            ("EUR", 1099, Some(1099)),
            ("JPY", 500, Some(500)),
            ("KWD", 5120, Some(5120)),
            ("KWD", 5124, None),
            // here without decimals, there with two that are 0
            ("ISK", 5, Some(500)),
            ("UGX", 5, Some(500)),
            // here with two decimals, there without
            ("MGA", 500, Some(5)),
            ("MGA", 550, None),
        ] {
            let currency: Currency = code.parse().unwrap();
            assert_eq!(to_stripe(Money::new(minor, currency)), stripe, "{code} {minor}");
            if let Some(stripe) = stripe {
                assert_eq!(from_stripe(stripe, currency), Some(minor), "{code} {stripe}");
            }
        }
        assert_eq!(from_stripe(501, "ISK".parse().unwrap()), None);
        assert_eq!(to_stripe(Money::new(i64::MAX, "ISK".parse().unwrap())), None);
    }
}
