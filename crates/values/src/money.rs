//! Money: whole minor units with a currency (ISO 4217). No float touches it.
use std::fmt;
use std::str::FromStr;

/// Largest price Souk takes: a trillion minor units keeps sums of a million lines inside `i64`.
const MAX_MINOR: i64 = 1_000_000_000_000;

/// Active ISO 4217 codes of currencies that people pay with.
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN \
BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS \
GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD \
KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR \
NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER \
ZAR ZMW ZWG";
const NO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";

/// An ISO 4217 alphabetic code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not an ISO 4217 currency code")]
pub struct CurrencyError;

impl Currency {
    pub const EUR: Self = Self(*b"EUR");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point: 0, 2 or 3.
    pub fn exponent(&self) -> u32 {
        if NO_DECIMALS.contains(self.as_str()) {
            0
        } else if THREE_DECIMALS.contains(self.as_str()) {
            3
        } else {
            2
        }
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;
    /// Upper case only, as the standard writes it.
    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        let known = code.iter().all(u8::is_ascii_uppercase) && CODES.split(' ').any(|c| c == text);
        if known { Ok(Self(code)) } else { Err(CurrencyError) }
    }
}
impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (cents for EUR, yen for JPY).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MoneyError {
    #[error("is not a decimal number such as \"39.99\"")]
    NotANumber,
    #[error("has more decimals than {0} allows ({1})")]
    TooFine(Currency, u32),
    #[error("must not be negative")]
    Negative,
    #[error("is too large")]
    TooLarge,
}

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads a price such as `39.99`, exactly. Trailing zeros beyond the currency's decimals are
    /// fine (`5.000` EUR); exponents (`1e3`), signs, separators and blanks are not.
    pub fn parse_price(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let (digits, negative) = match text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(MoneyError::NotANumber);
        }
        let exponent = currency.exponent();
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > exponent as usize {
            return Err(MoneyError::TooFine(currency, exponent));
        }
        let padded = format!("{whole}{fraction:0<width$}", width = exponent as usize);
        let minor: i64 = padded.parse().map_err(|_| MoneyError::TooLarge)?;
        if negative && minor != 0 {
            return Err(MoneyError::Negative);
        }
        if minor > MAX_MINOR {
            return Err(MoneyError::TooLarge);
        }
        Ok(Self { minor, currency })
    }

    /// The amount as a decimal number without the currency, `"39.99"`.
    pub fn decimal(&self) -> String {
        let exponent = self.currency.exponent();
        let scale = 10_u64.pow(exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let minor = self.minor.unsigned_abs();
        if exponent == 0 {
            format!("{sign}{minor}")
        } else {
            format!("{sign}{}.{:0width$}", minor / scale, minor % scale, width = exponent as usize)
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(text: &str) -> Result<i64, MoneyError> {
        Money::parse_price(text, Currency::EUR).map(|m| m.minor)
    }

    #[test]
    fn prices_are_read_exactly() {
        for (text, minor) in
            [("39.99", 3999), ("0", 0), ("5", 500), ("5.000", 500), ("0.1", 10), ("-0.00", 0)]
        {
            assert_eq!(eur(text), Ok(minor), "{text}");
        }
        let jpy: Currency = "JPY".parse().unwrap();
        assert_eq!(Money::parse_price("150", jpy).unwrap().minor, 150);
        assert_eq!(Money::parse_price("1.5", jpy), Err(MoneyError::TooFine(jpy, 0)));
        let kwd: Currency = "KWD".parse().unwrap();
        assert_eq!(Money::parse_price("1.234", kwd).unwrap().minor, 1234);
    }

    #[test]
    fn what_is_no_price_is_refused() {
        assert_eq!(eur("-1"), Err(MoneyError::Negative));
        assert_eq!(eur("19.999"), Err(MoneyError::TooFine(Currency::EUR, 2)));
        assert_eq!(eur("99999999999999999999"), Err(MoneyError::TooLarge));
        for bad in ["", "abc", "1e400", "1e2", "1,5", " 1", "+1", ".5", "5.", "NaN", "0x10", "١"] {
            assert_eq!(eur(bad), Err(MoneyError::NotANumber), "{bad}");
        }
    }

    #[test]
    fn only_iso_codes_are_currencies() {
        for bad in ["eur", "EU", "EURO", "XXX", "ZZZ", "", "E R"] {
            assert_eq!(bad.parse::<Currency>(), Err(CurrencyError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_reads_back(minor in 0..MAX_MINOR, code in "EUR|JPY|KWD") {
            let money = Money::new(minor, code.parse().unwrap());
            prop_assert_eq!(Money::parse_price(&money.decimal(), money.currency), Ok(money));
        }
    }
}
