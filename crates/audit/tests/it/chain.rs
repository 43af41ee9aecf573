//! What was changed, taken out, cut off, swapped or put in is found, and named.
use souk_audit::Verdict;
use souk_testkit::{Backend, on_both};

use crate::stage::{Stage, price};

const ROWS: usize = 7;

/// Whether a breach names this row, by its id or by its place.
fn names(verdict: &Verdict, id: &str, seq: u64) -> bool {
    let place = format!("row {seq}");
    verdict.breaches.iter().any(|(subject, detail)| {
        subject.contains(id) || subject.ends_with(&place) || detail.contains(&place)
    })
}

/// Each column with a value that differs in one byte, or is gone, as SQL of both databases.
fn changes(postgres: bool) -> Vec<(&'static str, String)> {
    let text = |column: &str| format!("'X' || substr({column}, 2)");
    // another first byte
    let bytes = |column: &str| match postgres {
        true => format!("set_byte({column}, 0, 255 - get_byte({column}, 0))"),
        false => format!(
            "CAST(CASE WHEN hex(substr({column}, 1, 1)) = 'AB' THEN X'CD' ELSE X'AB' END \
             || substr({column}, 2) AS BLOB)"
        ),
    };
    let mut all = vec![
        ("at_us", "at_us + 1".to_owned()),
        ("seq", "seq + 100000".to_owned()),
        ("reason", "'x'".to_owned()),
        ("trace_id", "'x'".to_owned()),
        ("address", "NULL".to_owned()),
        ("changes", "NULL".to_owned()),
        ("salt", "NULL".to_owned()),
        ("prev", "NULL".to_owned()),
        ("hash", "NULL".to_owned()),
        ("seq", "NULL".to_owned()),
    ];
    for column in ["actor", "via", "address", "action", "target", "outcome", "changes"] {
        // `via` is empty here, so that anything is a change
        all.push((column, if column == "via" { "'x'".to_owned() } else { text(column) }));
    }
    for column in ["digest", "salt", "prev", "hash"] {
        all.push((column, bytes(column)));
    }
    let id = if postgres { "gen_random_uuid()" } else { "randomblob(16)" };
    all.push(("id", id.to_owned()));
    all
}

