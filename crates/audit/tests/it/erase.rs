//! Erasure: values go, what happened stays, the chain holds.
use souk_audit::{Filter, NewEntry};
use souk_testkit::on_both;
use souk_values::UserId;

use crate::stage::{Stage, price};

fn renamed(user: UserId) -> NewEntry {
    NewEntry::new("user.changed", format!("user/{user}"))
        .actor("usr_admin")
        .address("198.51.100.0")
        .change("email", "ann@example.org", "anna@example.org")
}

on_both! {

async fn erased_values_are_gone_and_the_chain_holds(stage: Stage) {
    let (ann, bob) = (UserId::new(), UserId::new());
    stage.tell(renamed(ann)).await;
    stage.tell(renamed(bob)).await;
    stage.tell(price(1).actor(ann)).await;
    stage.audit.seal().await.unwrap();
    // one that is not sealed yet
    stage.tell(renamed(ann)).await;

    let tx = stage.ground.db.begin().await.unwrap();
    assert_eq!(stage.audit.erase_person(&tx, ann).await.unwrap(), 3);
    tx.commit().await.unwrap();
    stage.audit.seal().await.unwrap();
    stage.holds(5).await;

    let of_ann = Filter { target: format!("user/{ann}"), ..Filter::default() };
    let kept = stage.listed(of_ann).await;
    assert_eq!(kept[0].action, "audit.erased");
    for entry in &kept[1..] {
        assert_eq!((entry.action.as_str(), &entry.address), ("user.changed", &None));
        assert!(entry.changes.is_empty());
    }
    let of_bob = Filter { target: format!("user/{bob}"), ..Filter::default() };
    assert_eq!(stage.listed(of_bob).await[0].changes[0].after, "anna@example.org");
    // no trace of the values, and none of what would prove a guess
    for column in ["address", "changes", "salt"] {
        let left = format!("UPDATE audit_entry SET {column} = {column} \
            WHERE {column} IS NOT NULL AND action <> 'audit.erased' \
            AND (actor = '{ann}' OR target = 'user/{ann}')");
        assert_eq!(stage.run(&left).await, 0, "{column}");
    }
}

async fn values_about_things_of_a_person_are_erased_too(stage: Stage) {
    let about = |order: &str, text: &str| {
        let noted = NewEntry::new("order.noted", format!("order/{order}"));
        noted.actor("usr_staff").change("text", "", text)
    };
    stage.tell(about("ord_1", "Ann called")).await;
    stage.tell(about("ord_2", "Ann again")).await;
    stage.tell(about("ord_3", "Bob called")).await;
    stage.audit.seal().await.unwrap();
    let targets = ["order/ord_1".to_owned(), "order/ord_2".to_owned()];
    for expected in [2, 0] {
        let tx = stage.ground.db.begin().await.unwrap();
        assert_eq!(stage.audit.erase_about(&tx, &targets).await.unwrap(), expected);
        tx.commit().await.unwrap();
    }
    stage.holds(3).await;
    let changes = stage.entries().await.into_iter().flat_map(|entry| entry.changes);
    let said: Vec<String> = changes.map(|change| change.after).collect();
    assert_eq!(said, ["Bob called"]);
}

async fn what_tells_of_an_erasure_is_not_erased_by_the_next(stage: Stage) {
    let ann = UserId::new();
    stage.tell(renamed(ann)).await;
    for expected in [1, 0, 0] {
        let tx = stage.ground.db.begin().await.unwrap();
        assert_eq!(stage.audit.erase_person(&tx, ann).await.unwrap(), expected);
        tx.commit().await.unwrap();
    }
    stage.audit.seal().await.unwrap();
    stage.holds(2).await;
}

async fn an_erasure_that_is_taken_back_erased_nothing(stage: Stage) {
    let ann = UserId::new();
    stage.tell(renamed(ann)).await;
    let tx = stage.ground.db.begin().await.unwrap();
    stage.audit.erase_person(&tx, ann).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(stage.entries().await[0].changes.len(), 1);
}

async fn values_that_are_erased_in_part_are_found(stage: Stage) {
    stage.chain(3).await;
    for sql in [
        "UPDATE audit_entry SET salt = NULL WHERE seq = 1",
        "UPDATE audit_entry SET changes = NULL WHERE seq = 2",
        "UPDATE audit_entry SET changes = '[]' WHERE seq = 3",
    ] {
        stage.tamper(sql).await;
    }
    assert_eq!(stage.verify().await.broken, 3);
}

}
