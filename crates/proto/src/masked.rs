//! Messages that must not print what they carry.
use std::fmt;

use crate::orders::v1::CreatePaymentMethodRequest;

impl fmt::Debug for CreatePaymentMethodRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CreatePaymentMethodRequest(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_does_not_print() {
        let request = CreatePaymentMethodRequest {
            number: "4242424242424242".to_owned(),
            exp_month: 12,
            exp_year: 2040,
            cvc: "123".to_owned(),
            idempotency_key: String::new(),
        };
        assert_eq!(format!("{request:?}"), "CreatePaymentMethodRequest(****)");
    }
}
