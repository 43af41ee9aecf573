//! Orders: the buyer is told of each step, administrators of what is new, short or stuck.
use std::sync::atomic::Ordering;
use std::time::Duration;

use sea_orm::ConnectionTrait;
use souk_events::{Consumer, Envelope, HandleError, Handler, registry};
use souk_notifier::app::Recipient;
use souk_notifier::domain::request::Kind;
use souk_notifier::events::account::AccountHandler;
use souk_notifier::events::order::{self, OrderHandler};
use souk_notifier::events::stock::StockHandler;
use souk_notifier::store::notification::{self, Filter};
use souk_notifier::{Notifier, invariants};
use souk_proto::events::v1::{OrderChanged, OrderedLine, StockLow, UserChanged};
use souk_proto::notifier::v1::{ListNotificationsRequest, SetPreferencesRequest};
use souk_service::Service;
use souk_values::{OrderId, ProductId, UserId};
use tokio_util::sync::CancellationToken;

use crate::bench::{Bench, admin, benches, benches_with, digest_of, envelope, handle};
use crate::neighbor::Neighborhood;

mod pace;

impl Bench {
    /// A step of an order of that buyer.
    fn step(&self, event_type: &str, buyer: UserId) -> Envelope {
        self.step_with(event_type, |message| message.user_id = buyer.to_string())
    }

    fn step_with(&self, event_type: &str, change: impl FnOnce(&mut OrderChanged)) -> Envelope {
        let line = |name: &str, quantity, unit_price_minor| OrderedLine {
            product_id: ProductId::new().to_string(),
            sku: format!("SKU-{name}"),
            name: name.to_owned(),
            quantity,
            unit_price_minor,
            total_minor: quantity * unit_price_minor,
        };
        let mut message = OrderChanged {
            order_id: OrderId::new().to_string(),
            version: 2,
            number: "S-7F3K-9Q2M".to_owned(),
            status: "confirmed".to_owned(),
            lines: vec![line("Mug", 2, 1_999), line("Tea", 1, 500)],
            currency: "EUR".to_owned(),
            subtotal_minor: 4_498,
            discount_minor: 450,
            shipping_minor: 490,
            tax_minor: 725,
            total_minor: 4_538,
            prices_include_tax: true,
            shipping_name: "Standard".to_owned(),
            coupon: "TEN".to_owned(),
            ..Default::default()
        };
        change(&mut message);
        envelope(event_type, format!("order/{}", message.order_id), &message, self.clock.now())
    }

    async fn hear_orders(&self, neighbors: &Neighborhood, events: &[Envelope]) {
        let handler = OrderHandler::new(self.app.clone(), neighbors.client());
        handle(self.db(), &handler, events).await;
    }

    /// The whole letters of an address, oldest first.
    fn letters_of(&self, who: &Recipient) -> Vec<String> {
        let all = self.ses.accepted();
        let own = all.iter().filter(|mail| mail.destination == [who.email.as_str()]);
        own.map(souk_testkit::ses::AcceptedMail::text).collect()
    }
}

