//! The rules of buying; no I/O.
pub(crate) mod address;
pub(crate) mod card;
pub(crate) mod cart;
pub(crate) mod change;
pub(crate) mod coupon;
pub(crate) mod goods;
pub(crate) mod order;
pub(crate) mod payment;
pub(crate) mod pricing;
pub(crate) mod shipping;
pub(crate) mod tax;
