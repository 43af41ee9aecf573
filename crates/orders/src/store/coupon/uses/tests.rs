//! Limits hold exactly, however many take a coupon at once.
use chrono::TimeDelta;
use sea_orm::ConnectOptions;
use souk_storage::{Database, DatabaseSettings, migrate};
use souk_values::Currency;

use super::*;
use crate::domain::coupon::Gift;
use crate::store::migrations;

struct Place {
    db: Database,
    _dir: tempfile::TempDir,
    server: Option<(String, String)>,
}

impl Place {
    async fn sqlite() -> Self {
        Self::open(DatabaseSettings::default(), None).await
    }

    async fn postgres() -> Self {
        #[allow(clippy::disallowed_methods, reason = "tells tests where the server is")]
        let url = std::env::var("SOUK_TEST_POSTGRES_URL")
            .expect("SOUK_TEST_POSTGRES_URL is not set: start with `cargo xtask test`");
        let name = format!("coupons_{}", Uuid::now_v7().simple());
        run(&url, &format!("CREATE DATABASE {name}")).await;
        let (base, _) = url.rsplit_once('/').unwrap();
        let settings = DatabaseSettings {
            url: format!("{base}/{name}"),
            max_connections: 8,
            ..DatabaseSettings::default()
        };
        Self::open(settings, Some((url, name))).await
    }

    async fn open(settings: DatabaseSettings, server: Option<(String, String)>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open(&settings, dir.path(), "orders").await.unwrap();
        migrate(&db, &[souk_events::migrations, migrations::all]).await.unwrap();
        Self { db, _dir: dir, server }
    }

    async fn clear(self) {
        self.db.close().await.unwrap();
        if let Some((url, name)) = self.server {
            run(&url, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }

    async fn coupon(&self, total_limit: Option<i64>, customer_limit: Option<i64>) {
        let coupon = Coupon {
            code: "THREE".to_owned(),
            gift: Gift::Percent(100_000),
            currency: Currency::EUR,
            minimum: None,
            starts_at: Some(noon()),
            ends_at: Some(noon() + TimeDelta::days(1)),
            total_limit,
            customer_limit,
            active: true,
            used: 0,
            version: 1,
        };
        let tx = self.db.begin().await.unwrap();
        coupons::insert(&tx, &coupon, noon()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// In a transaction of its own; the code of a refusal.
    async fn take(&self, user: UserId, order: OrderId) -> Result<(), &'static str> {
        self.take_at(user, order, noon()).await
    }

    async fn take_at(
        &self,
        user: UserId,
        order: OrderId,
        now: DateTime<Utc>,
    ) -> Result<(), &'static str> {
        let tx = self.db.begin().await.unwrap();
        let taken = take(&tx, "THREE", user, order, now).await.unwrap();
        tx.commit().await.unwrap();
        taken.map_err(|refusal| refusal.code)
    }

    async fn give_back(&self, order: OrderId) {
        let tx = self.db.begin().await.unwrap();
        give_back(&tx, order).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// As counted, and as there are rows.
    async fn used(&self) -> (i64, u64) {
        let db = self.db.write();
        let coupon = coupons::find(db, "THREE").await.unwrap().unwrap();
        (coupon.used, Entity::find().count(db).await.unwrap())
    }
}

async fn run(url: &str, statement: &str) {
    let server = sea_orm::Database::connect(ConnectOptions::new(url)).await.unwrap();
    server.execute_unprepared(statement).await.unwrap();
    server.close().await.unwrap();
}

fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

async fn at_once(place: &Place, users: &[UserId]) -> Vec<Result<(), &'static str>> {
    let all = users.iter().map(|user| place.take(*user, OrderId::new()));
    futures::future::join_all(all).await
}

async fn a_limit_of_three_holds_under_a_hundred_at_once(place: &Place) {
    place.coupon(Some(3), None).await;
    let users: Vec<UserId> = (0..100).map(|_| UserId::new()).collect();
    let taken = at_once(place, &users).await;
    assert_eq!(taken.iter().filter(|t| t.is_ok()).count(), 3);
    assert_eq!(taken.iter().filter(|t| **t == Err("coupon_used_up")).count(), 97);
    assert_eq!(place.used().await, (3, 3));
}

async fn a_customers_limit_holds_too_and_costs_others_nothing(place: &Place) {
    place.coupon(Some(5), Some(2)).await;
    let (ann, ben) = (UserId::new(), UserId::new());
    let taken = at_once(place, &[ann; 50]).await;
    assert_eq!(taken.iter().filter(|t| t.is_ok()).count(), 2);
    assert_eq!(taken.iter().filter(|t| **t == Err("coupon_used_by_customer")).count(), 48);
    assert_eq!(place.used().await, (2, 2));
    assert_eq!(at_once(place, &[ben, ben]).await, [Ok(()), Ok(())]);
    assert_eq!(place.used().await, (4, 4));
}

async fn an_order_takes_once_and_gives_back_once(place: &Place) {
    place.coupon(Some(1), Some(1)).await;
    let (user, order) = (UserId::new(), OrderId::new());
    for _ in 0..2 {
        assert_eq!(place.take(user, order).await, Ok(()));
        assert_eq!(place.used().await, (1, 1));
    }
    let other = OrderId::new();
    assert_eq!(place.take(user, other).await, Err("coupon_used_up"));
    // an order that never held it has nothing to give back
    place.give_back(other).await;
    assert_eq!(place.used().await, (1, 1));
    for _ in 0..2 {
        place.give_back(order).await;
        assert_eq!(place.used().await, (0, 0));
    }
    assert_eq!(place.take(user, other).await, Ok(()));
}

async fn a_refusal_says_why_and_leaves_the_transaction_usable(place: &Place) {
    let (user, order) = (UserId::new(), OrderId::new());
    assert_eq!(place.take(user, order).await, Err("coupon_inactive"));
    place.coupon(None, Some(1)).await;
    let early = noon() - TimeDelta::microseconds(1);
    assert_eq!(place.take_at(user, order, early).await, Err("coupon_not_started"));
    let late = noon() + TimeDelta::days(1);
    assert_eq!(place.take_at(user, order, late).await, Err("coupon_expired"));

    let tx = place.db.begin().await.unwrap();
    assert_eq!(take(&tx, "THREE", user, order, noon()).await.unwrap(), Ok(()));
    let refused = take(&tx, "THREE", user, OrderId::new(), noon()).await.unwrap();
    assert_eq!(refused.unwrap_err().code, "coupon_used_by_customer");
    assert_eq!(take(&tx, "THREE", UserId::new(), OrderId::new(), noon()).await.unwrap(), Ok(()));
    tx.commit().await.unwrap();
    assert_eq!(place.used().await, (2, 2));
}

macro_rules! on_both {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let place = super::Place::sqlite().await;
                super::$test(&place).await;
                place.clear().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let place = super::Place::postgres().await;
                super::$test(&place).await;
                place.clear().await;
            })*
        }
    };
}
on_both! {
    a_limit_of_three_holds_under_a_hundred_at_once
    a_customers_limit_holds_too_and_costs_others_nothing
    an_order_takes_once_and_gives_back_once
    a_refusal_says_why_and_leaves_the_transaction_usable
}
