//! The books of the test provider: what its cards do, what a call changes. Pure: rows in, rows
//! out.
mod behaviour;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike, Utc};

pub(crate) use behaviour::Behaviour;

use super::{Authorise, ProviderError, ProviderPayment, State};

/// A card behind a token: all that is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Card {
    /// `pm_…`
    pub(crate) token: String,
    pub(crate) user_id: String,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) exp_month: u32,
    pub(crate) exp_year: u32,
    pub(crate) behaviour: Behaviour,
    pub(crate) created_at: DateTime<Utc>,
}

impl Card {
    /// A card is good to the end of its month.
    pub(crate) fn has_expired(&self, now: DateTime<Utc>) -> bool {
        has_expired(self.exp_month, self.exp_year, now)
    }
}

pub(crate) fn has_expired(month: u32, year: u32, now: DateTime<Utc>) -> bool {
    let this_year = now.year().unsigned_abs();
    (year, month) < (this_year, now.month())
}

/// A payment as the provider keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) fact: ProviderPayment,
    pub(crate) user_id: String,
    pub(crate) behaviour: Behaviour,
}

/// What was answered to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) fingerprint: String,
    /// `None`: the first try failed, the next one is done.
    pub(crate) answer: Option<Answer>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Payment(ProviderPayment),
    Refused(String),
}

/// A call that changes something, with its key.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) key: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Authorise(Authorise),
    Capture {
        reference: String,
    },
    Void {
        reference: String,
    },
    Refund {
        reference: String,
        minor: i64,
    },
    /// The buyer's second step; carries no key.
    Complete {
        reference: String,
        approve: bool,
    },
}

impl Call {
    /// All that must be the same for the same key.
    fn fingerprint(&self) -> String {
        match &self.what {
            What::Authorise(a) => {
                format!("authorise {} {} {} {}", a.order_id, a.user_id, a.method, a.amount)
            }
            What::Capture { reference } => format!("capture {reference}"),
            What::Void { reference } => format!("void {reference}"),
            What::Refund { reference, minor } => format!("refund {reference} {minor}"),
            What::Complete { reference, approve } => format!("complete {reference} {approve}"),
        }
    }
}

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Result<ProviderPayment, ProviderError>,
    /// The webhook that has to arrive before the answer does.
    pub(crate) tell_first: Option<String>,
    /// There is a webhook to be sent.
    pub(crate) tells: bool,
}

/// The rows that a batch of calls needs, and what the calls change of them.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) cards: HashMap<String, Card>,
    pub(crate) payments: BTreeMap<String, Entry>,
    pub(crate) calls: HashMap<String, Kept>,
    /// References of payments that are new or changed, keys that were answered.
    pub(crate) changed: BTreeSet<String>,
    pub(crate) answered: BTreeSet<String>,
    /// Those of them whose first try had failed.
    pub(crate) retried: BTreeSet<String>,
    /// What was given back now: reference and minor units.
    pub(crate) refunds: Vec<(String, i64)>,
    /// Webhooks to be sent: id and reference.
    pub(crate) webhooks: Vec<(String, String)>,
    /// A test card pays for orders that name no method.
    pub(crate) default_method: bool,
}

impl Book {
    pub(crate) fn perform(
        &mut self,
        call: &Call,
        fresh_id: impl Fn() -> String,
        now: DateTime<Utc>,
    ) -> Outcome {
        let fingerprint = call.fingerprint();
        let kept = self.calls.get(&call.key).filter(|_| !call.key.is_empty());
        if let Some(kept) = kept {
            if kept.fingerprint != fingerprint {
                return refused("idempotency_key_reused");
            }
            if let Some(answer) = &kept.answer {
                return Outcome::of(answer.clone().into());
            }
        }
        let behaviour = self.behaviour(call);
        let second_try = kept.is_some();
        if second_try {
            self.retried.insert(call.key.clone());
        }
        if behaviour == Behaviour::Fails && matches!(call.what, What::Authorise(_)) {
            return lost("status 503");
        }
        if behaviour == Behaviour::FailsOnce && !second_try && !call.key.is_empty() {
            self.keep(call, Kept { fingerprint, answer: None });
            return lost("status 503");
        }
        let answer = self.change(call, &fresh_id, now);
        self.keep(call, Kept { fingerprint, answer: Some(answer.clone()) });
        let Answer::Payment(fact) = &answer else {
            return Outcome::of(answer.into());
        };
        let loses = match call.what {
            What::Authorise(_) => behaviour == Behaviour::LosesAuthorisation,
            What::Capture { .. } => behaviour == Behaviour::LosesCapture,
            _ => false,
        };
        let first = behaviour == Behaviour::TellsFirst;
        // an answer that arrives says it all; whoever may have missed it is told
        let tells = first || loses || matches!(call.what, What::Complete { .. });
        let event = tells.then(|| format!("evt_{}", fresh_id()));
        self.webhooks.extend(event.iter().map(|id| (id.clone(), fact.reference.clone())));
        if loses {
            return Outcome { tells, ..lost("timed out") };
        }
        Outcome { answer: answer.into(), tell_first: event.filter(|_| first), tells }
    }

    fn behaviour(&self, call: &Call) -> Behaviour {
        let known = match &call.what {
            What::Authorise(ask) => {
                let own = self.cards.get(&ask.method).filter(|card| card.user_id == ask.user_id);
                own.map(|card| card.behaviour)
            }
            What::Capture { reference }
            | What::Void { reference }
            | What::Refund { reference, .. }
            | What::Complete { reference, .. } => self.payments.get(reference).map(|e| e.behaviour),
        };
        known.unwrap_or(Behaviour::Fine)
    }

