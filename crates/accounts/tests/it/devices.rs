//! Where somebody is logged in: at most three devices, listed, named and ended by their owner.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures::future::join_all;
use souk_proto::accounts::v1::device_service_client::DeviceServiceClient;
use souk_proto::accounts::v1::{
    EndAllSessionsRequest, EndSessionRequest, ListSessionsRequest, LoginRequest,
    RenameSessionRequest, Session, SessionTokens, UserFields,
};
use souk_proto::events::v1::SessionEnded;
use souk_rpc::{Failure, Kind, Transport};
use souk_values::SessionId;

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, refusal};
use crate::told::fact;

crate::on_both! {
    s14_a_fourth_device_ends_the_one_used_longest_ago_and_its_owner_is_told
    p35_fifty_logins_at_once_leave_exactly_three
    devices_are_listed_with_the_newest_use_first
    a_device_gets_another_name_from_its_owner
    a_device_is_ended_by_its_owner_and_nobody_else
    one_logs_out_everywhere_else_and_everywhere
    p34_every_change_of_power_ends_all_sessions_and_is_told_once
}

/// A login as a program makes it.
pub(crate) fn attempt(login: &str) -> LoginRequest {
    LoginRequest {
        login: login.to_owned(),
        password: PASSWORD.to_owned(),
        address: "203.0.113.9".to_owned(),
        ..LoginRequest::default()
    }
}

/// A login that is to last without a visit.
pub(crate) fn remembered(login: &str) -> LoginRequest {
    LoginRequest { remember: true, ..attempt(login) }
}

fn on(device: &str) -> LoginRequest {
    LoginRequest { device: device.to_owned(), ..attempt("ann") }
}

impl House {
    pub(crate) async fn enter(&self, request: LoginRequest) -> Result<SessionTokens, Failure> {
        answer(self.sessions().login(request)).await
    }

    fn devices(&self) -> DeviceServiceClient<Transport> {
        DeviceServiceClient::new(self.from("gateway"))
    }

    pub(crate) async fn list_devices(&self, token: &str) -> Result<Vec<Session>, Failure> {
        let list = answer_as(token, self.devices().list_sessions(ListSessionsRequest {})).await;
        list.map(|list| list.items)
    }

    async fn rename(&self, token: &str, id: &str, device: &str) -> Result<Session, Failure> {
        let request = RenameSessionRequest { id: id.to_owned(), device: device.to_owned() };
        answer_as(token, self.devices().rename_session(request)).await
    }

    async fn end(&self, token: &str, id: &str) -> Result<Session, Failure> {
        let request = EndSessionRequest { id: id.to_owned() };
        answer_as(token, self.devices().end_session(request)).await
    }

    async fn end_all(&self, token: &str, keep_current: bool) -> Result<u32, Failure> {
        let request = EndAllSessionsRequest { keep_current };
        answer_as(token, self.devices().end_all_sessions(request)).await.map(|answer| answer.ended)
    }

    /// Neither token of the session is good any more.
    async fn is_out(&self, session: &SessionTokens) -> bool {
        let access = self.verifier.verify(&session.access_token).await;
        access.is_err() && self.refresh(&session.refresh_token).await.is_err()
    }
}

fn ids<'a>(sessions: impl IntoIterator<Item = &'a SessionTokens>) -> BTreeSet<String> {
    sessions.into_iter().map(|session| session.session_id.clone()).collect()
}

fn told_ids(end: &SessionEnded) -> BTreeSet<String> {
    end.session_ids.iter().cloned().collect()
}

fn missing() -> (Kind, String) {
    (Kind::NotFound, "session_not_found".to_owned())
}

async fn s14_a_fourth_device_ends_the_one_used_longest_ago_and_its_owner_is_told(house: &House) {
    let ann = house.person("ann").await;
    let mut sessions = Vec::new();
    for device in ["phone", "laptop", "tablet"] {
        sessions.push(house.enter(on(device)).await.unwrap());
        house.clock.advance(TimeDelta::minutes(1));
    }
    // the first one is used again, so the second one was used longest ago
    let phone = house.refresh(&sessions[0].refresh_token).await.unwrap();
    assert_eq!((phone.session_id.as_str(), house.ends().await), (&*sessions[0].session_id, vec![]));
    house.clock.advance(TimeDelta::minutes(1));
    let fourth = house.enter(on("desktop")).await.unwrap();
    assert!(house.is_out(&sessions[1]).await);
    let shown = house.list_devices(&fourth.access_token).await.unwrap();
    let names: Vec<&str> = shown.iter().map(|session| session.device.as_str()).collect();
    assert_eq!(names, ["desktop", "phone", "tablet"]);
    assert!(house.refresh(&phone.refresh_token).await.is_ok());
    assert!(house.refresh(&sessions[2].refresh_token).await.is_ok());

    let ends = house.ends().await;
    let [end] = &ends[..] else { panic!("{} ends were told", ends.len()) };
    assert_eq!((end.user_id.as_str(), end.reason.as_str()), (ann.id.as_str(), "evicted"));
    assert_eq!(told_ids(end), ids([&sessions[1]]));
    let letters = house.letters("session_ended").await;
    let [letter] = &letters[..] else { panic!("{} letters", letters.len()) };
    assert_eq!((letter.email.as_str(), letter.user_id.as_str()), (&*ann.email, &*ann.id));
    let facts = ["device", "network", "reason", "at"].map(|name| fact(letter, name));
    assert_eq!(facts, ["laptop", "203.0.113.0/24", "evicted", "2027-01-15T08:04:00Z"]);
}

