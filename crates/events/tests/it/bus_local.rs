//! The bus in SQLite.
use souk_events::{BusError, bus, registry};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use crate::bus::{ACCOUNT, Place, USER, conformance, depth_becomes, event, events, publish, take};

conformance!(Place::local(), no_traces);

async fn no_traces(_place: &Place) {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_owner_waits_for_the_first_to_let_go() {
    let place = Place::local();
    let first = place.open().await;
    publish(&first, &[event(USER, 1)]).await;
    let second = tokio::join!(place.open(), async { drop(first) }).0;
    let mut deliveries = second.consume(ACCOUNT, 1).await.unwrap();
    assert_eq!(take(&mut deliveries).await.0, 1);
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused() {
    let dir = tempfile::TempDir::new().unwrap();
    let error = bus::open("kafka://localhost", dir.path()).await.err().unwrap();
    assert!(error.to_string().contains("amqp://"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_queue_cannot_be_consumed() {
    let bus = Place::local().open().await;
    assert!(bus.consume("nobody.v1", 1).await.is_err());
}

/// Makes a kind of write fail, as on a full disk, until it is mended.
async fn spoil(place: &Place, write: &str) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(place.dir().join("bus.db"));
    let mut conn = file.connect().await.unwrap();
    let trigger =
        format!("CREATE TRIGGER spoiled BEFORE {write} BEGIN SELECT RAISE(ABORT, 'no space'); END");
    sqlx::query(AssertSqlSafe(trigger)).execute(&mut conn).await.unwrap();
    conn
}

async fn mend(mut conn: SqliteConnection) {
    sqlx::query("DROP TRIGGER spoiled").execute(&mut conn).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_nothing_can_be_written_events_are_refused_and_nothing_else_is_harmed() {
    let place = Place::local();
    let bus = place.open().await;
    publish(&bus, &events(USER, 0..2)).await;
    let spoiled = spoil(&place, "INSERT ON message").await;
    let results = bus.publish(&events(USER, 2..4)).await;
    assert!(results.iter().all(|result| matches!(result, Err(BusError::Away(_)))), "{results:?}");
    depth_becomes(&bus, ACCOUNT, (2, 0)).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    for expected in 0..2 {
        let (version, _, answer) = take(&mut deliveries).await;
        assert_eq!(version, expected);
        answer.ack().await.unwrap();
    }
    mend(spoiled).await;
    publish(&bus, &events(USER, 4..5)).await;
    assert_eq!(take(&mut deliveries).await.0, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_could_not_be_written_is_written_later() {
    let place = Place::local();
    let bus = place.open().await;
    publish(&bus, &[event(USER, 1)]).await;
    let mut deliveries = bus.consume(ACCOUNT, 1).await.unwrap();
    let (_, _, answer) = take(&mut deliveries).await;
    let spoiled = spoil(&place, "DELETE ON delivery").await;
    answer.ack().await.unwrap();
    mend(spoiled).await;
    drop((deliveries, bus));
    let bus = place.open().await;
    depth_becomes(&bus, ACCOUNT, (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn done_messages_leave_nothing_behind() {
    let place = Place::local();
    let bus = place.open().await;
    publish(&bus, &events(crate::bus::CHANGED, 0..500)).await;
    for queue in [crate::bus::MAIL, crate::bus::COUNT] {
        let mut deliveries = bus.consume(queue, 100).await.unwrap();
        for _ in 0..500 {
            take(&mut deliveries).await.2.ack().await.unwrap();
        }
        depth_becomes(&bus, queue, (0, 0)).await;
    }
    let file = SqliteConnectOptions::new().filename(place.dir().join("bus.db"));
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM message")
        .fetch_one(&mut file.connect().await.unwrap())
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_of_the_registry_has_a_queue() {
    let place = Place::local();
    let bus = bus::open("", place.dir()).await.unwrap();
    bus.declare(registry::QUEUES).await.unwrap();
    let all = [
        registry::PRODUCT_CREATED,
        registry::PRODUCT_CHANGED,
        registry::PRODUCT_DELETED,
        registry::PRODUCT_RESTORED,
        registry::STOCK_MOVED,
        registry::USER_CREATED,
        registry::USER_CHANGED,
        registry::USER_DELETED,
        registry::PRODUCTS_VIEWED,
    ];
    publish(&bus, &all.map(|event_type| event(event_type, 1))).await;
}