/// An event, what it tells, its subject and words of its letter.
type Case<'a> = (&'a str, fn(&mut OrderChanged), &'a str, &'a [&'a str]);

fn low(bench: &Bench, name: &str) -> Envelope {
    let message = StockLow {
        product_id: ProductId::new().to_string(),
        sku: format!("SKU-{name}"),
        name: name.to_owned(),
        available: 2,
        threshold: 5,
        slug: name.to_lowercase(),
    };
    envelope(registry::STOCK_LOW, message.product_id.clone(), &message, bench.clock.now())
}

#[tokio::test]
async fn each_step_is_a_letter_with_its_own_words() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let buyer = admin("Buyer");
        neighbors.has_buyer(&buyer, true);
        let user = buyer.user_id.to_string();
        let cases: [Case<'_>; 5] = [
            (
                registry::ORDER_CONFIRMED,
                |_| {},
                "Order confirmed: S-7F3K-9Q2M (45.38 EUR)",
                &[
                    "Hello Buyer,",
                    "2 x Mug (SKU-Mug) at 19.99 EUR: 39.98 EUR",
                    "Discount (TEN): -4.50 EUR",
                    "Shipping (Standard): 4.90 EUR",
                    "Total: 45.38 EUR",
                    "contains 7.25 EUR of tax",
                    "http://127.0.0.1:8080/api/orders/ord_",
                ],
            ),
            (
                registry::ORDER_FAILED,
                |m| {
                    m.status = "payment_failed".into();
                    m.reason = "insufficient_funds".into();
                },
                "Payment failed: S-7F3K-9Q2M",
                &["There is not enough money on the card."],
            ),
            (
                registry::ORDER_SHIPPED,
                |m| {
                    m.carrier = "DHL".into();
                    m.tracking_number = "JD0146".into();
                    m.tracking_url = "https://dhl.example/JD0146".into();
                },
                "Order shipped: S-7F3K-9Q2M",
                &["DHL", "JD0146", "https://dhl.example/JD0146"],
            ),
            (
                registry::ORDER_CANCELLED,
                |m| m.reason = "customer".into(),
                "Order cancelled: S-7F3K-9Q2M",
                &["You asked for it."],
            ),
            (
                registry::ORDER_REFUNDED,
                |m| {
                    m.refund_minor = 1_999;
                    m.refunded_minor = 1_999;
                    m.returned = vec![OrderedLine { quantity: 1, ..m.lines[0].clone() }];
                },
                "Refund: S-7F3K-9Q2M (19.99 EUR)",
                &["19.99 EUR are on the way back to you.", "What came back", "1 x Mug"],
            ),
        ];
        for (event_type, change, subject, words) in cases {
            let event = bench.step_with(event_type, |message| {
                message.user_id = user.clone();
                change(message);
            });
            bench.hear_orders(&neighbors, &[event]).await;
            assert_eq!(bench.deliver().await, 1, "{event_type} on {}", bench.store.name);
            let text = bench.letters_of(&buyer).pop().expect("a letter");
            let text = text.replace("=\r\n", "").replace("=3D", "=");
            assert!(text.contains(&format!("Subject: [Souk] {subject}")), "{text}");
            for part in words {
                assert!(text.contains(part), "{part} in {text}");
            }
        }
        let kinds: Vec<_> = bench.ledger().await.into_iter().map(|row| row.kind).collect();
        let expected = ["confirmed", "failed", "shipped", "cancelled", "refunded"];
        assert_eq!(kinds, expected.map(|kind| format!("order.{kind}")));
        for quiet in [registry::ORDER_PLACED, registry::ORDER_DELIVERED, registry::ORDER_NOTED] {
            bench.hear_orders(&neighbors, &[bench.step(quiet, buyer.user_id)]).await;
        }
        assert_eq!(bench.ledger().await.len(), 5);
        assert_eq!(neighbors.accounts.asked.load(Ordering::SeqCst), 1, "only the new order's");
    }
}

#[tokio::test]
async fn administrators_are_told_of_new_orders_and_of_those_that_need_a_person() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (buyer, ann) = (admin("Buyer"), admin("Ann"));
        neighbors.has_buyer(&buyer, true);
        // who buys in the own shop gets one letter about it
        neighbors.knows(&[ann.clone(), buyer.clone()]);
        let confirmed = bench.step(registry::ORDER_CONFIRMED, buyer.user_id);
        let review = bench.step_with(registry::ORDER_REVIEW, |message| {
            message.user_id = buyer.user_id.to_string();
            message.reason = "saga_stuck".into();
            message.status = "processing".into();
        });
        bench.hear_orders(&neighbors, &[confirmed, review]).await;
        assert_eq!(bench.deliver().await, 4, "{}", bench.store.name);
        assert_eq!(bench.letters_of(&buyer).len(), 2);
        let letters = bench.letters_of(&ann);
        assert!(letters[0].contains("Subject: [Souk] New order: S-7F3K-9Q2M (45.38 EUR)"));
        assert!(letters[0].contains("2 x Mug (SKU-Mug): 39.98 EUR"), "{}", letters[0]);
        assert!(letters[0].contains("order_notices"), "{}", letters[0]);
        assert!(letters[1].contains("Subject: [Souk] Order needs review: S-7F3K-9Q2M"));
        assert!(letters[1].contains("Reason: saga stuck."), "{}", letters[1]);
        assert!(!letters[1].contains("To get none"), "{}", letters[1]);
        let row = bench.ledger().await.remove(0);
        assert_eq!(row.product_id, None);
        let filter = Filter { order_id: row.order_id, ..Filter::default() };
        let found = notification::list(bench.db().write(), &filter, None, 10).await;
        assert_eq!(found.expect("rows").len(), 2, "the buyer's and Ann's");
        let neighbor = Neighborhood::new(&bench.clock);
        let reader = neighbor.call_of(UserId::new(), &[souk_auth::Permission::NotificationsRead]);
        let mut client = bench.client(&neighbor, "gateway");
        let order_id = row.order_id.expect("of an order").to_string();
        let asked = ListNotificationsRequest { order_id: order_id.clone(), ..Default::default() };
        let answer = souk_rpc::scope(reader, client.list_notifications(asked)).await;
        let items = answer.expect("answers").into_inner().items;
        assert!(items.iter().all(|n| n.order_id == order_id && n.product_id.is_empty()));
        assert_eq!(items.len(), 2);
    }
}