async fn p35_fifty_logins_at_once_leave_exactly_three(house: &House) {
    for name in ["ann", "ben", "cleo"] {
        house.person(name).await;
        let before = (house.ends().await.len(), house.letters("session_ended").await.len());
        let logins = join_all((0..50).map(|_| house.enter(attempt(name)))).await;
        let (opened, refused): (Vec<_>, Vec<_>) = logins.into_iter().partition(Result::is_ok);
        // whoever waited too long for their turn came in vain, and harmed nobody
        assert!(refused.into_iter().all(|login| login.unwrap_err().reason == "busy"));
        let opened: Vec<SessionTokens> = opened.into_iter().flatten().collect();
        assert!(opened.len() > 3, "{}", opened.len());

        let mut live = BTreeSet::new();
        for session in &opened {
            let access = house.verifier.verify(&session.access_token).await;
            let refreshed = house.refresh(&session.refresh_token).await;
            assert_eq!(access.is_ok(), refreshed.is_ok());
            if let Ok(refreshed) = refreshed {
                live.insert(refreshed.session_id);
            }
        }
        assert_eq!(live.len(), 3);
        let ends = house.ends().await.split_off(before.0);
        assert!(ends.iter().all(|end| end.reason == "evicted" && end.session_ids.len() == 1));
        let told: BTreeSet<String> = ends.iter().flat_map(told_ids).collect();
        let evicted: BTreeSet<String> = ids(&opened).difference(&live).cloned().collect();
        assert_eq!((told.len(), ends.len()), (evicted.len(), evicted.len()));
        assert_eq!(told, evicted);
        let letters = house.letters("session_ended").await.split_off(before.1);
        assert_eq!(letters.len(), evicted.len());
    }
}

async fn devices_are_listed_with_the_newest_use_first(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let said =
        LoginRequest { device: "Fire\r\nfox\0 \u{202e}on  Linux".into(), ..remembered("ann") };
    let first = house.enter(said).await.unwrap();
    house.clock.advance(TimeDelta::seconds(90));
    let second = house.enter(attempt("ann")).await.unwrap();
    house.enter(attempt("ben")).await.unwrap();
    let shown = house.list_devices(&first.access_token).await.unwrap();
    let [newer, older] = &shown[..] else { panic!("{} sessions", shown.len()) };
    let start = house.clock.now_us() - 90_000_000;
    let month = 30 * 24 * 3600 * 1_000_000;
    assert_eq!(
        older,
        &Session {
            id: first.session_id.clone(),
            device: "Fire fox on Linux".into(),
            network: "203.0.113.0/24".into(),
            created_at_us: start,
            last_used_at_us: start,
            expires_at_us: start + month,
            current: true,
            remember: true,
        }
    );
    assert_eq!(first.session_expires_at_us, start + month);
    assert_eq!((newer.id.as_str(), newer.current), (second.session_id.as_str(), false));
    assert_eq!((newer.device.as_str(), newer.remember), ("", false));
    let nobody = answer(house.devices().list_sessions(ListSessionsRequest {})).await;
    assert_eq!(nobody.unwrap_err().kind, Kind::Unauthenticated);
}

async fn a_device_gets_another_name_from_its_owner(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let ann = house.enter(on("phone")).await.unwrap();
    let ben = house.enter(attempt("ben")).await.unwrap();
    let named = house.rename(&ann.access_token, &ann.session_id, " Kitchen 📱 ").await.unwrap();
    assert_eq!((named.device.as_str(), named.current), ("Kitchen 📱", true));
    assert_eq!(house.list_devices(&ann.access_token).await.unwrap(), std::slice::from_ref(&named));
    let long = "x".repeat(101);
    for broken in ["", "   ", "a\nb", "a\0", long.as_str()] {
        let refused = house.rename(&ann.access_token, &ann.session_id, broken).await.unwrap_err();
        assert_eq!((refused.kind, broken_fields(&refused)), (Kind::Invalid, vec!["device"]));
    }
    let nobodys = SessionId::new().to_string();
    for foreign in [ben.session_id.as_str(), &nobodys, "", "rubbish", "ses_"] {
        assert_eq!(refusal(house.rename(&ann.access_token, foreign, "mine").await), missing());
    }
    assert_eq!(house.list_devices(&ann.access_token).await.unwrap(), [named]);
    assert_eq!(house.list_devices(&ben.access_token).await.unwrap()[0].device, "");
}

