//! One action over many accounts: per account, later, cancelled, crashed, and what is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, Statement};
use souk_accounts::{Config, handlers};
use souk_events::registry;
use souk_jobs::{Job, Jobs, Status};
use souk_proto::accounts::v1::group_action_service_client::GroupActionServiceClient;
use souk_proto::accounts::v1::{
    StartGroupActionRequest, StartGroupActionResponse, User, UserFields,
};
use souk_proto::events::v1::UserChanged;
use souk_rpc::{Failure, Guarded, Kind};
use souk_values::{JobId, Page, UserId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::block::of_user;
use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};
use crate::told::fact;

mod interrupted;

crate::on_both! {
    accounts_are_switched_one_by_one_and_each_is_told
    accounts_are_blocked_for_seven_days
    inactive_accounts_are_removed_with_all_that_is_kept_of_them
    inactive_accounts_are_kept_as_long_as_the_setting_says
    a_test_letter_goes_to_everybody_active_once
    an_account_that_stands_in_the_way_fails_alone
    nobody_shuts_out_themselves_the_last_admin_or_whoever_holds_more
    who_lost_their_power_before_it_begins_does_nothing_to_anybody
    two_actions_leave_one_admin
    broken_fields_are_named_and_ten_thousand_accounts_are_taken
    only_who_may_change_accounts_orders_actions
}

fn order(action: &str, users: &[&User]) -> StartGroupActionRequest {
    StartGroupActionRequest {
        action: action.to_owned(),
        user_ids: users.iter().map(|user| user.id.clone()).collect(),
        delay_s: Some(0),
    }
}

/// A process that does the jobs.
struct Worker {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Worker {
    fn begin(house: &House) -> Self {
        Self::with(house, Jobs::new(house.db.clone(), house.clock.clone()))
    }

    fn with(house: &House, jobs: Jobs) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(jobs.run(handlers(&house.app), stop.clone())), stop }
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(180), self.task).await.unwrap().unwrap();
    }

    /// Vanishes without a word.
    async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

impl House {
    /// Removes everybody for good who is inactive.
    pub(crate) async fn delete_all_inactive(&self) {
        self.act(order("delete_inactive", &[])).await;
    }

    async fn order_as(
        &self,
        token: &str,
        request: StartGroupActionRequest,
    ) -> Result<StartGroupActionResponse, Failure> {
        let mut client = GroupActionServiceClient::new(self.from("gateway"));
        answer_as(token, client.start_group_action(request)).await
    }

    async fn order(
        &self,
        request: StartGroupActionRequest,
    ) -> Result<StartGroupActionResponse, Failure> {
        let mut client = GroupActionServiceClient::new(self.from("operator"));
        answer(client.start_group_action(request)).await
    }

    async fn order_at(&self, to: &Guarded, request: StartGroupActionRequest) -> JobId {
        let mut client = GroupActionServiceClient::new(self.transport(to, "operator"));
        answer(client.start_group_action(request)).await.unwrap().job_id.parse().unwrap()
    }

    fn jobs(&self) -> Jobs {
        Jobs::new(self.db.clone(), self.clock.clone())
    }

    async fn job(&self, id: JobId) -> Job {
        self.jobs().get(id).await.unwrap().unwrap()
    }

    async fn until(&self, id: JobId, is: impl Fn(&Job) -> bool) -> Job {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for _ in 0..36_000 {
            ticks.tick().await;
            let job = self.job(id).await;
            if is(&job) {
                return job;
            }
        }
        panic!("{:?}", self.job(id).await);
    }

