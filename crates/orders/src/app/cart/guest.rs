//! Guests' carts: made, added to their owner's at login, ended when nobody comes back.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use rand::Rng;
use souk_storage::Database;
use souk_values::{CartId, Clock, UserId};

use crate::app::App;
use crate::domain::cart::{Misfit, Owner};
use crate::error::Error;
use crate::store;

/// Carts that end in one statement.
const AT_ONCE: u64 = 500;

/// A new cart and the secret that opens it, which nobody can read again.
pub(crate) async fn create_guest(app: &App) -> Result<(CartId, String), Error> {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    let secret = URL_SAFE_NO_PAD.encode(bytes);
    let id = CartId::new();
    let tx = app.db.begin().await?;
    store::cart::insert_guest(&tx, id, store::cart::hash(&secret), app.clock.now()).await?;
    tx.commit().await?;
    Ok((id, secret))
}

/// Adds the guest's lines to the user's cart and ends the guest's. A secret that names no cart, or
/// none any more, adds nothing: merging twice is merging once. Carts of two currencies stay two.
pub(crate) async fn merge_guest(app: &App, user: UserId, secret: &str) -> Result<(), Error> {
    let guest = Owner::Guest(store::cart::hash(secret));
    // most that come have merged long ago, and need no transaction
    if store::cart::find(store::cart::newest(&app.db), guest).await?.is_none() {
        return Ok(());
    }
    let (user, now) = (Owner::User(user), app.clock.now());
    let tx = app.db.begin().await?;
    let mut carts = store::cart::hold(&tx, &[user, guest], now).await?;
    let (Some(to), Some(from)) = (carts.remove(&user), carts.remove(&guest)) else {
        // somebody was faster
        return Ok(());
    };
    if let (Some(cart), Some(goods)) = (to.currency, from.currency)
        && cart != goods
    {
        return Err(Misfit::CurrencyMismatch { cart, goods }.into());
    }
    if !from.lines.is_empty() {
        store::cart::move_lines(&tx, from.id, to.id, to.next_position()).await?;
        store::cart::touch(&tx, &[to.id], now).await?;
    }
    store::cart::end(&tx, from.id).await?;
    tx.commit().await?;
    tracing::debug!(lines = from.lines.len(), "guest's cart merged");
    Ok(())
}

/// Ends guests' carts that nobody touched for the days of the setting; answers how many.
pub(crate) async fn end_idle_guests(app: &App) -> Result<u64, Error> {
    end_idle(&app.db, &app.clock, app.config.guest_cart_days).await
}

async fn end_idle(db: &Database, clock: &Clock, days: u32) -> Result<u64, Error> {
    let before = clock.now() - TimeDelta::days(i64::from(days));
    let mut ended = 0;
    loop {
        let some = store::cart::end_idle_guests(db.write(), before, AT_ONCE).await?;
        ended += some;
        if some < AT_ONCE {
            break;
        }
    }
    if ended > 0 {
        tracing::info!(ended, "idle guest carts ended");
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use souk_service::Service;
    use souk_storage::{DatabaseSettings, migrate};

    use super::*;

    async fn guest(db: &Database, clock: &Clock, secret: &str) {
        let tx = db.begin().await.unwrap();
        let hash = store::cart::hash(secret);
        store::cart::insert_guest(&tx, CartId::new(), hash, clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn guests_carts_end_when_nobody_touched_them_and_users_carts_stay() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&DatabaseSettings::default(), dir.path(), "orders").await.unwrap();
        migrate(&db, &[crate::Orders::migrations()]).await.unwrap();
        let clock = Clock::fixed(chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        for number in 0..AT_ONCE + 3 {
            guest(&db, &clock, &format!("old {number}")).await;
        }
        guest(&db, &clock, "came back").await;
        let user = UserId::new();
        let tx = db.begin().await.unwrap();
        store::cart::hold(&tx, &[Owner::User(user)], clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        clock.advance(TimeDelta::days(29));
        assert_eq!(end_idle(&db, &clock, 30).await.unwrap(), 0);
        let tx = db.begin().await.unwrap();
        let back = store::cart::find_of_guest(&tx, "came back").await.unwrap().unwrap();
        store::cart::touch(&tx, &[back.id], clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        guest(&db, &clock, "young").await;
        clock.advance(TimeDelta::days(2));
        assert_eq!(end_idle(&db, &clock, 30).await.unwrap(), AT_ONCE + 3);
        for secret in ["came back", "young"] {
            assert!(store::cart::find_of_guest(db.read(), secret).await.unwrap().is_some());
        }
        assert!(store::cart::find_of_user(db.read(), user).await.unwrap().is_some());
        db.close().await.unwrap();
    }
}