#[tokio::test]
async fn new_orders_can_be_muted_by_setting_and_by_person_and_stuck_ones_cannot() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (buyer, ann) = (admin("Buyer"), admin("Ann"));
        neighbors.has_buyer(&buyer, true);
        neighbors.knows(std::slice::from_ref(&ann));
        let mut client = bench.client(&neighbors, "gateway");
        let call = neighbors.call_of(ann.user_id, &[]);
        let mute = SetPreferencesRequest { order_notices: Some(false), product_notices: None };
        let set = souk_rpc::scope(call, client.set_preferences(mute)).await.expect("answers");
        let wishes = set.into_inner();
        assert!(wishes.product_notices && !wishes.order_notices);
        let steps = || {
            [
                bench.step(registry::ORDER_CONFIRMED, buyer.user_id),
                bench.step(registry::ORDER_REVIEW, buyer.user_id),
            ]
        };
        bench.hear_orders(&neighbors, &steps()).await;
        bench.deliver().await;
        let mut standing = bench.standing(&ann).await;
        standing.sort();
        assert_eq!(standing, ["sent", "suppressed"], "{}", bench.store.name);

        let quiet = bench.app.clone().with_order_notices(false);
        let handler = OrderHandler::new(quiet, neighbors.client());
        handle(bench.db(), &handler, &steps()[..1]).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await.len(), 2, "nothing new");
        assert_eq!(bench.sent_to(&buyer), 2);
    }
}

#[tokio::test]
async fn low_stock_is_told_to_administrators_who_did_not_mute_products() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        neighbors.knows(&[ann.clone(), bob.clone()]);
        let mut client = bench.client(&neighbors, "gateway");
        let mute = SetPreferencesRequest { product_notices: Some(false), order_notices: None };
        let call = neighbors.call_of(bob.user_id, &[]);
        souk_rpc::scope(call, client.set_preferences(mute)).await.expect("answers");
        let handler = StockHandler::new(bench.app.clone(), neighbors.client());
        let event = low(&bench, "Mug");
        handle(bench.db(), &handler, std::slice::from_ref(&event)).await;
        handle(bench.db(), &handler, std::slice::from_ref(&event)).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["sent"], "{}", bench.store.name);
        assert_eq!(bench.standing(&bob).await, ["suppressed"]);
        let text = bench.letters_of(&ann).remove(0);
        for part in ["Subject: [Souk] Low stock: Mug (SKU-Mug)", "can be bought: 2", "threshold: 5"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(bench.ledger().await[0].kind, "stock.low");
    }
}

