//! Letters to a person: handed over, and freed of the person, in every table and in the folder.
use futures::StreamExt;
use souk_notifier::app::keeper;
use souk_notifier::domain::request::Kind;
use souk_service::personal::{Person, Records};

use crate::bench::{Bench, admin, deliver};
use crate::folder::{files, folder_benches};
use crate::neighbor::Neighborhood;

impl Bench {
    async fn exported(&self, person: &Person) -> Vec<(String, serde_json::Value)> {
        let folder = self.store.dir.path().join("mail");
        let (mut records, reader) = Records::channel();
        let export = async move { keeper(&self.app, folder).export(person, &mut records).await };
        let (done, read) = futures::join!(export, reader.collect::<Vec<_>>());
        done.expect("exports");
        let record = |read: Result<souk_proto::operations::v1::PersonalRecord, tonic::Status>| {
            let record = read.expect("a record");
            (record.section, serde_json::from_str(&record.json).expect("an object"))
        };
        read.into_iter().map(record).collect()
    }

    async fn erased(&self, person: &Person) -> u64 {
        let folder = self.store.dir.path().join("mail");
        let tx = self.db().begin().await.expect("a transaction");
        let erased = keeper(&self.app, folder).erase(&tx, person).await.expect("erases");
        tx.commit().await.expect("commits");
        erased
    }

    /// Whether any letter in the folder holds the text.
    fn lies(&self, text: &str) -> bool {
        let read = |path: &std::path::PathBuf| std::fs::read_to_string(path).expect("a letter");
        files(self).iter().any(|path| read(path).contains(text))
    }
}

#[tokio::test]
async fn letters_lose_the_person_and_stay_in_the_ledger() {
    for bench in folder_benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        // before there was an account, about the account, about goods; one that waits
        bench.requested(&neighbors, Kind::RegistrationCode, &ann).await;
        bench.requested(&neighbors, Kind::Welcome, &ann).await;
        bench.requested(&neighbors, Kind::Welcome, &bob).await;
        bench.hear(&[bench.change("Mug")], &[ann.clone(), bob.clone()]).await;
        assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 5);
        bench.hear(&[bench.change("Tea")], std::slice::from_ref(&ann)).await;
        let person = Person { id: ann.user_id, emails: vec![ann.email.clone()] };

        let all = bench.exported(&person).await;
        let count = |section: &str| all.iter().filter(|(name, _)| name == section).count();
        assert_eq!((count("letters"), count("notices"), count("preferences")), (4, 4, 1));
        let text = format!("{all:?}");
        assert!(text.contains("Mug") && text.contains("Tea") && !text.contains(&bob.email));
        assert!(bench.lies(&ann.email));

        assert!(bench.erased(&person).await > 0);
        assert!(!bench.lies(&ann.email) && bench.lies(&bob.email), "{}", bench.store.name);
        let ledger = bench.ledger().await;
        assert_eq!(ledger.len(), 6, "the ledger still knows of all");
        assert!(ledger.iter().all(|row| row.recipient != ann.email));
        let bobs = ledger.iter().filter(|row| row.recipient == bob.email).count();
        assert_eq!(bobs, 2);
        let tea = ledger.last().expect("a row");
        assert_eq!(
            (tea.status.as_str(), tea.reason.as_deref()),
            ("suppressed", Some("account_erased"))
        );
        assert_eq!(deliver(&bench.postman_of(&neighbors).await).await, 0);
        let left = bench.exported(&Person { emails: Vec::new(), ..person.clone() }).await;
        let said = format!("{left:?}");
        assert!(!said.contains(&ann.email) && !said.contains("Mug"), "{said}");
        assert_eq!(bench.erased(&person).await, 0, "again there is nothing to do");
    }
}
