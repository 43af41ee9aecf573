//! The list of ended sessions: what gateways read in case they miss an event.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, Statement};
use souk_accounts::schedules;
use souk_proto::accounts::v1::{
    ListEndedSessionsRequest, ListEndedSessionsResponse, SessionTokens, UserFields,
};
use souk_rpc::Failure;
use souk_values::SessionId;

use crate::devices::{attempt, remembered};
use crate::house::{House, answer};
use crate::people::broken_fields;

crate::on_both! {
    p33_p34_whatever_ends_sessions_lists_them
    p34_sessions_of_an_account_that_is_gone_are_listed
    what_is_committed_late_is_listed_later
    what_ended_before_any_token_that_lives_is_not_listed
    a_long_list_comes_in_parts_with_nothing_left_out
    what_is_no_cursor_is_refused
}

impl House {
    pub(crate) async fn list_ended(
        &self,
        cursor: &str,
    ) -> Result<ListEndedSessionsResponse, Failure> {
        let request = ListEndedSessionsRequest { cursor: cursor.to_owned() };
        answer(self.sessions().list_ended_sessions(request)).await
    }

    /// All that a gateway reads that has just started.
    pub(crate) async fn all_ended(&self) -> BTreeSet<String> {
        let mut cursor = String::new();
        let mut all = BTreeSet::new();
        loop {
            let list = self.list_ended(&cursor).await.unwrap();
            all.extend(list.session_ids);
            if !list.more {
                return all;
            }
            cursor = list.next_cursor;
        }
    }

    async fn told_ended(&self) -> BTreeSet<String> {
        self.ends().await.into_iter().flat_map(|end| end.session_ids).collect()
    }

    async fn rows(&self) -> i64 {
        let db = self.db.write();
        let sql = "SELECT COUNT(*) AS n FROM ended_session";
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        row.unwrap().unwrap().try_get("", "n").unwrap()
    }
}

fn id(session: &SessionTokens) -> String {
    session.session_id.clone()
}

async fn p33_p34_whatever_ends_sessions_lists_them(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    assert!(house.all_ended().await.is_empty());
    let mut ended = BTreeSet::new();

    house.person("ann").await;
    let gone = house.enter(remembered("ann")).await.unwrap();
    house.logout(&gone.refresh_token).await.unwrap();
    ended.insert(id(&gone));
    assert_eq!(house.all_ended().await, ended);
    // the fourth device
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(house.enter(remembered("ann")).await.unwrap());
        house.clock.advance(TimeDelta::seconds(1));
    }
    ended.insert(id(&sessions[0]));
    assert_eq!(house.all_ended().await, ended);
    // a refresh token that somebody has a copy of
    house.refresh(&sessions[1].refresh_token).await.unwrap();
    house.clock.advance(TimeDelta::seconds(11));
    house.refresh(&sessions[1].refresh_token).await.unwrap_err();
    ended.insert(id(&sessions[1]));
    assert_eq!(house.all_ended().await, ended);

    // what a key was exchanged for has no row of its own
    let (mia, token) = house.with_role("mia", "catalog_admin").await;
    let made = house.make_key(&token, &["stats.read"]).await.unwrap();
    let program = house.token_of(&made.key).await;
    let program = house.verifier.verify(&program).await.unwrap().session;
    let before = house.told_ended().await;
    let customer = UserFields { role: Some("customer".to_owned()), ..UserFields::default() };
    house.update(&mia.id, customer).await.unwrap();
    let all = house.all_ended().await;
    assert!(all.contains(&program.to_string()));
    assert_eq!(all.difference(&before).count(), 2, "mia's session, and the program's");
    let program = house.token_of(&made.key).await;
    let program = house.verifier.verify(&program).await.unwrap().session;
    house.revoke_key(&root, &made.api_key.unwrap().id).await.unwrap();
    assert!(house.all_ended().await.contains(&program.to_string()));

    // a role that shrinks, for all who have it
    let (_, token) = house.with_role("nia", "catalog_admin").await;
    let nia = house.verifier.verify(&token).await.unwrap().session;
    house.change_role(&root, "catalog_admin", &["products.write"]).await.unwrap();
    assert!(house.all_ended().await.contains(&nia.to_string()));
    // and no event names what the list does not
    assert_eq!(house.all_ended().await, house.told_ended().await);
    assert!(house.verifier.verify(&root).await.is_ok());
}