#[tokio::test]
async fn notices_of_orders_keep_the_pace_and_letters_to_buyers_do_not() {
    for bench in benches_with(digest_of(2)).await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (buyer, ann) = (admin("Buyer"), admin("Ann"));
        neighbors.has_buyer(&buyer, true);
        neighbors.knows(std::slice::from_ref(&ann));
        let events: Vec<_> =
            (0..5).map(|_| bench.step(registry::ORDER_CONFIRMED, buyer.user_id)).collect();
        bench.hear_orders(&neighbors, &events).await;
        bench.hear(&[bench.change("Mug")], std::slice::from_ref(&ann)).await;
        bench.deliver().await;
        assert_eq!(bench.sent_to(&buyer), 5, "{}", bench.store.name);
        assert_eq!(bench.sent_to(&ann), 2);
        bench.pass(60);
        assert_eq!(bench.deliver().await, 1);
        let digest = bench.letters_of(&ann).pop().expect("a digest");
        assert!(digest.contains("Subject: [Souk] 4 notices"), "{digest}");
        assert_eq!(digest.matches("New order: S-7F3K-9Q2M").count(), 3, "{digest}");
        assert!(digest.contains("Product changed: Mug"), "{digest}");
        assert_eq!(bench.standing(&ann).await, ["sent"; 6]);
    }
}

#[tokio::test]
async fn a_buyer_whose_account_is_gone_gets_a_suppressed_row() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (closed, gone) = (admin("Closed"), admin("Gone"));
        neighbors.has_buyer(&closed, false);
        let events = [
            bench.step(registry::ORDER_SHIPPED, closed.user_id),
            bench.step(registry::ORDER_SHIPPED, gone.user_id),
        ];
        bench.hear_orders(&neighbors, &events).await;
        assert_eq!(bench.deliver().await, 0, "{}", bench.store.name);
        let rows = bench.ledger().await;
        let reasons: Vec<_> = rows.iter().map(|r| (r.user_id, r.reason.as_deref())).collect();
        assert_eq!(
            reasons,
            [(closed.user_id, Some("inactive")), (gone.user_id, Some("account_gone"))]
        );
        assert!(rows.iter().all(|row| row.status == "suppressed" && row.letter_id.is_none()));
    }
}

#[tokio::test]
async fn a_lost_role_stops_notices_and_not_the_letters_about_own_orders() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        neighbors.has_buyer(&ann, true);
        bench.hear(&[bench.change("Mug")], std::slice::from_ref(&ann)).await;
        let shipped = bench.step(registry::ORDER_SHIPPED, ann.user_id);
        bench.hear_orders(&neighbors, &[shipped]).await;
        let handler = AccountHandler::new(bench.app.clone(), neighbors.client());
        let news = |version, kind: &str, active| {
            let message = UserChanged {
                user_id: ann.user_id.to_string(),
                version,
                kind: kind.to_owned(),
                active,
                fields: vec!["role".to_owned()],
                ..Default::default()
            };
            envelope(registry::USER_CHANGED, message.user_id.clone(), &message, bench.clock.now())
        };
        handle(bench.db(), &handler, &[news(2, "changed", true)]).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["suppressed", "sent"], "{}", bench.store.name);
        let refunded = bench.step(registry::ORDER_REFUNDED, ann.user_id);
        bench.hear_orders(&neighbors, &[refunded]).await;
        handle(bench.db(), &handler, &[news(3, "deleted", false)]).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["suppressed", "sent", "suppressed"]);
    }
}

