//! What documented card numbers do.
use crate::domain::payment::State;
use crate::domain::payment::number::CardNumber;

/// What a documented card number does. Table: `docs/payments.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Fine,
    Declined,
    InsufficientFunds,
    ExpiredCard,
    /// The buyer has to approve.
    SecondStep,
    /// Charges, and then the answer gets lost.
    LosesAuthorisation,
    LosesCapture,
    /// Every authorisation fails before anything happened.
    Fails,
    /// Each call fails the first time.
    FailsOnce,
    /// Its webhook comes before the answer.
    TellsFirst,
}

/// Stripe's documented numbers, then our own.
const NUMBERS: [(&str, Behaviour); 9] = [
    ("4000000000000002", Behaviour::Declined),
    ("4000000000009995", Behaviour::InsufficientFunds),
    ("4000000000000069", Behaviour::ExpiredCard),
    ("4000002500003155", Behaviour::SecondStep),
    ("4000000000007007", Behaviour::LosesAuthorisation),
    ("4000000000007015", Behaviour::LosesCapture),
    ("4000000000007023", Behaviour::Fails),
    ("4000000000007031", Behaviour::FailsOnce),
    ("4000000000007049", Behaviour::TellsFirst),
];

impl Behaviour {
    const ALL: [Self; 10] = [
        Self::Fine,
        Self::Declined,
        Self::InsufficientFunds,
        Self::ExpiredCard,
        Self::SecondStep,
        Self::LosesAuthorisation,
        Self::LosesCapture,
        Self::Fails,
        Self::FailsOnce,
        Self::TellsFirst,
    ];

    /// All other numbers are fine.
    pub(crate) fn of(number: &CardNumber) -> Self {
        let known = NUMBERS.iter().find(|(documented, _)| number.is(documented));
        known.map_or(Self::Fine, |(_, behaviour)| *behaviour)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Declined => "card_declined",
            Self::InsufficientFunds => "insufficient_funds",
            Self::ExpiredCard => "expired_card",
            Self::SecondStep => "second_step",
            Self::LosesAuthorisation => "loses_authorisation",
            Self::LosesCapture => "loses_capture",
            Self::Fails => "fails",
            Self::FailsOnce => "fails_once",
            Self::TellsFirst => "tells_first",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|behaviour| behaviour.as_str() == text)
    }

    /// Where its payments go first.
    pub(super) fn first_state(self) -> State {
        match self {
            Self::Declined | Self::InsufficientFunds | Self::ExpiredCard => State::Declined,
            Self::SecondStep => State::RequiresAction,
            _ => State::Authorised,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_numbers_are_good_numbers() {
        for (text, behaviour) in NUMBERS {
            let number = CardNumber::parse(text);
            assert_eq!(number.as_ref().map(Behaviour::of), Ok(behaviour), "{text}");
        }
        for text in ["4242424242424242", "5555555555554444"] {
            let number = CardNumber::parse(text);
            assert_eq!(number.as_ref().map(Behaviour::of), Ok(Behaviour::Fine), "{text}");
        }
    }
}
