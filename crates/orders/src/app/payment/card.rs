//! Cards of the test provider.
use chrono::Datelike;
use sha2::{Digest, Sha256};
use souk_rpc::Violation;
use souk_values::UserId;
use uuid::Uuid;

use crate::app::App;
use crate::app::order::{Once, Trace};
use crate::clients::payment::TestProvider;
use crate::domain::card::looks_like_card;
use crate::domain::payment::book::{Behaviour, Card, has_expired};
use crate::domain::payment::number::CardNumber;
use crate::error::Error;
use crate::store::answer::{self, Claim};
use crate::store::order::fresh;

/// Turns a card into the bytes that are kept for its key.
pub(crate) type Encode = fn(&Card) -> Vec<u8>;

/// Cards are good for years, not for decades.
const LONGEST_YEARS: u32 = 30;

/// A card as its owner typed it.
pub(crate) struct Typed {
    pub(crate) number: String,
    pub(crate) exp_month: u32,
    /// Four digits, or the last two.
    pub(crate) exp_year: u32,
    pub(crate) cvc: String,
}

/// Checks a card and keeps what may be kept of it, behind a token. The same key (empty: none) with
/// the same card gets the same bytes, and keeps nothing more.
pub(crate) async fn create(
    app: &App,
    user: UserId,
    typed: Typed,
    key: String,
    encode: Encode,
) -> Result<Vec<u8>, Error> {
    keeper(app)?;
    let now = app.clock.now();
    let mut broken = Vec::new();
    let number = CardNumber::parse(&typed.number);
    if let Err(why) = &number {
        broken.push(Violation::new("number", why));
    }
    let year = if typed.exp_year < 100 { typed.exp_year + 2000 } else { typed.exp_year };
    let last = now.year().unsigned_abs() + LONGEST_YEARS;
    if !(1..=12).contains(&typed.exp_month) {
        broken.push(Violation::new("exp_month", "must be between 1 and 12"));
    } else if has_expired(typed.exp_month, year, now) {
        broken.push(Violation::new("exp_year", "the card has expired"));
    }
    if year > last {
        broken.push(Violation::new("exp_year", format!("must be at most {last}")));
    }
    let length = number.as_ref().map_or(3, CardNumber::cvc_length);
    let digits = typed.cvc.bytes().all(|b| b.is_ascii_digit());
    if !digits || typed.cvc.len() != length {
        broken.push(Violation::new("cvc", format!("must be {length} digits")));
    }
    let number = match number {
        Ok(number) if broken.is_empty() => number,
        _ => return Err(Error::Invalid(broken)),
    };
    let card = Card {
        token: token(Uuid::new_v4),
        user_id: user.to_string(),
        brand: number.brand().to_owned(),
        last4: number.last4().to_owned(),
        exp_month: typed.exp_month,
        exp_year: year,
        behaviour: Behaviour::of(&number),
        created_at: now,
    };
    let once = (!key.is_empty()).then(|| Once { key, fingerprint: fingerprint(&card) });
    if let Some(answer) = repeated(app, user, once.as_ref()).await? {
        return Ok(answer);
    }
    let answer = encode(&card);
    let tx = app.db.begin().await?;
    if let Some(Once { key, fingerprint }) = &once {
        let claim = Claim {
            user_id: user,
            key: key.clone(),
            fingerprint: fingerprint.clone(),
            order_id: None,
            trace_id: Trace::current().id,
        };
        if answer::claim(&tx, &[claim], now).await? != [true] {
            drop(tx);
            // its twin was faster, and has committed
            return repeated(app, user, once.as_ref()).await?.ok_or(Error::KeyRaced);
        }
        answer::settle(&tx, user, key, answer.clone()).await?;
    }
    if !TestProvider::keep_card(&tx, &card).await? {
        return Err(Error::Conflict("too_many_payment_methods", "remove a payment method first"));
    }
    tx.commit().await?;
    Ok(answer)
}

/// What the key was answered before.
async fn repeated(app: &App, user: UserId, once: Option<&Once>) -> Result<Option<Vec<u8>>, Error> {
    let Some(once) = once else { return Ok(None) };
    let found = answer::find(fresh(&app.db), user, &once.key, app.clock.now()).await?;
    let Some(kept) = found else { return Ok(None) };
    if kept.fingerprint != once.fingerprint {
        return Err(Error::KeyReused);
    }
    kept.answer.map(Some).ok_or(Error::KeyRaced)
}

/// What a request is known by: only what is kept of a card anyway. A hash of its number would be the
/// number to whoever tries them all.
fn fingerprint(card: &Card) -> Vec<u8> {
    let Card { brand, last4, exp_month, exp_year, behaviour, .. } = card;
    let behaviour = behaviour.as_str();
    let facts = format!("payment method\n{brand}\n{last4}\n{exp_month}\n{exp_year}\n{behaviour}");
    Sha256::digest(facts).to_vec()
}

/// A card's token: random, and never one that would be taken for a card number where it is used.
fn token(draw: impl Fn() -> Uuid) -> String {
    let tokens = std::iter::repeat_with(|| format!("pm_{}", draw().simple()));
    let mut tokens = tokens.filter(|token| !looks_like_card(token));
    tokens.next().unwrap_or_default()
}

/// The cards of a person, newest first; none where the provider keeps them.
pub(crate) async fn list(app: &App, user: UserId) -> Result<Vec<Card>, Error> {
    match &app.test_provider {
        Some(test) => Ok(test.cards(&user.to_string()).await?),
        None => Ok(Vec::new()),
    }
}

/// Forgets a card.
pub(crate) async fn delete(app: &App, user: UserId, token: &str) -> Result<Card, Error> {
    let gone = keeper(app)?.forget_card(&user.to_string(), token).await?;
    gone.ok_or(Error::NotFound("payment method"))
}

fn keeper(app: &App) -> Result<&TestProvider, Error> {
    app.test_provider.as_ref().ok_or(Error::Conflict(
        "cards_elsewhere",
        "cards are given to the payment provider itself, which answers with a token",
    ))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_token_is_never_taken_for_a_card_number() {
        let like_card = Uuid::from_u128(0xabcd_4242_4242_4242_4242_abcd_abcd_abcd);
        assert!(looks_like_card(&like_card.simple().to_string()));
        let drawn = Cell::new(0);
        let draw = || {
            drawn.set(drawn.get() + 1);
            if drawn.get() < 3 { like_card } else { Uuid::max() }
        };
        assert_eq!(token(draw), format!("pm_{}", "f".repeat(32)));
    }
}