#[tokio::test]
async fn steps_of_the_queue_are_told_once_also_when_they_come_twice_and_accounts_was_away() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (buyer, ann) = (admin("Buyer"), admin("Ann"));
        neighbors.has_buyer(&buyer, true);
        neighbors.knows(std::slice::from_ref(&ann));
        let bus = souk_events::bus::open("", bench.store.dir.path()).await.expect("a bus");
        bus.declare(registry::QUEUES).await.expect("queues");
        let confirmed = bench.step(registry::ORDER_CONFIRMED, buyer.user_id);
        let shipped = bench.step(registry::ORDER_SHIPPED, buyer.user_id);
        let events = [confirmed.clone(), shipped.clone(), confirmed.clone(), shipped];
        for published in bus.publish(&events).await {
            published.expect("published");
        }
        let handler = OrderHandler::new(bench.app.clone(), neighbors.client());
        let away = neighbors.accounts.away.swap(true, Ordering::SeqCst);
        let refused = handler.prepare(std::slice::from_ref(&confirmed)).await;
        let refused = refused.err().expect("not ready");
        assert!(matches!(refused, HandleError::Later(_)), "{refused:?}");
        neighbors.accounts.away.store(away, Ordering::SeqCst);
        let stop = CancellationToken::new();
        let consumer = Consumer::new("notifier.order.v1", 64, handler);
        let running = tokio::spawn(consumer.run(bench.db().clone(), bus.clone(), stop.clone()));
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        for ticks in 0.. {
            tick.tick().await;
            let depth = bus.depth("notifier.order.v1").await.expect("a depth");
            if depth == (0, 0) && bench.ledger().await.len() == 3 {
                break;
            }
            assert!(ticks < 1_000, "{depth:?}");
        }
        stop.cancel();
        running.await.expect("ends");
        // and when the inbox has forgotten it, the ledger has not
        bench.hear_orders(&neighbors, &[confirmed.clone(), confirmed]).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&buyer).await, ["sent", "sent"], "{}", bench.store.name);
        assert_eq!(bench.standing(&ann).await, ["sent"]);
        assert_eq!(bench.ses.accepted().len(), 3);

        let check = invariants(&bench.app).remove(0);
        let found = (check.check)().await.expect("checks");
        assert_eq!((found.looked_at, found.breaches.len()), (3, 0));
        // a second letter about the same event, under another account
        bench
            .db()
            .write()
            .execute_unprepared(
                "UPDATE notification SET event_id = (SELECT event_id FROM notification WHERE \
                 kind = 'order.shipped'), recipient = 'buyer@shop.example' \
                 WHERE recipient = 'ann@shop.example'",
            )
            .await
            .expect("damage");
        let found = (check.check)().await.expect("checks");
        assert_eq!(found.breaches.len(), 1, "{:?}", found.breaches);
        assert!(found.breaches[0].0.starts_with("event/"), "{:?}", found.breaches);
    }
}

#[tokio::test]
async fn what_is_no_step_of_an_order_is_poison() {
    for bench in benches().await {
        let user = UserId::new().to_string();
        let good = |change: fn(&mut OrderChanged)| {
            bench.step_with(registry::ORDER_SHIPPED, |message| {
                message.user_id = user.clone();
                change(message);
            })
        };
        assert!(order::from_proto(&good(|_| {})).expect("good").is_some());
        let torn = Envelope { payload: bytes::Bytes::from_static(b"\xff\xff"), ..good(|_| {}) };
        let odd = Envelope { event_type: "souk.orders.order.eaten.v1".into(), ..good(|_| {}) };
        for event in [
            good(|m| m.order_id = "42".into()),
            good(|m| m.user_id = String::new()),
            good(|m| m.currency = "SHL".into()),
            torn,
            odd,
        ] {
            let refused = order::from_proto(&event).expect_err("poison");
            assert!(matches!(refused, HandleError::Poisoned(_)), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn the_ledger_of_an_older_version_is_kept_by_the_migration() {
    for store in crate::store::stores_with(&[first_only]).await {
        let event = uuid::Uuid::now_v7();
        let (id, user) = (uuid::Uuid::now_v7(), UserId::new());
        let product = ProductId::new();
        let sql = "INSERT INTO notification (id, event_id, user_id, recipient, product_id, kind, \
                   created_at) VALUES ($1, $2, $3, 'ann@shop.example', $4, 'product.changed', $5)";
        let at = crate::bench::start();
        let values: [sea_orm::Value; 5] =
            [id.into(), event.into(), user.into(), product.into(), at.into()];
        let db = store.db.write();
        let insert =
            sea_orm::Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        db.execute_raw(insert).await.expect("an old row");
        souk_storage::migrate(&store.db, &[Notifier::migrations()]).await.expect("migrates");
        let rows = notification::list(db, &Filter::default(), None, 10).await.expect("rows");
        assert_eq!(rows.len(), 1, "{}", store.name);
        assert_eq!((rows[0].product_id, rows[0].order_id), (Some(product), None));
        assert_eq!((rows[0].event_id, rows[0].user_id), (event, user));
        let again = sea_orm::Statement::from_sql_and_values(
            db.get_database_backend(),
            sql,
            [uuid::Uuid::now_v7().into(), event.into(), user.into(), product.into(), at.into()],
        );
        assert!(db.execute_raw(again).await.is_err(), "one row an event and recipient still");
    }
}

/// As the first version of the tables was.
fn first_only() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
    Notifier::migrations()().into_iter().take(1).collect()
}
