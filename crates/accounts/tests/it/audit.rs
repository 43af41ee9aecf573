//! The security log: who came in and who did not, who was changed, never with a password.

use souk_audit::{Audit, Entry, Filter};
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{LoginRequest, LogoutRequest, UserFields};
use souk_values::Page;
use tokio_util::sync::CancellationToken;

use crate::house::{House, PASSWORD, answer};

crate::on_both! {
    logins_and_their_ends_are_entries
    failed_and_braked_logins_are_entries_up_to_a_bound
    changes_of_people_are_entries_without_secrets
    a_refused_change_is_no_entry
}

/// The newest hundred, the newest first.
pub(crate) async fn entries(house: &House) -> Vec<Entry> {
    let audit = Audit::new("accounts", house.db.clone(), house.clock.clone());
    let page = Page::new(100, "").unwrap();
    audit.list(&Filter::default(), &page).await.unwrap().0
}

fn value<'a>(entry: &'a Entry, field: &str) -> (&'a str, &'a str) {
    let found = entry.changes.iter().find(|change| change.field == field);
    found.map(|change| (change.before.as_str(), change.after.as_str())).unwrap_or_default()
}

pub(crate) fn attempt(login: &str, password: &str) -> LoginRequest {
    LoginRequest {
        login: login.into(),
        password: password.into(),
        address: "192.0.2.7".into(),
        ..LoginRequest::default()
    }
}

async fn logins_and_their_ends_are_entries(house: &House) {
    let ann = house.person("ann").await;
    let session = answer(house.sessions().login(attempt("ann", PASSWORD))).await.unwrap();
    let entry = entries(house).await.remove(0);
    assert_eq!((entry.action.as_str(), entry.outcome.as_str()), ("login.succeeded", "done"));
    assert_eq!((&entry.actor, entry.via.as_str()), (&ann.id, "gateway"));
    assert_eq!(entry.target, format!("user/{}", ann.id));
    assert!(entry.address.as_deref().is_some_and(|address| address.starts_with("192.0.2.")));

    let token = session.refresh_token;
    let request = LogoutRequest { refresh_token: token, ..LogoutRequest::default() };
    answer(house.sessions().logout(request)).await.unwrap();
    let entry = entries(house).await.remove(0);
    assert_eq!((entry.action.as_str(), &entry.actor), ("session.ended", &ann.id));
    assert_eq!(value(&entry, "reason").1, "logout");
}

async fn failed_and_braked_logins_are_entries_up_to_a_bound(house: &House) {
    let ann = house.person("ann").await;
    let (guarded, audit) = house.audited();
    let stop = CancellationToken::new();
    let writing = tokio::spawn(audit.run(stop.clone()));
    let mut sessions = SessionServiceClient::new(house.transport(&guarded, "gateway"));
    // without an address: it is the account's brake that is looked at
    let from_nowhere =
        |login, password| LoginRequest { address: String::new(), ..attempt(login, password) };
    for _ in 0..15 {
        let wrong = from_nowhere("ann", "a wrong password");
        answer(sessions.login(wrong)).await.unwrap_err();
    }
    answer(sessions.login(from_nowhere("nobody", "hunter2 hunter2"))).await.unwrap_err();
    stop.cancel();
    writing.await.unwrap();

    let all = entries(house).await;
    let failed: Vec<&Entry> = all.iter().filter(|entry| entry.action == "login.failed").collect();
    let target = format!("user/{}", ann.id);
    let of_ann: Vec<&&Entry> = failed.iter().filter(|entry| entry.target == target).collect();
    // ten, and one with the number of the others
    assert_eq!(of_ann.len(), 11);
    let with = |reason: &str| of_ann.iter().filter(|entry| entry.reason == reason).count();
    assert_eq!((with("invalid_credentials"), with("too_many")), (5, 1));
    let summary = of_ann.iter().find(|entry| entry.reason == "too_many").unwrap();
    assert_eq!(value(summary, "more").1, "5");
    let stranger: Vec<&&Entry> = failed.iter().filter(|entry| entry.target == "user").collect();
    assert_eq!((stranger.len(), stranger[0].actor.as_str()), (1, "anonymous"));
    assert_eq!(stranger[0].outcome, "failed");
    let said = format!("{failed:?}");
    assert!(!said.contains("wrong password") && !said.contains("hunter2"));
}

async fn changes_of_people_are_entries_without_secrets(house: &House) {
    let ann = house.person("ann").await;
    let made = entries(house).await.remove(0);
    assert_eq!((made.action.as_str(), made.target), ("user.created", format!("user/{}", ann.id)));
    let wish = UserFields {
        full_name: Some("Ann Lee".into()),
        email: Some("lee@shop.example".into()),
        password: Some("a password of another kind".into()),
        ..UserFields::default()
    };
    house.update(&ann.id, wish).await.unwrap();
    let changed = entries(house).await.remove(0);
    assert_eq!(changed.action, "user.changed");
    assert_eq!(value(&changed, "email"), ("ann@shop.example", "lee@shop.example"));
    assert_eq!(value(&changed, "full_name").1, "Ann Lee");
    assert_eq!(value(&changed, "password"), ("***", "***"));
    assert_eq!(value(&changed, "role"), ("", ""));
    house.delete(&ann.id).await.unwrap();
    let gone = entries(house).await.remove(0);
    assert_eq!(gone.action, "user.deleted");
    assert_eq!(value(&gone, "active"), ("true", "false"));
    let all = format!("{:?}", entries(house).await);
    assert!(!all.contains(PASSWORD) && !all.contains("another kind") && !all.contains("argon2"));
}

async fn a_refused_change_is_no_entry(house: &House) {
    house.person("ann").await;
    let bob = house.person("bob").await;
    let before = entries(house).await.len();
    let taken = UserFields { username: Some("ann".into()), ..UserFields::default() };
    house.update(&bob.id, taken).await.unwrap_err();
    let same = UserFields { username: Some("bob".into()), ..UserFields::default() };
    house.update(&bob.id, same).await.unwrap();
    assert_eq!(entries(house).await.len(), before);
}