async fn a_device_is_ended_by_its_owner_and_nobody_else(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let (lost, kept) =
        (house.enter(on("lost")).await.unwrap(), house.enter(on("kept")).await.unwrap());
    let ben = house.enter(attempt("ben")).await.unwrap();
    for foreign in [lost.session_id.as_str(), "rubbish"] {
        assert_eq!(refusal(house.end(&ben.access_token, foreign).await), missing());
    }
    assert!(house.verifier.verify(&lost.access_token).await.is_ok());
    assert!(house.ends().await.is_empty());

    let ended = house.end(&kept.access_token, &lost.session_id).await.unwrap();
    assert_eq!((ended.device.as_str(), ended.current), ("lost", false));
    assert!(house.is_out(&lost).await);
    assert_eq!(refusal(house.end(&kept.access_token, &lost.session_id).await), missing());
    assert_eq!(house.list_devices(&kept.access_token).await.unwrap().len(), 1);
    let ends = house.ends().await;
    assert_eq!(ends.len(), 1);
    assert_eq!((ends[0].reason.as_str(), told_ids(&ends[0])), ("ended", ids([&lost])));
    assert!(house.refresh(&kept.refresh_token).await.is_ok());
    assert!(house.refresh(&ben.refresh_token).await.is_ok());
}

async fn one_logs_out_everywhere_else_and_everywhere(house: &House) {
    house.person("ann").await;
    house.person("ben").await;
    let ben = house.enter(attempt("ben")).await.unwrap();
    let mut sessions = Vec::new();
    for device in ["phone", "laptop", "tablet"] {
        sessions.push(house.enter(on(device)).await.unwrap());
    }
    let [phone, laptop, tablet] = &sessions[..] else { panic!("three logins") };
    assert_eq!(house.end_all(&tablet.access_token, true).await.unwrap(), 2);
    assert!(house.is_out(phone).await && house.is_out(laptop).await);
    let tablet = house.refresh(&tablet.refresh_token).await.unwrap();
    assert_eq!(house.end_all(&tablet.access_token, true).await.unwrap(), 0);
    assert_eq!(house.end_all(&tablet.access_token, false).await.unwrap(), 1);
    assert!(house.is_out(&tablet).await);
    let ends = house.ends().await;
    let told: Vec<_> = ends.iter().map(|end| (end.reason.as_str(), told_ids(end))).collect();
    assert_eq!(told, [("ended", ids([phone, laptop])), ("ended", ids([&tablet]))]);
    assert!(house.refresh(&ben.refresh_token).await.is_ok());
}

async fn p34_every_change_of_power_ends_all_sessions_and_is_told_once(house: &House) {
    let only = UserFields::default;
    let changes = [
        ("role", UserFields { role: Some("admin".into()), ..only() }),
        ("password", UserFields { password: Some("another password".into()), ..only() }),
        ("blocked", UserFields { active: Some(false), ..only() }),
    ];
    house.admin("keeper").await;
    for (reason, change) in changes {
        let name = format!("p-{reason}");
        let user = house.person(&name).await;
        let sessions = [
            house.enter(attempt(&name)).await.unwrap(),
            house.enter(remembered(&name)).await.unwrap(),
        ];
        house.update(&user.id, UserFields { full_name: Some("X".into()), ..only() }).await.unwrap();
        assert!(house.verifier.verify(&sessions[0].access_token).await.is_ok());
        let before = house.ends().await.len();
        house.update(&user.id, change).await.unwrap();
        for session in &sessions {
            assert!(house.is_out(session).await, "{reason}");
        }
        let ends = house.ends().await.split_off(before);
        let [end] = &ends[..] else { panic!("{reason}: {} ends were told", ends.len()) };
        assert_eq!((end.user_id.as_str(), end.reason.as_str()), (user.id.as_str(), reason));
        assert_eq!(told_ids(end), ids(&sessions));
    }
    let gone = house.person("gone").await;
    let session = house.enter(attempt("gone")).await.unwrap();
    house.delete(&gone.id).await.unwrap();
    assert!(house.is_out(&session).await);
    let end = house.ends().await.pop().unwrap();
    assert_eq!((end.reason.as_str(), told_ids(&end)), ("blocked", ids([&session])));
    // nothing was told twice, and nothing left out
    let (_, gaps) = souk_events::outbox::audit::gaps(&house.db).await.unwrap();
    assert!(gaps.is_empty(), "{gaps:?}");
}
