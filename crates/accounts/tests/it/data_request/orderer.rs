//! Who ordered an erasure of somebody else, asked for once more when it begins.

use chrono::TimeDelta;
use souk_audit::{Audit, Filter};
use souk_jobs::Status;
use souk_proto::accounts::v1::UserFields;
use souk_values::Page;

use super::town::Town;
use super::{ann, traces};
use crate::block::of_user;
use crate::house::House;
use crate::people::fields;

crate::on_both! {
    who_lost_their_power_before_it_begins_erases_nobody
    who_holds_less_than_the_person_by_then_erases_nobody
}

/// Whoever stole an admin's session ends nobody: the delay is time to notice it.
async fn who_lost_their_power_before_it_begins_erases_nobody(house: &House) {
    let town = Town::of(house);
    house.admin("keeper").await;
    let (ann, _) = ann(house).await;
    let role = |role: &str| UserFields { role: Some(role.to_owned()), ..UserFields::default() };
    let off = UserFields { active: Some(false), ..UserFields::default() };
    let worker = town.work();
    let losses = [("ben", Some(role("catalog_admin"))), ("cay", Some(off)), ("dan", None)];
    for (before, (name, loss)) in losses.into_iter().enumerate() {
        let lost = house.admin(name).await;
        let asked = town.erase(&house.token(name).await, &ann.id, "").await.unwrap();
        match loss {
            Some(fields) => drop(house.update(&lost.id, fields).await.unwrap()),
            None => drop(house.block(of_user(&lost.id)).await.unwrap()),
        }
        house.clock.advance(TimeDelta::days(7));
        let job = town.until(&asked.job_id, |job| job.status.has_ended()).await;
        assert_eq!((job.status, job.attempts), (Status::Failed, 1), "{name}");
        let keeper = house.token("keeper").await;
        let seen = town.erasure(&keeper, &ann.id).await.unwrap();
        let reason = "whoever ordered it may not decide about this account any more";
        assert_eq!((&*seen.status, &*seen.reason), ("failed", reason));
        // she was told of the day, and is told that it is off
        assert_eq!(house.letters("erasure_cancelled").await.len(), before + 1);
        let audit = Audit::new("accounts", house.db.clone(), house.clock.clone());
        let filter = Filter { action: "person.".into(), ..Default::default() };
        let page = Page::new(10, "").unwrap();
        let entry = audit.list(&filter, &page).await.unwrap().0.remove(0);
        let told = (entry.actor.as_str(), entry.outcome.as_str(), entry.reason.as_str());
        assert_eq!(told, (lost.id.as_str(), "refused", "beyond_own_permissions"));
        assert_eq!((&*entry.action, entry.target), ("person.erased", format!("user/{}", ann.id)));
    }
    assert_eq!(house.get(&ann.id).await.unwrap().id, ann.id);
    assert!(town.neighbors.values().all(|neighbor| neighbor.erased().is_empty()));

    // somebody who may orders it anew
    let keeper = house.token("keeper").await;
    let asked = town.erase(&keeper, &ann.id, "").await.unwrap();
    house.clock.advance(TimeDelta::days(7));
    town.until(&asked.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!(traces(house).await, Vec::<&str>::new());
}

/// They held as much when they ordered it.
async fn who_holds_less_than_the_person_by_then_erases_nobody(house: &House) {
    let town = Town::of(house);
    house.admin("keeper").await;
    let ann = house.person("ann").await;
    let helper = house.role_of_users("helpers").await;
    house.create(UserFields { role: Some(helper), ..fields("ben") }).await.unwrap();
    let asked = town.erase(&house.token("ben").await, &ann.id, "").await.unwrap();
    let raised = UserFields { role: Some("admin".into()), ..UserFields::default() };
    house.update(&ann.id, raised).await.unwrap();
    house.clock.advance(TimeDelta::days(7));
    let worker = town.work();
    let job = town.until(&asked.job_id, |job| job.status.has_ended()).await;
    worker.end().await;
    assert_eq!(job.status, Status::Failed);
    assert_eq!(house.get(&ann.id).await.unwrap().role, "admin");
}
