//! The tables of the test provider. Part of the provider, not of our books.
mod call;
mod card;
mod webhook;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, Condition, QueryOrder, QuerySelect};
use souk_storage::{Database, Tx};

pub(crate) use call::{forget as forget_calls, forget_of as forget_calls_of};
pub(crate) use card::{
    by_token as card_by_token, insert as insert_card, is_of as is_card_of, of_user as cards_of,
    remove as remove_card, remove_of_user as remove_cards_of,
};
pub(crate) use webhook::{
    Webhook, due as due_webhooks, is_to_be_sent, postpone as postpone_webhook,
    remove as remove_webhooks,
};

use super::{money, state};
use crate::domain::payment::ProviderPayment;
use crate::domain::payment::book::{Behaviour, Book, Call, Entry, What};
use crate::store::order::fresh;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "test_payment")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) reference: String,
    pub(crate) order_id: String,
    pub(crate) user_id: String,
    pub(crate) state: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) decline_code: String,
    pub(crate) action_url: String,
    pub(crate) behaviour: String,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod refund {
    //! What was given back.
    use chrono::{DateTime, Utc};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "test_refund")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) reference: String,
        pub(crate) amount: i64,
        pub(crate) created_at: DateTime<Utc>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The rows that these calls need; payments are held until the transaction ends.
pub(crate) async fn load_book(tx: &Tx, calls: &[Call]) -> Result<Book, DbErr> {
    let mut book = Book::default();
    let keys: BTreeSet<&str> =
        calls.iter().map(|call| call.key.as_str()).filter(|key| !key.is_empty()).collect();
    book.calls = call::find(tx, keys).await?;
    let (mut tokens, mut references) = (BTreeSet::new(), BTreeSet::new());
    for call in calls {
        match &call.what {
            What::Authorise(ask) if ask.method.is_empty() => {}
            What::Authorise(ask) => _ = tokens.insert(ask.method.as_str()),
            What::Capture { reference }
            | What::Void { reference }
            | What::Refund { reference, .. }
            | What::Complete { reference, .. } => _ = references.insert(reference.as_str()),
        }
    }
    if !tokens.is_empty() {
        let cards = card::find(tx, tokens).await?;
        book.cards = cards.into_iter().map(|card| (card.token.clone(), card)).collect();
    }
    if !references.is_empty() {
        let rows = Entity::find()
            .filter(Column::Reference.is_in(references))
            .order_by_asc(Column::Reference)
            .lock_exclusive()
            .all(tx)
            .await?;
        for row in rows {
            let entry = read(row)?;
            book.payments.insert(entry.fact.reference.clone(), entry);
        }
    }
    Ok(book)
}

/// What the calls changed.
pub(crate) async fn save_book(tx: &Tx, book: &Book, now: DateTime<Utc>) -> Result<(), DbErr> {
    let changed: Vec<ActiveModel> =
        book.changed.iter().filter_map(|r| book.payments.get(r)).map(row).collect();
    if !changed.is_empty() {
        let moving = [Column::State, Column::Captured, Column::Refunded, Column::DeclineCode];
        let every = OnConflict::column(Column::Reference).update_columns(moving).to_owned();
        Entity::insert_many(changed).on_conflict(every).exec_without_returning(tx).await?;
    }
    if !book.refunds.is_empty() {
        let rows = book.refunds.iter().map(|(reference, amount)| refund::ActiveModel {
            id: Set(Uuid::now_v7()),
            reference: Set(reference.clone()),
            amount: Set(*amount),
            created_at: Set(now),
        });
        refund::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    call::save(tx, book, now).await?;
    webhook::insert(tx, &book.webhooks, now).await
}

/// One payment with its owner.
pub(crate) async fn find(db: &Database, reference: &str) -> Result<Option<Entry>, DbErr> {
    let found = Entity::find_by_id(reference).one(fresh(db)).await?;
    found.map(read).transpose()
}

/// The newest payment of an order.
pub(crate) async fn find_of_order(db: &Database, order_id: &str) -> Result<Option<Entry>, DbErr> {
    let own = Entity::find().filter(Column::OrderId.eq(order_id));
    let found = own.order_by_desc(Column::CreatedAt).one(fresh(db)).await?;
    found.map(read).transpose()
}

/// Payments made since then, oldest first, after the cursor.
pub(crate) async fn list(
    db: &Database,
    since: DateTime<Utc>,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<ProviderPayment>, DbErr> {
    let mut select = Entity::find().filter(Column::CreatedAt.gte(since));
    if let Some(after) = after {
        let last = Entity::find_by_id(after).one(db.read()).await?;
        let Some(last) = last else { return Ok(Vec::new()) };
        let same = Condition::all()
            .add(Column::CreatedAt.eq(last.created_at))
            .add(Column::Reference.gt(last.reference));
        let later = Condition::any().add(Column::CreatedAt.gt(last.created_at)).add(same);
        select = select.filter(later);
    }
    let rows = select.order_by_asc(Column::CreatedAt).order_by_asc(Column::Reference);
    let rows = rows.limit(limit).all(db.read()).await?;
    rows.into_iter().map(|row| Ok(read(row)?.fact)).collect()
}

fn row(entry: &Entry) -> ActiveModel {
    let fact = &entry.fact;
    ActiveModel {
        reference: Set(fact.reference.clone()),
        order_id: Set(fact.order_id.clone()),
        user_id: Set(entry.user_id.clone()),
        state: Set(fact.state.as_str().to_owned()),
        amount: Set(fact.amount.minor),
        currency: Set(fact.amount.currency.to_string()),
        captured: Set(fact.captured),
        refunded: Set(fact.refunded),
        brand: Set(fact.brand.clone()),
        last4: Set(fact.last4.clone()),
        decline_code: Set(fact.decline_code.clone()),
        action_url: Set(fact.action_url.clone()),
        behaviour: Set(entry.behaviour.as_str().to_owned()),
        created_at: Set(fact.created_at),
    }
}

fn read(row: Model) -> Result<Entry, DbErr> {
    let behaviour = behaviour(&row.behaviour)?;
    let fact = ProviderPayment {
        state: state(&row.state)?,
        amount: money(row.amount, &row.currency)?,
        reference: row.reference,
        order_id: row.order_id,
        captured: row.captured,
        refunded: row.refunded,
        brand: row.brand,
        last4: row.last4,
        decline_code: row.decline_code,
        action_url: row.action_url,
        created_at: row.created_at,
    };
    Ok(Entry { fact, user_id: row.user_id, behaviour })
}

fn behaviour(text: &str) -> Result<Behaviour, DbErr> {
    Behaviour::parse(text).ok_or_else(|| DbErr::Type(format!("{text:?} is no behaviour")))
}