on_both! {
async fn one_changed_byte_in_any_column_of_any_row_is_found_and_the_row_named(stage: Stage) {
    // the first, one between, the last
    stage.chain(3).await;
    let good = stage.holds(3).await;
    stage.run("CREATE TABLE untouched AS SELECT * FROM audit_entry").await;
    for entry in stage.entries().await {
        let (id, seq) = (entry.id.to_string(), entry.seq.unwrap());
        for (column, value) in changes(stage.ground.db.is_postgres()) {
            let change = format!("UPDATE audit_entry SET {column} = {value} WHERE seq = {seq}");
            stage.tamper(&change).await;
            let verdict = stage.verify().await;
            assert!(verdict.broken > 0, "{column} = {value} of row {seq} is not found");
            assert!(names(&verdict, &id, seq), "{column} of row {seq}: {:?}", verdict.breaches);
            stage.tamper("DELETE FROM audit_entry").await;
            stage.tamper("INSERT INTO audit_entry SELECT * FROM untouched").await;
        }
    }
    assert_eq!(stage.holds(3).await, good);
}

async fn an_untouched_row_is_not_blamed(stage: Stage) {
    stage.chain(ROWS).await;
    stage.tamper("UPDATE audit_entry SET actor = 'usr_2' WHERE seq = 4").await;
    let verdict = stage.verify().await;
    assert_eq!(verdict.broken, 1);
    assert!(verdict.breaches[0].1.starts_with("row 4:"), "{:?}", verdict.breaches);
}

async fn a_row_that_was_written_anew_with_its_hash_is_blamed_by_the_next(stage: Stage) {
    stage.chain(3).await;
    stage.run("CREATE TABLE held AS SELECT * FROM audit_head").await;
    stage.tamper("DELETE FROM audit_entry WHERE seq = 1").await;
    let nothing = match stage.ground.db.is_postgres() {
        true => "decode(repeat('00', 32), 'hex')",
        false => "zeroblob(32)",
    };
    stage.tamper(&format!("UPDATE audit_head SET seq = 0, hash = {nothing}")).await;
    stage.tell(price(77)).await;
    assert_eq!(stage.audit.seal().await.unwrap(), 1);
    stage.tamper("UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM held)").await;
    let verdict = stage.verify().await;
    assert_eq!(verdict.broken, 1, "{:?}", verdict.breaches);
    let told = "row 1: row 2 remembers another hash of it";
    assert_eq!(verdict.breaches[0].1, told);
}

async fn a_removed_row_is_missed(stage: Stage) {
    stage.chain(ROWS).await;
    for (seq, told) in [(4, "row 4 missing"), (1, "row 1 missing")] {
        stage.tamper(&format!("DELETE FROM audit_entry WHERE seq = {seq}")).await;
        let verdict = stage.verify().await;
        assert!(verdict.breaches.iter().any(|(_, d)| d == told), "{:?}", verdict.breaches);
    }
}

async fn a_tail_that_was_cut_off_is_missed(stage: Stage) {
    stage.chain(ROWS).await;
    stage.tamper("DELETE FROM audit_entry WHERE seq > 5").await;
    let verdict = stage.verify().await;
    assert_eq!(verdict.breaches[0].1, "rows 6 to 7 cut off at the end");
    stage.tamper("DELETE FROM audit_entry").await;
    assert_eq!(stage.verify().await.breaches[0].1, "rows 1 to 7 cut off at the end");
}

async fn a_swapped_pair_is_found(stage: Stage) {
    stage.chain(ROWS).await;
    stage.tamper("UPDATE audit_entry SET seq = -3 WHERE seq = 3").await;
    stage.tamper("UPDATE audit_entry SET seq = 3 WHERE seq = 4").await;
    stage.tamper("UPDATE audit_entry SET seq = 4 WHERE seq = -3").await;
    let verdict = stage.verify().await;
    let rows = |n: u64| verdict.breaches.iter().any(|(_, d)| d.starts_with(&format!("row {n}:")));
    assert!(rows(3) && rows(4), "{:?}", verdict.breaches);
}

async fn a_row_that_was_put_in_is_found(stage: Stage) {
    stage.chain(ROWS).await;
    stage.tell(price(99)).await;
    // at the end, and in front
    for seq in [8, 0] {
        let put = format!("UPDATE audit_entry SET seq = {seq} WHERE target = 'product/99'");
        stage.tamper(&put).await;
        let verdict = stage.verify().await;
        let found = verdict.breaches.iter().any(|(_, d)| d.starts_with(&format!("row {seq}")));
        assert!(found, "{seq}: {:?}", verdict.breaches);
    }
}

async fn a_head_that_was_moved_is_found(stage: Stage) {
    stage.chain(ROWS).await;
    for sql in [
        "UPDATE audit_head SET seq = 6",
        "UPDATE audit_head SET seq = 8",
        "UPDATE audit_head SET seq = 7, hash = (SELECT hash FROM audit_entry WHERE seq = 6)",
        "DELETE FROM audit_head",
    ] {
        stage.tamper(sql).await;
        assert!(stage.verify().await.broken > 0, "{sql}");
    }
}

async fn a_stone_that_nobody_laid_is_found(stage: Stage) {
    stage.chain(ROWS).await;
    let third = "SELECT 1, seq, hash, at_us FROM audit_entry WHERE seq = 3";
    stage.tamper(&format!("INSERT INTO audit_stone {third}")).await;
    stage.tamper("DELETE FROM audit_entry WHERE seq <= 3").await;
    let verdict = stage.verify().await;
    assert_eq!(verdict.broken, 1);
    assert_eq!(verdict.breaches[0].0, "audit_stone");
}

async fn more_breaches_than_are_named_are_counted(stage: Stage) {
    stage.chain(120).await;
    stage.tamper("UPDATE audit_entry SET actor = 'somebody else'").await;
    let verdict = stage.verify().await;
    assert_eq!((verdict.breaches.len(), verdict.broken), (100, 120));
}

}

/// Only SQLite keeps what is no text in a column of texts.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_the_others_are_read() {
    let stage = Stage::on(Backend::Default).await;
    stage.chain(ROWS).await;
    stage.tamper("UPDATE audit_entry SET actor = CAST(X'FF00' AS TEXT) WHERE seq = 4").await;
    let verdict = stage.verify().await;
    assert_eq!(verdict.rows, ROWS as u64);
    assert_eq!(verdict.breaches, [("audit/row 4".to_owned(), "row 4 cannot be read".to_owned())]);
}
