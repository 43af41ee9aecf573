//! Rows and queries.
pub(crate) mod answer;
pub(crate) mod cart;
pub(crate) mod check;
pub(crate) mod coupon;
pub(crate) mod migrations;
pub(crate) mod order;
pub(crate) mod payment;
pub(crate) mod personal;
pub(crate) mod refund;
pub(crate) mod saga;
pub(crate) mod shipping;
pub(crate) mod tax;