    /// The job's results by account: outcome, and detail where there is one.
    async fn results(&self, id: JobId) -> BTreeMap<String, String> {
        let mut results = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let page = Page::new(100, &cursor).unwrap();
            let (some, next) = self.jobs().results(id, &page).await.unwrap();
            for result in some {
                let text = format!("{} {}", result.outcome, result.detail);
                let before = results.insert(result.key, text.trim_end().to_owned());
                assert_eq!(before, None, "an account is told once");
            }
            match next {
                Some(next) => next.as_str().clone_into(&mut cursor),
                None => return results,
            }
        }
    }

    /// Does the action to the end; answers the job and what became of each account.
    async fn act(&self, request: StartGroupActionRequest) -> (Job, BTreeMap<String, String>) {
        let id = self.order(request).await.unwrap().job_id.parse().unwrap();
        self.done(id).await
    }

    async fn done(&self, id: JobId) -> (Job, BTreeMap<String, String>) {
        let worker = Worker::begin(self);
        let job = self.until(id, |job| job.status.has_ended()).await;
        worker.end().await;
        assert_eq!(job.status, Status::Succeeded, "{}", job.message);
        (job, self.results(id).await)
    }

    async fn counted(&self, sql: &str) -> i64 {
        let db = self.db.write();
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        row.unwrap().unwrap().try_get("", "n").unwrap()
    }

    /// How many events of each kind were told of an account.
    async fn told_of(&self, id: &str) -> Vec<String> {
        let events = self.events().await.into_iter();
        events.filter(|(_, told)| told.user_id == id).map(|(_, told)| told.kind).collect()
    }
}

fn outcomes(of: &[(&User, &str)]) -> BTreeMap<String, String> {
    of.iter().map(|(user, outcome)| (user.id.clone(), (*outcome).to_owned())).collect()
}

async fn accounts_are_switched_one_by_one_and_each_is_told(house: &House) {
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let (ann, ben) = (house.person("ann").await, house.person("ben").await);
    let session = house.login("ann", PASSWORD).await.unwrap();
    house.delete(&ben.id).await.unwrap();
    let nobody = User { id: UserId::new().to_string(), ..User::default() };
    let all = [&ann, &ben, &nobody];

    let started = house.order_as(&token, order("deactivate", &all)).await.unwrap();
    assert_eq!(started.run_at_us, house.clock.now_us());
    let (job, results) = house.done(started.job_id.parse().unwrap()).await;
    assert_eq!(results, outcomes(&[(&ann, "done"), (&ben, "skipped"), (&nobody, "unknown")]));
    assert_eq!((job.kind.as_str(), job.done, job.total), ("deactivate_users", 3, 3));
    assert_eq!((&job.created_by, job.counts["done"], job.counts["skipped"]), (&root.id, 1, 1));
    assert!(house.verifier.verify(&session.access_token).await.is_err());
    assert_eq!(refusal(house.refresh(&session.refresh_token).await).1, "invalid_refresh_token");
    let (_, told) = house.events().await.pop().unwrap();
    assert_eq!((&told.user_id, &told.actor_id, told.active), (&ann.id, &root.id, false));
    assert_eq!(
        (told.kind.as_str(), told.version, told.fields),
        ("changed", 2, vec!["active".to_owned()])
    );
    assert_eq!(house.ends().await.last().unwrap().reason, "blocked");

    let (_, results) = house.act(order("activate", &all)).await;
    assert_eq!(results, outcomes(&[(&ann, "done"), (&ben, "done"), (&nobody, "unknown")]));
    assert!(
        house.login("ann", PASSWORD).await.is_ok() && house.login("ben", PASSWORD).await.is_ok()
    );
    let (_, results) = house.act(order("activate", &[&ann])).await;
    assert_eq!(results, outcomes(&[(&ann, "skipped")]));
    let (_, results) = house.act(order("delete", &all)).await;
    assert_eq!(results, outcomes(&[(&ann, "done"), (&ben, "done"), (&nobody, "unknown")]));
    assert_eq!(refusal(house.get(&ann.id).await).1, "user_not_found");
    assert_eq!(house.told_of(&ann.id).await, ["created", "changed", "changed", "deleted"]);
    // the same account twice is meant once
    let (job, results) = house.act(order("activate", &[&ann, &ann])).await;
    assert_eq!((job.total, results.len()), (1, 1));
}

