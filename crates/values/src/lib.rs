//! Words everyone speaks: ids, money, SKU, slug, e-mail address, page cursors, the clock.
//!
//! Parsed once at a door, believed everywhere after. No I/O, no settings.

mod card;
mod clock;
mod country;
mod email;
mod id;
mod money;
mod page;
mod sku;
mod slug;

pub use card::{looks_like_card, passes_luhn};
pub use clock::Clock;
pub use country::is_country;
pub use email::{EmailAddress, EmailError};
pub use id::{
    AddressId, ApiKeyId, AuditId, BlockId, CartId, CategoryId, DeadLetterId, IdError, JobId,
    LetterId, MailRequestId, MovementId, NewsletterId, NotificationId, OrderId, ProductId,
    RefundId, RegistrationId, SessionId, SubscriberId, UserId,
};
pub use money::{Currency, CurrencyError, Money, MoneyError};
pub use page::{Cursor, CursorError, DEFAULT_LIMIT, MAX_LIMIT, Page, PageError};
pub use sku::{Sku, SkuError, fold};
pub use slug::{Slug, SlugError};
