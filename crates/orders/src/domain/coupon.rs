//! Coupons: what they take off, and when they count.
use chrono::{DateTime, Utc};
use souk_values::{Currency, Money};

use super::address::Broken;
use super::change::Refusal;
use super::shipping::MAX_PRICE;
use super::tax::{MAX_PPM, share};

/// What a coupon takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gift {
    /// A part of the goods, in millionths.
    Percent(u32),
    /// At most what the goods cost, minor units.
    Amount(i64),
    FreeShipping,
}

impl Gift {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Percent(_) => "percent",
            Self::Amount(_) => "amount",
            Self::FreeShipping => "free_shipping",
        }
    }
}

/// A coupon as the shop's staff made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coupon {
    /// As [`code`] makes it.
    pub(crate) code: String,
    pub(crate) gift: Gift,
    /// Of the amount and of the minimum.
    pub(crate) currency: Currency,
    /// Goods must cost so much, minor units.
    pub(crate) minimum: Option<i64>,
    /// `None`: at once.
    pub(crate) starts_at: Option<DateTime<Utc>>,
    /// Exclusive. `None`: never.
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) total_limit: Option<i64>,
    pub(crate) customer_limit: Option<i64>,
    pub(crate) active: bool,
    /// By orders that hold it.
    pub(crate) used: i64,
    pub(crate) version: i64,
}

/// The one spelling of a code: `[A-Z0-9_-]{3,40}`, matched without regard to case.
pub(crate) fn code(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let fine = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    ((3..=40).contains(&text.len()) && text.bytes().all(fine)).then_some(text)
}

impl Coupon {
    /// All broken fields at once.
    pub(crate) fn checked(self) -> Result<Self, Broken> {
        let mut broken = Broken::new();
        let mut breaks = |field: &str, must: &str| broken.push((field.to_owned(), must.to_owned()));
        if code(&self.code).as_deref() != Some(self.code.as_str()) {
            breaks("code", "must be 3 to 40 of A-Z, 0-9, hyphen and underscore");
        }
        match self.gift {
            Gift::Percent(ppm) if !(1..=MAX_PPM).contains(&ppm) => {
                breaks("percent", "must be more than 0 and at most 100");
            }
            Gift::Amount(amount) if !(1..=MAX_PRICE).contains(&amount) => {
                breaks("amount", "must be more than 0");
            }
            _ => {}
        }
        if self.minimum.is_some_and(|minor| !(0..=MAX_PRICE).contains(&minor)) {
            breaks("minimum", "must not be negative or so large");
        }
        if let (Some(start), Some(end)) = (self.starts_at, self.ends_at)
            && end <= start
        {
            breaks("ends_at", "must be after starts_at");
        }
        for (field, limit) in
            [("total_limit", self.total_limit), ("customer_limit", self.customer_limit)]
        {
            if limit.is_some_and(|limit| !(1..=1_000_000_000).contains(&limit)) {
                breaks(field, "must be 1 to 1000000000");
            }
        }
        if broken.is_empty() { Ok(self) } else { Err(broken) }
    }

    /// Whether it counts for goods of this price at this moment. Limits are for
    /// [`has_some_left`](Self::has_some_left).
    pub(crate) fn counts(
        &self,
        subtotal: i64,
        currency: Currency,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        self.is_open(now)?;
        let in_money = matches!(self.gift, Gift::Amount(_)) || self.minimum.is_some();
        if in_money && self.currency != currency {
            let sentence = format!("the coupon is for carts in {}", self.currency);
            return Err(Refusal::new("coupon_currency", sentence));
        }
        if let Some(minimum) = self.minimum
            && subtotal < minimum
        {
            let minimum = Money::new(minimum, self.currency);
            let sentence = format!("the coupon is for goods of {minimum} or more");
            return Err(Refusal::new("coupon_minimum", sentence)
                .with("minimum", minimum.decimal())
                .with("currency", currency));
        }
        Ok(())
    }

    fn is_open(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        if !self.active {
            return Err(Refusal::new("coupon_inactive", "the coupon does not count any more"));
        }
        if self.starts_at.is_some_and(|start| now < start) {
            return Err(Refusal::new("coupon_not_started", "the coupon does not count yet"));
        }
        if self.ends_at.is_some_and(|end| now >= end) {
            return Err(Refusal::new("coupon_expired", "the coupon does not count any more"));
        }
        Ok(())
    }

    /// Whether one more order may use it, of a customer whose orders hold it `own` times.
    pub(crate) fn has_some_left(&self, own: i64) -> Result<(), Refusal> {
        if self.total_limit.is_some_and(|limit| self.used >= limit) {
            return Err(Self::used_up());
        }
        if self.customer_limit.is_some_and(|limit| own >= limit) {
            return Err(Self::used_by_customer());
        }
        Ok(())
    }

    /// Why a use was refused that [`counts`](Self::counts) a moment ago.
    pub(crate) fn lost(&self, now: DateTime<Utc>) -> Refusal {
        self.is_open(now).err().unwrap_or_else(Self::used_up)
    }

    pub(crate) fn used_up() -> Refusal {
        Refusal::new("coupon_used_up", "the coupon was used as often as it may be")
    }

    pub(crate) fn used_by_customer() -> Refusal {
        Refusal::new("coupon_used_by_customer", "you used the coupon as often as you may")
    }

    /// What it takes off goods, at most all of it. Percents are rounded half up.
    pub(crate) fn discount(&self, subtotal: i64, currency: Currency) -> i64 {
        match self.gift {
            Gift::Percent(ppm) => share(subtotal, i64::from(ppm), i64::from(MAX_PPM)),
            Gift::Amount(amount) if self.currency == currency => amount.min(subtotal),
            Gift::Amount(_) | Gift::FreeShipping => 0,
        }
    }

    pub(crate) fn ships_free(&self) -> bool {
        self.gift == Gift::FreeShipping
    }
}

#[cfg(test)]
mod tests;