async fn p34_sessions_of_an_account_that_is_gone_are_listed(house: &House) {
    let ann = house.person("ann").await;
    let session = house.enter(attempt("ann")).await.unwrap();
    house.delete(&ann.id).await.unwrap();
    house.delete_all_inactive().await;
    assert_eq!(house.all_ended().await, BTreeSet::from([id(&session)]));
}

async fn what_is_committed_late_is_listed_later(house: &House) {
    house.person("ann").await;
    let [slow, quick] = [
        house.enter(remembered("ann")).await.unwrap(),
        house.enter(remembered("ann")).await.unwrap(),
    ];
    let first = house.list_ended("").await.unwrap();
    assert!(first.session_ids.is_empty() && !first.more);
    // its end bears a time from before that look
    house.clock.advance(TimeDelta::seconds(-29));
    house.logout(&slow.refresh_token).await.unwrap();
    house.clock.advance(TimeDelta::seconds(29));
    let second = house.list_ended(&first.next_cursor).await.unwrap();
    assert_eq!(second.session_ids, [id(&slow)]);
    house.clock.advance(TimeDelta::minutes(1));
    let third = house.list_ended(&second.next_cursor).await.unwrap();
    house.logout(&quick.refresh_token).await.unwrap();
    let fourth = house.list_ended(&third.next_cursor).await.unwrap();
    assert_eq!(fourth.session_ids, [id(&quick)]);
    // later nobody is told again
    house.clock.advance(TimeDelta::minutes(1));
    let fifth = house.list_ended(&fourth.next_cursor).await.unwrap();
    let sixth = house.list_ended(&fifth.next_cursor).await.unwrap();
    assert!(sixth.session_ids.is_empty());
}

async fn what_ended_before_any_token_that_lives_is_not_listed(house: &House) {
    house.person("ann").await;
    let session = house.enter(remembered("ann")).await.unwrap();
    let old = house.list_ended("").await.unwrap().next_cursor;
    house.logout(&session.refresh_token).await.unwrap();
    // the longest life that a setting allows
    house.clock.advance(TimeDelta::minutes(60));
    assert_eq!(house.all_ended().await, BTreeSet::from([id(&session)]));
    run(house).await;
    assert_eq!(house.all_ended().await, BTreeSet::from([id(&session)]));
    house.clock.advance(TimeDelta::minutes(2));
    assert!(house.all_ended().await.is_empty());
    assert!(house.list_ended(&old).await.unwrap().session_ids.is_empty(), "however old the cursor");
    house.clock.advance(TimeDelta::minutes(61));
    assert_eq!(house.rows().await, 1);
    run(house).await;
    assert_eq!(house.rows().await, 0);
}

async fn run(house: &House) {
    for schedule in schedules(&house.app) {
        (schedule.run)().await.unwrap();
    }
}

async fn a_long_list_comes_in_parts_with_nothing_left_out(house: &House) {
    house.person("ann").await;
    let session = house.enter(remembered("ann")).await.unwrap();
    house.logout(&session.refresh_token).await.unwrap();
    // a crowd that lost its role in one moment
    let new = if house.db.is_postgres() { "gen_random_uuid()" } else { "randomblob(16)" };
    let crowd = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) \
         INSERT INTO ended_session (session_id, ended_at) \
         SELECT {new}, (SELECT MIN(ended_at) FROM ended_session) FROM n"
    );
    house.db.write().execute_unprepared(&crowd).await.unwrap();
    let (mut cursor, mut parts, mut all) = (String::new(), Vec::new(), BTreeSet::new());
    loop {
        let list = house.list_ended(&cursor).await.unwrap();
        parts.push(list.session_ids.len());
        all.extend(list.session_ids);
        cursor = list.next_cursor;
        if !list.more {
            break;
        }
    }
    assert_eq!((parts.as_slice(), all.len()), (&[5000, 5000, 2001][..], 12_001));
    assert!(all.iter().all(|id| id.parse::<SessionId>().is_ok()) && all.contains(&id(&session)));
}

async fn what_is_no_cursor_is_refused(house: &House) {
    for cursor in ["x", "W10", "%%%"] {
        let refused = house.list_ended(cursor).await.unwrap_err();
        assert_eq!(broken_fields(&refused), ["cursor"], "{cursor}");
    }
}