    fn keep(&mut self, call: &Call, kept: Kept) {
        if !call.key.is_empty() {
            self.calls.insert(call.key.clone(), kept);
            self.answered.insert(call.key.clone());
        }
    }

    fn change(
        &mut self,
        call: &Call,
        fresh_id: &impl Fn() -> String,
        now: DateTime<Utc>,
    ) -> Answer {
        let reference = match &call.what {
            What::Authorise(ask) => return self.authorise(ask, fresh_id, now),
            What::Capture { reference }
            | What::Void { reference }
            | What::Refund { reference, .. }
            | What::Complete { reference, .. } => reference,
        };
        let Some(entry) = self.payments.get_mut(reference) else {
            return Answer::Refused("payment_not_found".to_owned());
        };
        let fact = &mut entry.fact;
        let done = match &call.what {
            What::Authorise(_) => Ok(()),
            What::Capture { .. } => capture(fact),
            What::Void { .. } => void(fact),
            What::Refund { minor, .. } => refund(fact, *minor),
            What::Complete { approve, .. } => complete(fact, *approve),
        };
        match done {
            Ok(()) => {
                if let What::Refund { minor, .. } = call.what {
                    self.refunds.push((reference.clone(), minor));
                }
                self.changed.insert(reference.clone());
                Answer::Payment(fact.clone())
            }
            Err(code) => Answer::Refused(code.to_owned()),
        }
    }

    fn authorise(
        &mut self,
        ask: &Authorise,
        fresh_id: &impl Fn() -> String,
        now: DateTime<Utc>,
    ) -> Answer {
        let (brand, last4, behaviour) = if ask.method.is_empty() {
            if !self.default_method {
                return Answer::Refused("payment_method_required".to_owned());
            }
            ("visa".to_owned(), "4242".to_owned(), Behaviour::Fine)
        } else {
            let own = self.cards.get(&ask.method);
            let own = own.filter(|card| card.user_id == ask.user_id && !card.has_expired(now));
            match own {
                Some(card) => (card.brand.clone(), card.last4.clone(), card.behaviour),
                None => return Answer::Refused("payment_method_not_found".to_owned()),
            }
        };
        if ask.amount.minor <= 0 {
            return Answer::Refused("amount_invalid".to_owned());
        }
        let state = behaviour.first_state();
        let reference = format!("pay_{}", fresh_id());
        let declined = state == State::Declined;
        let waits = state == State::RequiresAction;
        let fact = ProviderPayment {
            reference: reference.clone(),
            order_id: ask.order_id.clone(),
            state,
            amount: ask.amount,
            captured: 0,
            refunded: 0,
            brand,
            last4,
            decline_code: if declined { behaviour.as_str().to_owned() } else { String::new() },
            action_url: if waits { second_step(&ask.order_id) } else { String::new() },
            created_at: now,
        };
        let entry = Entry { fact: fact.clone(), user_id: ask.user_id.clone(), behaviour };
        self.changed.insert(reference.clone());
        self.payments.insert(reference, entry);
        Answer::Payment(fact)
    }
}

/// Where the buyer approves.
fn second_step(order_id: &str) -> String {
    format!("/api/orders/{order_id}/payment/complete")
}

fn capture(fact: &mut ProviderPayment) -> Result<(), &'static str> {
    match fact.state {
        State::Captured => Ok(()),
        State::Authorised => {
            fact.state = State::Captured;
            fact.captured = fact.amount.minor;
            Ok(())
        }
        State::Voided => Err("payment_voided"),
        _ => Err("payment_not_authorised"),
    }
}

fn void(fact: &mut ProviderPayment) -> Result<(), &'static str> {
    match fact.state {
        State::Captured => Err("payment_captured"),
        // nothing is held
        State::Voided | State::Declined => Ok(()),
        _ => {
            fact.state = State::Voided;
            Ok(())
        }
    }
}

fn refund(fact: &mut ProviderPayment, minor: i64) -> Result<(), &'static str> {
    let left = fact.captured - fact.refunded;
    if fact.state != State::Captured {
        return Err("payment_not_captured");
    }
    if minor <= 0 || minor > left {
        return Err("refund_too_large");
    }
    fact.refunded += minor;
    Ok(())
}

fn complete(fact: &mut ProviderPayment, approve: bool) -> Result<(), &'static str> {
    match (fact.state, approve) {
        (State::RequiresAction, true) => fact.state = State::Authorised,
        (State::RequiresAction, false) => {
            fact.state = State::Declined;
            "authentication_failed".clone_into(&mut fact.decline_code);
        }
        // clicked twice
        (State::Authorised | State::Captured, true) | (State::Declined, false) => {}
        _ => return Err("no_second_step"),
    }
    Ok(())
}

impl From<Answer> for Result<ProviderPayment, ProviderError> {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Payment(fact) => Ok(fact),
            Answer::Refused(code) => Err(ProviderError::Refused { code }),
        }
    }
}

impl Outcome {
    fn of(answer: Result<ProviderPayment, ProviderError>) -> Self {
        Self { answer, tell_first: None, tells: false }
    }
}

fn refused(code: &str) -> Outcome {
    Outcome::of(Err(ProviderError::Refused { code: code.to_owned() }))
}

fn lost(why: &str) -> Outcome {
    Outcome::of(Err(ProviderError::Unknown(why.to_owned())))
}