async fn accounts_are_blocked_for_seven_days(house: &House) {
    let root = house.admin("root").await;
    let (ann, ben) = (house.person("ann").await, house.person("ben").await);
    let session = house.login("ann", PASSWORD).await.unwrap();
    let earlier = house.block(of_user(&ben.id)).await.unwrap();
    let (_, results) = house.act(order("block", &[&ann, &ben, &root])).await;
    let expected = [(&ann, "done"), (&ben, "skipped"), (&root, "refused last_admin")];
    assert_eq!(results, outcomes(&expected));
    let blocks = house.list_blocks(false).await;
    let [block, second] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    assert_eq!((second, &block.user_id), (&earlier, &ann.id));
    assert_eq!(
        (block.until_us - block.created_at_us, &*block.created_by),
        (7 * 86_400_000_000, "operator")
    );
    assert!(house.verifier.verify(&session.access_token).await.is_err());
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "account_blocked");
    let letters = house.letters("blocked").await;
    assert_eq!((letters.len(), fact(&letters[1], "until")), (2, "2027-01-22T08:00:00Z"));
    house.clock.advance(TimeDelta::days(7));
    assert!(house.login("ann", PASSWORD).await.is_ok());
}

async fn inactive_accounts_are_removed_with_all_that_is_kept_of_them(house: &House) {
    let (ann, ben) = (house.person("ann").await, house.person("ben").await);
    house.token("ann").await;
    assert!(house.login("ann", "a wrong guess").await.is_err());
    house.block(of_user(&ann.id)).await.unwrap();
    let about = |table: &str, column: &str| {
        let ann = ann.id.parse::<UserId>().unwrap().uuid().simple().to_string();
        // sixteen bytes in one database, digits and hyphens in the other
        let id = if house.db.is_postgres() {
            format!("REPLACE(CAST({column} AS TEXT), '-', '')")
        } else {
            format!("LOWER(HEX({column}))")
        };
        format!("SELECT COUNT(*) AS n FROM {table} WHERE {id} = '{ann}'")
    };
    let tables = ["session", "block", "mail_request"];
    for table in tables {
        assert_eq!(house.counted(&about(table, "account_id")).await, 1, "{table}");
    }
    assert_eq!(house.counted(&about("account", "id")).await, 1);
    house.delete(&ann.id).await.unwrap();
    // many more than one part holds
    for n in 0..45 {
        let gone = house.person(&format!("gone{n}")).await;
        house.delete(&gone.id).await.unwrap();
    }
    let request = StartGroupActionRequest { delay_s: Some(0), ..order("delete_inactive", &[]) };
    let (job, results) = house.act(request.clone()).await;
    assert_eq!((job.done, job.total, job.counts["done"]), (46, 46, 46));
    assert!(results.values().all(|outcome| outcome == "done") && results.len() == 46);
    assert_eq!(house.counted(&about("account", "id")).await, 0);
    for table in tables {
        assert_eq!(house.counted(&about(table, "account_id")).await, 0, "{table}");
    }
    assert_eq!(house.counted("SELECT COUNT(*) AS n FROM login_brake").await, 0);
    assert_eq!(house.told_of(&ann.id).await, ["created", "deleted", "deleted"]);
    let told = house.told().await;
    let last = told.iter().rev().find(|event| event.subject == format!("user/{}", ann.id)).unwrap();
    let told = last.decode::<UserChanged>().unwrap();
    assert_eq!(last.event_type, registry::USER_DELETED);
    assert_eq!((told.version, told.active, &*told.actor_id), (3, false, "operator"));
    // active ones stay, and the names are free again
    assert_eq!(house.get(&ben.id).await.unwrap(), ben);
    assert_ne!(house.person("ann").await.id, ann.id);
    let (job, results) = house.act(request).await;
    assert_eq!((job.done, results.len()), (0, 0));
}

async fn inactive_accounts_are_kept_as_long_as_the_setting_says(house: &House) {
    let keeps = |config: &mut Config| config.inactive_kept_days = 30;
    let (old, new) = (house.person("old").await, house.person("new").await);
    house.delete(&old.id).await.unwrap();
    house.clock.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    house.delete(&new.id).await.unwrap();
    let app = house.process(keeps);
    for (seconds, expected) in [(0, vec![]), (1, vec![(&old, "done")])] {
        house.clock.advance(TimeDelta::seconds(seconds));
        let id = house.order(order("delete_inactive", &[])).await.unwrap().job_id;
        let id: JobId = id.parse().unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(house.jobs().run(handlers(&app), stop.clone()));
        house.until(id, |job| job.status == Status::Succeeded).await;
        stop.cancel();
        task.await.unwrap();
        assert_eq!(house.results(id).await, outcomes(&expected));
    }
}

