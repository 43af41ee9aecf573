//! All that is kept of somebody, as a file for them alone.

use chrono::TimeDelta;
use serde_json::Value;
use souk_accounts::schedules;
use souk_rpc::Kind;

use super::town::Town;
use super::*;
use crate::house::House;
use crate::people::refusal;
use crate::told::fact;

crate::on_both! {
    a_file_holds_everything_and_is_its_owners_only
    a_file_comes_in_parts_and_a_crash_leaves_no_half_of_it
    a_file_of_which_a_part_is_missing_is_none
    files_are_bounded_and_go_after_their_time
}

async fn a_file_holds_everything_and_is_its_owners_only(house: &House) {
    let town = Town::of(house);
    let root = house.admin("root").await;
    let (ann, token) = ann(house).await;
    house.person("ben").await;
    let ben = house.token("ben").await;
    town.orders().set(|orders| {
        let order = format!("{{\"number\":\"S-1\",\"line1\":\"{STREET}, rear\"}}");
        orders.records = vec![("orders", order), ("cart", "{\"sku\":\"TEA\"}".to_owned())];
    });
    assert_eq!(refusal(town.exported(&token, "").await).1, "export_not_found");
    assert_eq!(refusal(town.download(&token).await).1, "export_not_found");
    let started = town.export(&token, "").await.unwrap();
    assert_eq!((started.status.as_str(), &started.user_id), ("waiting", &ann.id));
    assert_eq!(refusal(town.export(&token, "").await), (Kind::Conflict, "export_running".into()));
    assert_eq!(refusal(town.download(&token).await).1, "export_not_found");

    let worker = town.work();
    town.until(&started.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    let ready = town.exported(&token, "").await.unwrap();
    assert_eq!((ready.status.as_str(), ready.done, ready.total), ("ready", 5, 5));
    assert_eq!(ready.expires_at_us - ready.ready_at_us, 7 * 86_400_000_000);
    let (file, _) = town.download(&token).await.unwrap();
    assert_eq!(file.len() as u64, ready.bytes);
    let file: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(file["format"], "souk.personal-data.1");
    assert_eq!(file["user_id"], ann.id.as_str());
    let services = &file["services"];
    assert_eq!(services["orders"]["orders"][0]["line1"], format!("{STREET}, rear"));
    assert_eq!(services["orders"]["cart"][0]["sku"], "TEA");
    assert_eq!(services["catalog"], serde_json::json!({}));
    let own = &services["accounts"];
    assert_eq!(own["account"][0]["email"], "ann.now@zwetschge.example");
    assert_eq!(own["addresses"][0]["line1"], STREET);
    assert_eq!(own["sessions"].as_array().unwrap().len(), 1);
    let log = own["security_log"].as_array().unwrap();
    for action in ["login.succeeded", "login.failed", "user.changed", "export.requested"] {
        assert!(log.iter().any(|entry| entry["action"] == action), "{action} in {log:?}");
    }
    let text = file.to_string();
    assert!(!text.contains("argon2") && !text.contains(&root.id), "{text}");

    // a letter tells of it, and holds nothing by which anybody gets the file
    let letter = house.letter("export_ready").await;
    assert_eq!((letter.email.as_str(), &*letter.code, &*letter.link), (&*ann.email, "", ""));
    assert_eq!(fact(&letter, "until"), "2027-01-22T08:00:00Z");
    // sealed where it lies
    assert!(!house.everything().await.contains("weg 7, rear"));
    assert_eq!(
        refusal(town.exported(&ben, &ann.id).await),
        (Kind::NotFound, "user_not_found".into())
    );
    assert_eq!(refusal(town.download(&ben).await).1, "export_not_found");
    let admin = house.token("root").await;
    assert_eq!(town.exported(&admin, &ann.id).await.unwrap(), ready);
    assert_eq!(refusal(town.download(&admin).await).1, "export_not_found");
    verified(house).await;
}

async fn a_file_comes_in_parts_and_a_crash_leaves_no_half_of_it(house: &House) {
    let town = Town::of(house);
    let (_, token) = ann(house).await;
    let record = |n: usize| ("letters", format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(400)));
    town.neighbors["notifier"].set(|notifier| notifier.records = (0..2_000).map(record).collect());
    let orders = town.orders();
    orders.gate.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let started = town.export(&token, "").await.unwrap();
    let worker = town.work();
    orders.begun.acquire().await.unwrap().forget();
    worker.crash().await;
    assert_eq!(town.exported(&token, "").await.unwrap().status, "running");
    assert!(house.texts("SELECT CAST(COUNT(*) AS TEXT) FROM export_part").await[0] != "0");

    house.clock.advance(TimeDelta::seconds(31));
    orders.gate.add_permits(1_000);
    let worker = town.work();
    town.until(&started.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    let (file, parts) = town.download(&token).await.unwrap();
    assert!(parts > 3, "{parts}");
    let file: Value = serde_json::from_slice(&file).unwrap();
    let letters = file["services"]["notifier"]["letters"].as_array().unwrap();
    assert!(letters.iter().map(|letter| letter["n"].as_u64().unwrap()).eq(0..2_000));
}

async fn a_file_of_which_a_part_is_missing_is_none(house: &House) {
    let town = Town::of(house);
    let (_, token) = ann(house).await;
    let records: Vec<_> = (0..9).map(|n| ("letters", format!("{{\"n\":{n}}}"))).collect();
    town.neighbors["notifier"].set(|notifier| {
        notifier.records = records;
        notifier.breaks = Some(5);
    });
    let started = town.export(&token, "").await.unwrap();
    let worker = town.work();
    let job = town.until(&started.job_id, |job| job.attempts == 1 && !job.message.is_empty()).await;
    assert!(job.message.contains("notifier: answer_lost"), "{}", job.message);
    town.neighbors["notifier"].set(|notifier| notifier.breaks = None);
    house.clock.advance(TimeDelta::seconds(10));
    town.until(&started.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    let (file, _) = town.download(&token).await.unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(file["services"]["notifier"]["letters"].as_array().unwrap().len(), 9);
}

async fn files_are_bounded_and_go_after_their_time(house: &House) {
    let town = Town::of(house);
    let (_, token) = ann(house).await;
    let worker = town.work();
    for _ in 0..3 {
        let started = town.export(&token, "").await.unwrap();
        town.until(&started.job_id, |job| job.status == Status::Succeeded).await;
    }
    let refused = town.export(&token, "").await.unwrap_err();
    assert_eq!((refused.kind, &*refused.reason), (Kind::Exhausted, "too_many_exports"));
    assert_eq!(refused.retry_after.unwrap().as_secs(), 86_400);
    house.clock.advance(TimeDelta::days(1));
    let token = house.token("annzwetschge").await;
    let last = town.export(&token, "").await.unwrap();
    town.until(&last.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;

    house.clock.advance(TimeDelta::days(7) - TimeDelta::seconds(1));
    let token = house.token("annzwetschge").await;
    town.download(&token).await.unwrap();
    house.clock.advance(TimeDelta::seconds(1));
    assert_eq!(town.exported(&token, "").await.unwrap().status, "expired");
    assert_eq!(refusal(town.download(&token).await).1, "export_not_found");
    let count = "SELECT CAST(COUNT(*) AS TEXT) FROM export_part";
    assert_ne!(house.texts(count).await, ["0"]);
    let schedules = schedules(&town.app);
    let forget = schedules.iter().find(|schedule| schedule.name == "forget_exports").unwrap();
    (forget.run)().await.unwrap();
    assert_eq!(house.texts(count).await, ["0"]);
    assert_eq!(refusal(town.exported(&token, "").await).1, "export_not_found");
}
