//! Every event and every durable queue of the house, in one place. Each process declares all of
//! them at start, so that no event is unroutable because its listener has not been started yet.
use crate::QueueSpec;

pub const PRODUCT_CREATED: &str = "souk.catalog.product.created.v1";
pub const PRODUCT_CHANGED: &str = "souk.catalog.product.changed.v1";
pub const PRODUCT_DELETED: &str = "souk.catalog.product.deleted.v1";
pub const PRODUCT_RESTORED: &str = "souk.catalog.product.restored.v1";
pub const STOCK_MOVED: &str = "souk.catalog.stock.moved.v1";
pub const STOCK_LOW: &str = "souk.catalog.stock.low.v1";
pub const USER_CREATED: &str = "souk.accounts.user.created.v1";
pub const USER_CHANGED: &str = "souk.accounts.user.changed.v1";
pub const USER_DELETED: &str = "souk.accounts.user.deleted.v1";
pub const SESSION_ENDED: &str = "souk.accounts.session.ended.v1";
pub const LETTER_REQUESTED: &str = "souk.accounts.letter.requested.v1";
pub const BLOCK_CHANGED: &str = "souk.accounts.block.changed.v1";
pub const ORDER_PLACED: &str = "souk.orders.order.placed.v1";
pub const ORDER_CONFIRMED: &str = "souk.orders.order.confirmed.v1";
pub const ORDER_FAILED: &str = "souk.orders.order.failed.v1";
pub const ORDER_SHIPPED: &str = "souk.orders.order.shipped.v1";
pub const ORDER_DELIVERED: &str = "souk.orders.order.delivered.v1";
pub const ORDER_CANCELLED: &str = "souk.orders.order.cancelled.v1";
pub const ORDER_REFUNDED: &str = "souk.orders.order.refunded.v1";
pub const ORDER_NOTED: &str = "souk.orders.order.noted.v1";
pub const ORDER_REVIEW: &str = "souk.orders.order.review.v1";
pub const PRODUCTS_VIEWED: &str = "souk.gateway.products.viewed.v1";

/// `<service>.<purpose>.v1`; topic patterns as of AMQP 0-9-1 (`*` one word, `#` any number).
pub const QUEUES: &[QueueSpec] = &[
    QueueSpec { name: "notifier.product.v1", bindings: &["catalog.product.*.v1"] },
    QueueSpec { name: "notifier.account.v1", bindings: &["accounts.user.*.v1"] },
    QueueSpec { name: "notifier.letter.v1", bindings: &["accounts.letter.requested.v1"] },
    QueueSpec {
        name: "analytics.product.v1",
        bindings: &["catalog.product.*.v1", "catalog.stock.moved.v1"],
    },
    QueueSpec { name: "analytics.view.v1", bindings: &["gateway.products.viewed.v1"] },
    QueueSpec { name: "analytics.order.v1", bindings: &["orders.order.*.v1"] },
    QueueSpec { name: "notifier.order.v1", bindings: &["orders.order.*.v1"] },
    QueueSpec { name: "notifier.stock.v1", bindings: &["catalog.stock.low.v1"] },
    QueueSpec {
        name: "orders.account.v1",
        bindings: &["accounts.session.ended.v1", "accounts.user.deleted.v1"],
    },
];
