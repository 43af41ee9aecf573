//! Letters to one person, by their id or by addresses of theirs: found, and freed of the person.
use std::collections::BTreeSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Condition, Expr, SimpleExpr};
use sea_orm::{QueryOrder, QuerySelect};
use souk_storage::Tx;
use souk_values::{LetterId, NotificationId, UserId};

use super::{letter, notification, pace, preference};
use crate::domain::letter::{Status, Words};

/// Rows of one statement.
const AT_ONCE: u64 = 100;

/// To whom: an account, and addresses to which letters went before there was one.
pub struct To<'a> {
    pub user: UserId,
    pub emails: &'a BTreeSet<String>,
}

impl To<'_> {
    fn letters(&self) -> Condition {
        any(letter::Column::UserId.eq(self.user), letter::Column::Recipient, self.emails)
    }

    fn notices(&self) -> Condition {
        any(
            notification::Column::UserId.eq(self.user),
            notification::Column::Recipient,
            self.emails,
        )
    }
}

fn any(own: SimpleExpr, recipient: impl ColumnTrait, emails: &BTreeSet<String>) -> Condition {
    Condition::any().add(own).add(recipient.is_in(emails.iter().map(String::as_str)))
}

/// Letters behind that one, oldest first.
pub async fn letters<C: ConnectionTrait>(
    db: &C,
    to: &To<'_>,
    after: Option<LetterId>,
) -> Result<Vec<letter::Model>, DbErr> {
    let mut query = letter::Entity::find().filter(to.letters());
    if let Some(after) = after {
        query = query.filter(letter::Column::Id.gt(after));
    }
    query.order_by_asc(letter::Column::Id).limit(AT_ONCE).all(db).await
}

/// Rows of the ledger behind that one, oldest first.
pub async fn notices<C: ConnectionTrait>(
    db: &C,
    to: &To<'_>,
    after: Option<NotificationId>,
) -> Result<Vec<notification::Model>, DbErr> {
    let mut query = notification::Entity::find().filter(to.notices());
    if let Some(after) = after {
        query = query.filter(notification::Column::Id.gt(after));
    }
    query.order_by_asc(notification::Column::Id).limit(AT_ONCE).all(db).await
}

/// Ids of all letters.
pub async fn letter_ids(tx: &Tx, to: &To<'_>) -> Result<Vec<LetterId>, DbErr> {
    let ids = letter::Entity::find().select_only().column(letter::Column::Id);
    ids.filter(to.letters()).into_tuple().all(tx).await
}

/// Takes the addresses out of letters and ledger, and puts `words` in the place of what letters
/// say; what waits is not sent. Answers how many rows were touched.
pub async fn erase(tx: &Tx, to: &To<'_>, words: &Words, reason: &str) -> Result<u64, DbErr> {
    let waiting = letter::Entity::update_many()
        .col_expr(letter::Column::Status, Expr::value(Status::Suppressed.as_str()))
        .col_expr(letter::Column::NextAt, Expr::value(None::<DateTimeUtc>))
        .col_expr(letter::Column::Reason, Expr::value(reason))
        .filter(to.letters())
        .filter(letter::Column::Status.eq(Status::Queued.as_str()));
    let mut touched = waiting.exec(tx).await?.rows_affected;
    let written = letter::Entity::update_many()
        .col_expr(letter::Column::Subject, Expr::value(words.subject.as_str()))
        .col_expr(letter::Column::Text, Expr::value(words.text.as_str()))
        .col_expr(letter::Column::Html, Expr::value(words.html.as_str()))
        .filter(to.letters())
        .filter(letter::Column::Subject.is_not_null())
        .filter(letter::Column::Subject.ne(words.subject.as_str()));
    touched += written.exec(tx).await?.rows_affected;
    // by their addresses last: letters are found by them
    let told = notification::Entity::update_many()
        .col_expr(notification::Column::Recipient, Expr::value(""))
        .filter(to.notices())
        .filter(notification::Column::Recipient.ne(""));
    touched += told.exec(tx).await?.rows_affected;
    let addressed = letter::Entity::update_many()
        .col_expr(letter::Column::Recipient, Expr::value(""))
        .filter(to.letters())
        .filter(letter::Column::Recipient.ne(""));
    touched += addressed.exec(tx).await?.rows_affected;
    let wishes = preference::Entity::delete_by_id(to.user).exec(tx).await?;
    let pace = pace::Entity::delete_by_id(to.user).exec(tx).await?;
    Ok(touched + wishes.rows_affected + pace.rows_affected)
}
