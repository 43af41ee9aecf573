//! What names a person beside their account's own rows, which go with it.

use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::UserId;

use super::{block, data_request, idempotency, mail_request, registration, session};

/// Every session that is still known, oldest first.
pub(crate) async fn sessions(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Vec<session::Model>, DbErr> {
    let own = session::Entity::find().filter(session::Column::AccountId.eq(account));
    own.order_by_asc(session::Column::Id).all(db).await
}

/// Every block that is still known, oldest first.
pub(crate) async fn blocks(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Vec<block::Model>, DbErr> {
    let own = block::Entity::find().filter(block::Column::AccountId.eq(account));
    own.order_by_asc(block::Column::Id).all(db).await
}

/// Letters that were asked for, oldest first.
pub(crate) async fn letters(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Vec<mail_request::Model>, DbErr> {
    let own = mail_request::Entity::find().filter(mail_request::Column::AccountId.eq(account));
    own.order_by_asc(mail_request::Column::Id).all(db).await
}

/// Addresses, other than the account's, to which letters for it went.
pub(crate) async fn letter_addresses(
    db: &impl ConnectionTrait,
    account: UserId,
) -> Result<Vec<String>, DbErr> {
    mail_request::Entity::find()
        .select_only()
        .column(mail_request::Column::Email)
        .filter(mail_request::Column::AccountId.eq(account))
        .filter(mail_request::Column::Email.is_not_null())
        .into_tuple()
        .all(db)
        .await
}

/// Removes what waits under these addresses (`folded` as they are compared), what repeats requests
/// that made the account, and its files. Answers how many rows.
pub(crate) async fn forget(
    tx: &Tx,
    account: UserId,
    emails: &[String],
    folded: &[String],
) -> Result<u64, DbErr> {
    let waiting = registration::Entity::delete_many()
        .filter(registration::Column::EmailFolded.is_in(folded.iter().map(String::as_str)));
    let letters = mail_request::Entity::delete_many()
        .filter(mail_request::Column::Email.is_in(emails.iter().map(String::as_str)));
    let keys =
        idempotency::Entity::delete_many().filter(idempotency::Column::AccountId.eq(account));
    let files = data_request::forget_exports(tx, account).await?;
    Ok(files
        + waiting.exec(tx).await?.rows_affected
        + letters.exec(tx).await?.rows_affected
        + keys.exec(tx).await?.rows_affected)
}
