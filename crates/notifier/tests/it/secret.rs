//! Codes and links are in no table and no log.
use std::fmt::Write;
use std::sync::atomic::Ordering;

use sea_orm::{ConnectionTrait, Statement};
use souk_notifier::domain::request::Kind;
use souk_storage::Database;
use souk_testkit::log::Log;

use crate::bench::{admin, benches, deliver};
use crate::neighbor::Neighborhood;
use crate::request::{CODE, TOKEN};

async fn texts(db: &Database, sql: String) -> Vec<String> {
    let db = db.write();
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    let text = |row: sea_orm::QueryResult| row.try_get::<Option<String>>("", "v").expect("text");
    rows.expect("rows").into_iter().filter_map(text).collect()
}

/// Every value of every table as text.
async fn dump(db: &Database) -> String {
    if db.is_postgres() {
        let tables = "SELECT table_name::text AS v FROM information_schema.tables \
                      WHERE table_schema = 'public'";
        let mut all = Vec::new();
        for table in texts(db, tables.to_owned()).await {
            let sql = format!("SELECT row_to_json(t)::text AS v FROM \"{table}\" t");
            all.extend(texts(db, sql).await);
        }
        return all.join("\n");
    }
    let tables = "SELECT name AS v FROM sqlite_master WHERE type = 'table'".to_owned();
    let mut all = String::new();
    for table in texts(db, tables).await {
        let columns = format!("SELECT name AS v FROM pragma_table_info('{table}')");
        for column in texts(db, columns).await {
            // as hexadecimal digits: blobs are looked into as well
            let sql = format!("SELECT hex(\"{column}\") AS v FROM \"{table}\"");
            for digits in texts(db, sql).await {
                let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
                let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
                writeln!(all, "{}", String::from_utf8_lossy(&bytes)).expect("memory");
            }
        }
    }
    all
}

fn holds_no_secret(text: &str, when: &str) {
    for secret in [CODE, TOKEN] {
        assert!(!text.contains(secret), "{secret} {when}");
    }
}

#[tokio::test]
async fn s52_codes_and_links_are_in_no_table_and_no_log_and_every_attempt_has_the_same() {
    for bench in benches().await {
        let (log, listening) = Log::listen();
        let neighbors = Neighborhood::new(&bench.clock);
        let (ann, bad) = (admin("Ann"), admin("Bad"));
        bench.ses.reject_address(&bad.email);
        for kind in [Kind::RegistrationCode, Kind::PasswordReset] {
            bench.requested(&neighbors, kind, &ann).await;
            bench.requested(&neighbors, kind, &bad).await;
        }
        let postman = bench.postman_of(&neighbors).await;
        // away, at fault, silent, well
        neighbors.accounts.away.store(true, Ordering::SeqCst);
        assert_eq!(deliver(&postman).await, 4);
        holds_no_secret(&dump(bench.db()).await, "while accounts is away");
        neighbors.accounts.away.store(false, Ordering::SeqCst);
        bench.ses.fail_next(4, 500);
        bench.pass(1);
        assert_eq!(deliver(&postman).await, 4);
        let failed = dump(bench.db()).await;
        holds_no_secret(&failed, "after an attempt that failed");
        assert!(failed.contains("ann@shop.example"), "the dump sees what is there: {failed}");
        bench.pass(5);
        assert_eq!(deliver(&postman).await, 4);
        assert_eq!(bench.standing(&ann).await, ["sent"; 2], "{}", bench.store.name);
        assert_eq!(bench.standing(&bad).await, ["failed"; 2]);
        let sent: Vec<_> = bench.ses.accepted().iter().map(|m| m.text()).collect();
        for secret in [CODE, TOKEN] {
            let with = sent.iter().filter(|text| text.replace("=\r\n", "").contains(secret));
            assert_eq!(with.count(), 1, "{secret}");
        }
        let after = dump(bench.db()).await;
        holds_no_secret(&after, "after they were sent");
        assert!(after.contains("account.password_reset"), "{after}");
        drop(listening);
        let log = log.text();
        holds_no_secret(&log, "in the log");
        assert!(log.contains("letter sent"), "the log is heard: {log}");
        assert!(!log.contains("ann@shop.example"), "nor whom it went to");
    }
}

#[tokio::test]
async fn an_answer_that_never_came_is_followed_by_the_same_code() {
    let mut config = souk_notifier::Config::default();
    config.ses.unknown_after = serde_json::from_value("3s".into()).expect("a period");
    for bench in crate::bench::benches_with(config).await {
        let neighbors = Neighborhood::new(&bench.clock);
        bench.ses.swallow_answers(1);
        bench.requested(&neighbors, Kind::RegistrationCode, &admin("Ann")).await;
        let postman = bench.postman_of(&neighbors).await;
        assert_eq!(deliver(&postman).await, 1);
        bench.pass(5);
        assert_eq!(deliver(&postman).await, 1);
        let sent = bench.ses.accepted();
        assert_eq!(sent.len(), 2, "{}", bench.store.name);
        assert!(sent[0].text().contains(CODE));
        assert_eq!(sent[0].raw, sent[1].raw, "the same letter in every byte");
        holds_no_secret(&dump(bench.db()).await, "after both");
    }
}
