//! What a person looked at: handed over, and counted as before under nobody's name.
use futures::StreamExt;
use souk_analytics::keeper;
use souk_proto::operations::v1::PersonalRecord;
use souk_service::personal::{Person, Records};
use souk_testkit::on_both;
use souk_values::{ProductId, UserId};

use crate::stage::{DAY, Stage};

fn person() -> Person {
    Person { id: UserId::new(), emails: Vec::new() }
}

async fn exported(stage: &Stage, person: &Person) -> Vec<PersonalRecord> {
    let (mut records, reader) = Records::channel();
    let export = async move { keeper(&stage.app).export(person, &mut records).await };
    let (done, read) = futures::join!(export, reader.collect::<Vec<_>>());
    done.unwrap();
    read.into_iter().map(Result::unwrap).collect()
}

async fn erased(stage: &Stage, person: &Person) -> u64 {
    let tx = stage.app.db.begin().await.unwrap();
    let erased = keeper(&stage.app).erase(&tx, person).await.unwrap();
    tx.commit().await.unwrap();
    erased
}

on_both! {
    async fn views_are_handed_over_and_then_nobodys(stage: Stage) {
        let (zoe, bob) = (person(), person());
        let (tea, mug) = (ProductId::new(), ProductId::new());
        let (today, zoes, bobs) = (stage.today(), zoe.id.to_string(), bob.id.to_string());
        stage.see(&[
            (tea, &zoes, today + 1), (tea, &zoes, today + 2), (mug, &zoes, today + 3),
            (tea, &zoes, today - DAY), (tea, &bobs, today),
        ]).await;
        let all = exported(&stage, &zoe).await;
        assert!(all.iter().all(|record| record.section == "product_views"));
        let views: Vec<serde_json::Value> =
            all.iter().map(|record| serde_json::from_str(&record.json).unwrap()).collect();
        let told: Vec<_> = views.iter().map(|v| (v["day"].as_str().unwrap(), &v["views"])).collect();
        assert_eq!(told.len(), 3);
        assert_eq!(told[0], ("2026-11-20", &1.into()));
        assert!(told[1..].iter().all(|(day, _)| *day == "2026-11-21"));
        assert_eq!(views.iter().map(|v| v["views"].as_i64().unwrap()).sum::<i64>(), 4);

        let before = stage.report(tea, "day", (today - DAY, 0)).await;
        assert_eq!((before.total_views, before.unique_viewers), (4, 2));
        // three products on days, two days
        assert_eq!(erased(&stage, &zoe).await, 5);
        let left = format!("SELECT COUNT(*) FROM viewer_day WHERE viewer = '{zoes}'");
        assert_eq!(stage.number(&left).await, 0);
        let left = format!("SELECT COUNT(*) FROM visitor_day WHERE viewer = '{zoes}'");
        assert_eq!(stage.number(&left).await, 0);
        assert_eq!(stage.report(tea, "day", (today - DAY, 0)).await, before, "the counts stay");
        assert!(exported(&stage, &zoe).await.is_empty());
        assert_eq!(exported(&stage, &bob).await.len(), 1);
        assert_eq!(erased(&stage, &zoe).await, 0);
        // what was on its way, at the second look
        stage.see(&[(tea, &zoes, today + 4)]).await;
        assert_eq!(erased(&stage, &zoe).await, 2);
    }
}
