//! Write transactions, and the constraints they break.

use sea_orm::{ConnectionTrait, DbErr};
use souk_storage::{Database, OnConstraint, migrate, violated_constraint};

use crate::place::Place;
use crate::schema::{ALL, number, put};

crate::on_both! {
    readers_that_then_write_do_not_fail_each_other
    a_transaction_that_is_dropped_wrote_nothing
    a_broken_constraint_is_an_error_of_the_callers_choice
}

#[derive(Debug, PartialEq)]
enum Refused {
    CodeTaken,
    PlaceTaken,
    Other,
}

impl From<DbErr> for Refused {
    fn from(_: DbErr) -> Self {
        Self::Other
    }
}

async fn set_up(place: &Place) -> Database {
    let db = place.open().await;
    migrate(&db, &ALL).await.unwrap();
    put(db.write(), "1, 'a', 'x', 0").await.unwrap();
    db
}

/// With DEFERRED transactions SQLite answers all but one of these with "database is locked".
async fn readers_that_then_write_do_not_fail_each_other(place: &Place) {
    let db = set_up(place).await;
    // pools of another process, so that not even the queue of one pool keeps order
    let other = place.open().await;
    let lock = if db.is_postgres() { " FOR UPDATE" } else { "" };
    let add = async |db: &Database| {
        let tx = db.begin().await?;
        let seen = number(&tx, &format!("SELECT count FROM thing WHERE id = 1{lock}")).await?;
        tokio::task::yield_now().await;
        tx.execute_unprepared(&format!("UPDATE thing SET count = {} WHERE id = 1", seen + 1))
            .await?;
        tx.commit().await
    };
    let mine = futures::future::join_all((0..20).map(|_| add(&db)));
    let theirs = futures::future::join_all((0..20).map(|_| add(&other)));
    let (mine, theirs) = tokio::join!(mine, theirs);
    for done in mine.into_iter().chain(theirs) {
        done.unwrap();
    }
    assert_eq!(number(db.read(), "SELECT count FROM thing").await.unwrap(), 40);
    other.close().await.unwrap();
    db.close().await.unwrap();
}

async fn a_transaction_that_is_dropped_wrote_nothing(place: &Place) {
    let db = set_up(place).await;
    let tx = db.begin().await.unwrap();
    put(&tx, "2, 'b', 'y', 0").await.unwrap();
    drop(tx);
    let tx = db.begin().await.unwrap();
    assert_eq!(number(&tx, "SELECT count(*) FROM thing").await.unwrap(), 1);
    tx.commit().await.unwrap();
    db.close().await.unwrap();
}

async fn a_broken_constraint_is_an_error_of_the_callers_choice(place: &Place) {
    let db = set_up(place).await;
    let told = async |values: &str| {
        let tx = db.begin().await.unwrap();
        let result = put(&tx, values).await;
        if let Err(error) = &result
            && violated_constraint(error, "thing_place|thing.place")
        {
            return Err(Refused::PlaceTaken);
        }
        result.on_constraint("thing_code|thing.code", Refused::CodeTaken)
    };
    assert_eq!(told("2, 'a', 'y', 0").await, Err(Refused::CodeTaken));
    assert_eq!(told("2, 'b', 'x', 0").await, Err(Refused::PlaceTaken));
    assert_eq!(told("1, 'b', 'y', 0").await, Err(Refused::Other));
    assert_eq!(told("2, NULL, 'y', 0").await, Err(Refused::Other));
    assert_eq!(told("2, 'b', 'y', 0").await, Ok(()));
    db.close().await.unwrap();
}