async fn a_test_letter_goes_to_everybody_active_once(house: &House) {
    let (ann, ben) = (house.person("ann").await, house.person("ben").await);
    house.delete(&ben.id).await.unwrap();
    let (job, results) = house.act(order("send_test_mail", &[&ann, &ben])).await;
    assert_eq!(job.kind, "send_test_mails");
    assert_eq!(results, outcomes(&[(&ann, "done"), (&ben, "skipped")]));
    let letters = house.letters("test").await;
    let [letter] = &letters[..] else { panic!("{} letters", letters.len()) };
    assert_eq!((&letter.user_id, &letter.email), (&ann.id, &ann.email));
}

async fn an_account_that_stands_in_the_way_fails_alone(house: &House) {
    let mut gone = Vec::new();
    for name in ["ann", "ben", "cay"] {
        let person = house.person(name).await;
        house.delete(&person.id).await.unwrap();
        gone.push(person);
    }
    // something that nobody knows of hangs on one of them
    let id = if house.db.is_postgres() { "UUID" } else { "BLOB" };
    let table = format!("CREATE TABLE anchor (account_id {id} REFERENCES account (id))");
    house.db.write().execute_unprepared(&table).await.unwrap();
    let anchor = "INSERT INTO anchor SELECT id FROM account WHERE username = 'ben'";
    house.db.write().execute_unprepared(anchor).await.unwrap();
    let [ann, ben, cay] = &gone[..] else { panic!("three") };
    let (job, results) = house.act(order("delete_inactive", &[])).await;
    assert_eq!(results, outcomes(&[(ann, "done"), (ben, "failed internal"), (cay, "done")]));
    assert_eq!((job.counts["done"], job.counts["failed"], job.attempts), (2, 1, 1));
    assert_eq!(house.told_of(&ben.id).await, ["created", "deleted"], "what failed told nothing");
    assert_eq!(house.counted("SELECT COUNT(*) AS n FROM account").await, 1);
}

async fn nobody_shuts_out_themselves_the_last_admin_or_whoever_holds_more(house: &House) {
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let clerk = house.clerk("clerk").await;
    let ann = house.person("ann").await;
    for action in ["deactivate", "block", "delete"] {
        let (_, results) = house.act(order(action, &[&root])).await;
        assert_eq!(results, outcomes(&[(&root, "refused last_admin")]), "{action}");
        for (who, why) in
            [(&token, "refused own_account"), (&clerk, "refused beyond_own_permissions")]
        {
            let started = house.order_as(who, order(action, &[&root])).await.unwrap();
            let (_, results) = house.done(started.job_id.parse().unwrap()).await;
            assert_eq!(results, outcomes(&[(&root, why)]), "{action}");
        }
    }
    assert_eq!(house.get(&root.id).await.unwrap(), root);
    // a clerk may do it to customers
    let started = house.order_as(&clerk, order("block", &[&ann])).await.unwrap();
    let (_, results) = house.done(started.job_id.parse().unwrap()).await;
    assert_eq!(results, outcomes(&[(&ann, "done")]));
    assert!(house.me(&token).await.is_ok());
}

