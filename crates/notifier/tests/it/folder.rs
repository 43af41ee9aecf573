//! Letters as files: a repeat cannot double.
use std::path::PathBuf;

use souk_notifier::config::SenderKind;

use crate::bench::{Bench, admin, benches, deliver};

pub(crate) fn files(bench: &Bench) -> Vec<PathBuf> {
    let folder = bench.store.dir.path().join("mail");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths
}

pub(crate) async fn folder_benches() -> Vec<Bench> {
    let mut benches = benches().await;
    for bench in &mut benches {
        bench.config.mail.sender = SenderKind::Folder;
    }
    benches
}

#[tokio::test]
async fn each_letter_is_one_file_named_by_its_id() {
    for bench in folder_benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann"), admin("Bob")]).await;
        assert_eq!(bench.deliver().await, 2);
        let mut expected: Vec<_> = bench
            .ledger()
            .await
            .iter()
            .map(|row| format!("{}.eml", row.letter_id.expect("a letter")))
            .collect();
        expected.sort();
        let found: Vec<_> = files(&bench)
            .iter()
            .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(found, expected, "{}", bench.store.name);
        let text = std::fs::read_to_string(&files(&bench)[0]).expect("a letter");
        assert!(text.contains("Subject: [Souk] Product changed: Mug (SKU-Mug)"), "{text}");
    }
}

#[tokio::test]
async fn a_letter_written_before_a_crash_is_written_over_with_the_same_bytes() {
    for bench in folder_benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        let dead = bench.postman().await;
        let taken = dead.claim(8).await.expect("claims").remove(0);
        // what the dead postman still did: the file is there, the ledger does not know
        let probe = bench.postman().await;
        bench.pass(30);
        assert_eq!(deliver(&probe).await, 1, "{}", bench.store.name);
        let first = std::fs::read(&files(&bench)[0]).expect("a letter");
        bench.pass(60);
        dead.carry(taken).await;
        assert_eq!(files(&bench).len(), 1);
        assert_eq!(std::fs::read(&files(&bench)[0]).expect("a letter"), first);
        assert_eq!(bench.ledger().await[0].status, "sent");
    }
}

#[tokio::test]
async fn the_next_start_sends_left_letters_at_once_where_only_one_process_can_be() {
    for bench in folder_benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        assert_eq!(bench.postman().await.claim(8).await.expect("claims").len(), 1);
        let next = bench.postman().await;
        next.take_over().await.expect("takes over");
        let at_once = if bench.store.name == "sqlite" { 1 } else { 0 };
        assert_eq!(deliver(&next).await, at_once, "{}", bench.store.name);
        bench.pass(30);
        assert_eq!(deliver(&next).await, 1 - at_once);
        assert_eq!(files(&bench).len(), 1);
    }
}

#[tokio::test]
async fn a_full_or_missing_folder_is_tried_again() {
    for bench in folder_benches().await {
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        let postman = bench.postman().await;
        let folder = bench.store.dir.path().join("mail");
        std::fs::remove_dir(&folder).expect("removed");
        assert_eq!(deliver(&postman).await, 1);
        assert_eq!(bench.ledger().await[0].status, "queued");
        std::fs::create_dir(&folder).expect("made");
        bench.pass(5);
        assert_eq!(deliver(&postman).await, 1);
        assert_eq!(files(&bench).len(), 1, "{}", bench.store.name);
    }
}
