//! Undoing an order, before the pivot or after a definite refusal to capture: the money is let go,
//! then the goods, then coupon and cart come back. Never forward again.
use serde::{Deserialize, Serialize};
use souk_events::crash;

use super::moves::To;
use super::run::{Flow, Halt, Runner, again, insist};
use crate::domain::change::Refusal;
use crate::domain::order::{State, Undo};
use crate::domain::payment::{self, ProviderError, ProviderPayment};

/// What a saga keeps of why it is undone.
#[derive(Serialize, Deserialize)]
struct Remembered {
    to: String,
    code: String,
    sentence: String,
    facts: std::collections::BTreeMap<String, String>,
    /// The provider may know of a payment.
    paid: bool,
}

pub(super) fn remembered(undo: &Undo, paid: bool) -> serde_json::Value {
    serde_json::json!(Remembered {
        to: undo.to.as_str().to_owned(),
        code: undo.why.code.to_owned(),
        sentence: undo.why.sentence.clone(),
        facts: undo.why.facts.clone(),
        paid,
    })
}

/// Reads what [`remembered`] wrote, and whether the provider may know of a payment.
pub(super) fn recalled(value: Option<serde_json::Value>) -> Option<(Undo, bool)> {
    let kept: Remembered = serde_json::from_value(value?).ok()?;
    // the codes of refusals are a closed list
    let code = CODES.into_iter().find(|code| *code == kept.code)?;
    let why = Refusal { code, sentence: kept.sentence, facts: kept.facts };
    Some((Undo::new(State::parse(&kept.to)?, why), kept.paid))
}

/// Why orders are undone.
pub(crate) const CODES: [&str; 7] = [
    "out_of_stock",
    "price_changed",
    "product_gone",
    "payment_failed",
    "cancelled",
    "action_expired",
    "timed_out",
];

impl Runner {
    pub(super) async fn release(&mut self) -> Result<Flow, Halt> {
        let undo = self.undo.clone().ok_or_else(|| {
            Halt::Impossible("undo_forgotten", "nobody knows why it is undone".to_owned())
        })?;
        let mut review = None;
        if self.asked && self.payment.is_some() {
            review = self.let_money_go().await?;
        }
        crash::point("orders.voided");
        again(|| self.app.catalog.release(self.order.id)).await?;
        crash::point("orders.released");
        self.end(undo, review).await
    }

    pub(super) async fn end(
        &mut self,
        undo: Undo,
        review: Option<&'static str>,
    ) -> Result<Flow, Halt> {
        let moved = self.make(To::End { undo, review }).await?.ok_or(Halt::Lost)?;
        if let Some(why) = review {
            tracing::error!(order.id = %self.order.id, why, "order needs review");
        }
        Ok(Flow::Over(moved.answer))
    }

    /// Voids whatever the provider holds; money that was taken nevertheless goes back, and a
    /// person is told.
    async fn let_money_go(&mut self) -> Result<Option<&'static str>, Halt> {
        let missing = || Halt::Impossible("payment_missing", "the order has no payment".to_owned());
        let known = self.payment.clone().ok_or_else(missing)?;
        if known.reference.is_empty() && known.state == payment::State::Pending {
            // an answer was lost: the same question with the same key tells what became of it
            let ask = payment::Authorise {
                order_id: self.order.id.to_string(),
                user_id: self.order.user_id.to_string(),
                method: known.method.clone(),
                amount: known.amount,
                key: known.authorise_key(),
            };
            match insist(|| self.app.provider.authorise(&ask)).await {
                Ok(fact) => self.learn(fact)?,
                Err(ProviderError::Refused { .. }) => return Ok(None),
                Err(ProviderError::Unknown(error)) => return Err(Halt::Later(error)),
            };
        }
        let known = self.payment.clone().ok_or_else(missing)?;
        let settled = matches!(known.state, payment::State::Declined | payment::State::Voided);
        if !settled && known.state != payment::State::Captured {
            let key = known.void_key();
            match insist(|| self.app.provider.void(&known.reference, &key)).await {
                Ok(fact) => self.learn(fact)?,
                Err(ProviderError::Refused { code }) => {
                    let found = self.app.provider.find(&known.reference).await;
                    match self.provider_says(found)? {
                        Some(fact) => self.learn(fact)?,
                        None => return Err(Halt::Impossible("payment_unknown", code)),
                    }
                }
                Err(ProviderError::Unknown(error)) => return Err(Halt::Later(error)),
            };
        }
        let known = self.payment.clone().ok_or_else(missing)?;
        match known.state {
            payment::State::Declined | payment::State::Voided => Ok(None),
            payment::State::Captured => {
                let left = known.captured.saturating_sub(known.refunded);
                if left > 0 {
                    let fact = self.give_back(&known.reference, left).await?;
                    self.learn(fact)?;
                }
                Ok(Some("refunded_after_undo"))
            }
            state => Err(Halt::Later(format!("voiding left the payment {}", state.as_str()))),
        }
    }

    async fn give_back(&self, reference: &str, minor: i64) -> Result<ProviderPayment, Halt> {
        let key = format!("order:{}:refund:undo", self.order.id);
        self.provider_says(insist(|| self.app.provider.refund(reference, minor, &key)).await)
    }
}