/// Whoever stole an admin's session has a minute at most.
async fn who_lost_their_power_before_it_begins_does_nothing_to_anybody(house: &House) {
    let ann = house.person("ann").await;
    let role = |role: &str| UserFields { role: Some(role.to_owned()), ..Default::default() };
    let off = UserFields { active: Some(false), ..Default::default() };
    house.admin("keeper").await;
    for (name, loss) in [("ben", Some(role("catalog_admin"))), ("cay", Some(off)), ("dan", None)] {
        let lost = house.admin(name).await;
        let token = house.token(name).await;
        let mut started = Vec::new();
        for action in ["deactivate", "block", "delete", "send_test_mail"] {
            let wish = StartGroupActionRequest { delay_s: Some(60), ..order(action, &[&ann]) };
            started.push(house.order_as(&token, wish).await.unwrap());
        }
        match loss {
            Some(fields) => drop(house.update(&lost.id, fields).await.unwrap()),
            None => drop(house.block(of_user(&lost.id)).await.unwrap()),
        }
        house.clock.advance(TimeDelta::seconds(60));
        for started in started {
            let (_, results) = house.done(started.job_id.parse().unwrap()).await;
            assert_eq!(results, outcomes(&[(&ann, "refused beyond_own_permissions")]), "{name}");
        }
    }
    assert_eq!(house.get(&ann.id).await.unwrap(), ann);
    assert!(house.letters("test").await.is_empty() && house.login("ann", PASSWORD).await.is_ok());
}

async fn two_actions_leave_one_admin(house: &House) {
    let (one, two) = (house.admin("one").await, house.admin("two").await);
    let (_, results) = house.act(order("deactivate", &[&one, &two])).await;
    let mut words: Vec<&String> = results.values().collect();
    words.sort();
    assert_eq!(words, ["done", "refused last_admin"]);
    let left = if results[&one.id] == "done" { &two } else { &one };
    assert!(house.get(&left.id).await.unwrap().active);
    // from two sides at once
    for round in 0..3 {
        house.act(order("activate", &[&one, &two])).await;
        let request = order("block", &[&one]);
        let id: JobId = house.order(request).await.unwrap().job_id.parse().unwrap();
        let down = UserFields { role: Some("customer".into()), ..Default::default() };
        let (acted, demoted) = tokio::join!(house.done(id), house.update(&two.id, down));
        let blocked = acted.1[&one.id] == "done";
        assert_ne!(blocked, demoted.is_ok(), "round {round}");
        for block in house.list_blocks(false).await {
            house.lift(&block.id).await.unwrap();
        }
        let up = UserFields { role: Some("admin".into()), ..Default::default() };
        house.update(&two.id, up).await.unwrap();
    }
}

async fn broken_fields_are_named_and_ten_thousand_accounts_are_taken(house: &House) {
    let broken = |request: StartGroupActionRequest| async move {
        let refused = house.order(request).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
        broken_fields(&refused).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let ids = |n: usize| (0..n).map(|_| UserId::new().to_string()).collect::<Vec<_>>();
    let request = |action: &str, user_ids, delay_s| StartGroupActionRequest {
        action: action.to_owned(),
        user_ids,
        delay_s,
    };
    let all = ["action", "user_ids", "delay_s"];
    assert_eq!(broken(request("promote", vec![], Some(86_401))).await, all);
    assert_eq!(broken(request("", vec!["ann".into()], None)).await, ["action", "user_ids"]);
    assert_eq!(broken(request("block", vec![], None)).await, ["user_ids"]);
    assert_eq!(broken(request("block", ids(10_001), None)).await, ["user_ids"]);
    assert_eq!(broken(request("delete_inactive", ids(1), None)).await, ["user_ids"]);
    let page = Page::new(100, "").unwrap();
    assert!(house.jobs().list(&page).await.unwrap().0.is_empty());
    let started = house.order(request("block", ids(10_000), None)).await.unwrap();
    assert_eq!(house.job(started.job_id.parse().unwrap()).await.status, Status::Waiting);
}

async fn only_who_may_change_accounts_orders_actions(house: &House) {
    let ann = house.person("ann").await;
    house.create(UserFields { role: Some("catalog_admin".into()), ..fields("cat") }).await.unwrap();
    for who in ["ann", "cat"] {
        let token = house.token(who).await;
        let refused = house.order_as(&token, order("block", &[&ann])).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Forbidden);
    }
    let mut client = GroupActionServiceClient::new(house.from("gateway"));
    let nobody = answer(client.start_group_action(order("block", &[&ann]))).await;
    assert_eq!(nobody.unwrap_err().kind, Kind::Unauthenticated);
}
