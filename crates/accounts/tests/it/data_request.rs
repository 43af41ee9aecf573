//! All that is kept of somebody: away everywhere, whatever fails meanwhile.

use chrono::TimeDelta;
use souk_audit::Audit;
use souk_jobs::Status;
use souk_proto::accounts::v1::address_service_client::AddressServiceClient;
use souk_proto::accounts::v1::api_key_service_client::ApiKeyServiceClient;
use souk_proto::accounts::v1::group_action_service_client::GroupActionServiceClient;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{
    CreateAddressRequest, CreateApiKeyRequest, CustomerAddress, ExchangeApiKeyRequest,
    StartGroupActionRequest, User, UserFields,
};
use souk_rpc::Kind;
use tokio_util::sync::CancellationToken;

use self::town::Town;
use crate::audit::attempt;
use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};
use crate::told::fact;

mod file;
mod orderer;
mod town;

crate::on_both! {
    an_erasure_waits_and_can_be_taken_back
    an_erasure_reaches_every_service_and_leaves_no_name
    open_orders_hold_an_erasure_until_they_end
    an_order_that_comes_after_the_question_is_waited_for_too
    who_is_away_is_waited_for
    a_kill_at_any_step_is_resumed
    the_last_admin_stays
    admins_act_for_others_within_their_power
    what_a_program_holds_gives_and_ends_nothing
    deleting_inactive_accounts_leaves_no_name_in_the_audit
}

/// What stands nowhere else.
const NAME: &str = "Zwetschgenberger";
const STREET: &str = "Kanarienvogelweg 7";

/// Somebody with traces all over accounts: a token, and who it is.
async fn ann(house: &House) -> (User, String) {
    let fields = UserFields {
        full_name: Some(format!("Ann {NAME}")),
        email: Some("ann.before@zwetschge.example".into()),
        ..fields("annzwetschge")
    };
    let ann = house.create(fields).await.unwrap();
    let email = Some("ann.now@zwetschge.example".to_owned());
    let moved = UserFields { email, ..UserFields::default() };
    let ann = house.update(&ann.id, moved).await.unwrap();
    let token = house.token("annzwetschge").await;
    let address = CustomerAddress {
        name: format!("Ann {NAME}"),
        line1: STREET.into(),
        city: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
        ..CustomerAddress::default()
    };
    let mut book = AddressServiceClient::new(house.from("gateway"));
    let request = CreateAddressRequest { address: Some(address) };
    answer_as(&token, book.create_address(request)).await.unwrap();
    house.forgot("annzwetschge", "").await.unwrap();
    let (guarded, audit) = house.audited();
    let mut sessions = SessionServiceClient::new(house.transport(&guarded, "gateway"));
    answer(sessions.login(attempt("annzwetschge", "a wrong guess"))).await.unwrap_err();
    // what it noted is written when it ends
    let stopped = CancellationToken::new();
    stopped.cancel();
    audit.run(stopped).await;
    (ann, token)
}

/// All words that lead to her.
const TRACES: [&str; 4] =
    ["zwetschgenberger", "kanarienvogelweg", "annzwetschge", "zwetschge.example"];

async fn traces(house: &House) -> Vec<&'static str> {
    let everything = house.everything().await;
    TRACES.into_iter().filter(|trace| everything.contains(trace)).collect()
}

async fn verified(house: &House) {
    let audit = Audit::new("accounts", house.db.clone(), house.clock.clone());
    audit.seal().await.unwrap();
    let verdict = audit.verify().await.unwrap();
    assert_eq!(verdict.breaches, Vec::new());
}

async fn an_erasure_waits_and_can_be_taken_back(house: &House) {
    let town = Town::of(house);
    let (ann, token) = ann(house).await;
    let missing = town.erase(&token, "", "").await.unwrap_err();
    assert_eq!(broken_fields(&missing), ["current_password"]);
    let wrong = town.erase(&token, "", "not this one").await.unwrap_err();
    assert_eq!((wrong.kind, &*wrong.reason), (Kind::Invalid, "wrong_password"));
    assert_eq!(refusal(town.erasure(&token, "").await).1, "erasure_not_found");
    assert_eq!(refusal(town.keep(&token, "").await).1, "erasure_not_found");

    let asked = town.erase(&token, "", PASSWORD).await.unwrap();
    assert_eq!((asked.status.as_str(), &asked.requested_by), ("waiting", &ann.id));
    assert_eq!(asked.run_at_us - asked.requested_at_us, 7 * 86_400_000_000);
    assert_eq!(refusal(town.erase(&token, "", PASSWORD).await).1, "erasure_requested");
    let letter = house.letter("erasure_requested").await;
    assert_eq!((&*letter.email, fact(&letter, "at")), (&*ann.email, "2027-01-22T08:00:00Z"));

    let worker = town.work();
    house.clock.advance(TimeDelta::days(7) - TimeDelta::seconds(1));
    let token = house.token("annzwetschge").await;
    assert_eq!(town.erasure(&token, "").await.unwrap().status, "waiting");
    let kept = town.keep(&token, "").await.unwrap();
    assert_eq!(kept.status, "cancelled");
    assert_eq!(house.letters("erasure_cancelled").await.len(), 1);
    assert_eq!(refusal(town.keep(&token, "").await).1, "erasure_not_found");
    house.clock.advance(TimeDelta::seconds(2));
    // whatever comes later is done, and this is not
    let later = town.export(&token, "").await.unwrap();
    town.until(&later.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!(house.me(&token).await.unwrap().id, ann.id);
    assert!(town.orders().erased().is_empty());
    // and may be asked for again
    assert_eq!(town.erase(&token, "", PASSWORD).await.unwrap().status, "waiting");
}

async fn an_erasure_reaches_every_service_and_leaves_no_name(house: &House) {
    let town = Town::with(house, |config| config.personal_data.erasure_delay_s = 0);
    house.admin("root").await;
    let (ann, token) = ann(house).await;
    let started = town.export(&token, "").await.unwrap();
    let worker = town.work();
    town.until(&started.job_id, |job| job.status == Status::Succeeded).await;
    // a search that cannot find her would prove nothing later
    assert_eq!(traces(house).await, TRACES);

    let asked = town.erase(&token, "", PASSWORD).await.unwrap();
    // everybody once, and once more for what was on its way
    let between = |job: &souk_jobs::Job| job.done == 6 && job.status == Status::Waiting;
    town.until(&asked.job_id, between).await;
    house.clock.advance(TimeDelta::seconds(60));
    let job = town.until(&asked.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!((job.done, job.total), (11, 11));
    for (name, neighbor) in &town.neighbors {
        let erased = neighbor.erased();
        assert_eq!(erased.len(), 2, "{name}");
        assert!(erased.iter().all(|request| request.user_id == ann.id));
        let known = ["ann.before@zwetschge.example", "ann.now@zwetschge.example"];
        assert_eq!(
            (&erased[0].emails[..], erased[1].emails.len()),
            (&known.map(String::from)[..], 0)
        );
    }
    let page = souk_values::Page::new(100, "").unwrap();
    let (results, _) = town.jobs.results(job.id, &page).await.unwrap();
    let told: Vec<_> = results.iter().map(|r| (r.key.as_str(), r.outcome.as_str())).collect();
    let names = ["catalog", "analytics", "notifier", "orders", "accounts"];
    let first = names.map(|name| (name, "erased"));
    let second = names.map(|name| (name, "nothing"));
    assert_eq!(told, [first, second].concat());

    assert_eq!(traces(house).await, Vec::<&str>::new());
    verified(house).await;
    assert!(house.verifier.verify(&token).await.is_err());
    assert_eq!(refusal(house.login("annzwetschge", PASSWORD).await).1, "invalid_credentials");
    let admin = house.token("root").await;
    assert_eq!(refusal(house.get(&ann.id).await).1, "user_not_found");
    assert_eq!(town.erasure(&admin, &ann.id).await.unwrap().status, "done");
    assert_eq!(refusal(town.exported(&admin, &ann.id).await).1, "export_not_found");
    // her names are free again
    assert_ne!(house.create(fields("annzwetschge")).await.unwrap().id, ann.id);
}

async fn open_orders_hold_an_erasure_until_they_end(house: &House) {
    let town = Town::with(house, |config| {
        config.personal_data.erasure_delay_s = 0;
        config.personal_data.second_look_s = 0;
    });
    let (ann, token) = ann(house).await;
    town.orders().set(|orders| orders.holds = vec!["S-7F3K-9Q2M".into(), "S-1111-2222".into()]);
    let asked = town.erase(&token, "", PASSWORD).await.unwrap();
    let worker = town.work();
    town.until(&asked.job_id, |job| job.attempts == 1 && job.status == Status::Waiting).await;
    let held = town.erasure(&token, "").await.unwrap();
    assert_eq!(held.status, "held");
    assert_eq!(held.reason, "orders: open_orders S-7F3K-9Q2M S-1111-2222");
    assert_eq!(held.run_at_us - house.clock.now_us(), 3_600_000_000);
    // nothing has begun: she comes in, and may still take it back
    assert_eq!(house.me(&token).await.unwrap().id, ann.id);
    assert!(town.neighbors.values().all(|neighbor| neighbor.erased().is_empty()));
    // more often than anything is retried that fails
    for attempt in 2..=6 {
        house.clock.advance(TimeDelta::hours(1));
        let again = |job: &souk_jobs::Job| job.attempts == attempt && job.status == Status::Waiting;
        town.until(&asked.job_id, again).await;
    }
    town.orders().set(|orders| orders.holds.clear());
    house.clock.advance(TimeDelta::hours(1));
    town.until(&asked.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!(refusal(house.get(&ann.id).await).1, "user_not_found");
}

async fn an_order_that_comes_after_the_question_is_waited_for_too(house: &House) {
    let town = Town::with(house, |config| {
        config.personal_data.erasure_delay_s = 0;
        config.personal_data.second_look_s = 0;
    });
    house.admin("root").await;
    let (ann, token) = ann(house).await;
    let admin = house.token("root").await;
    town.orders().set(|orders| orders.holds_late = vec!["S-LATE".into()]);
    let asked = town.erase(&token, "", PASSWORD).await.unwrap();
    let worker = town.work();
    town.until(&asked.job_id, |job| job.attempts == 1 && job.status == Status::Waiting).await;
    let held = town.erasure(&admin, &ann.id).await.unwrap();
    assert_eq!((&*held.status, &*held.reason), ("held", "orders: open_orders S-LATE"));
    // it has begun: her account is shut, and nobody takes it back
    assert!(house.verifier.verify(&token).await.is_err());
    assert_eq!(refusal(town.keep(&admin, &ann.id).await), (Kind::Conflict, "erasure_begun".into()));
    town.orders().set(|orders| orders.holds_late.clear());
    house.clock.advance(TimeDelta::hours(1));
    town.until(&asked.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    // those that had answered were not asked again
    assert_eq!(town.neighbors["notifier"].erased().len(), 1);
    assert_eq!(traces(house).await, Vec::<&str>::new());
}

async fn who_is_away_is_waited_for(house: &House) {
    let town = Town::with(house, |config| {
        config.personal_data.erasure_delay_s = 0;
        config.personal_data.second_look_s = 0;
    });
    let (_, token) = ann(house).await;
    town.neighbors["analytics"].set(|analytics| analytics.away = true);
    let asked = town.erase(&token, "", PASSWORD).await.unwrap();
    let worker = town.work();
    for attempt in 1..=6 {
        let away = |job: &souk_jobs::Job| job.attempts == attempt && job.status == Status::Waiting;
        let job = town.until(&asked.job_id, away).await;
        assert_eq!(job.message, "analytics: service_unavailable");
        house.clock.advance(TimeDelta::seconds(60));
    }
    town.neighbors["analytics"].set(|analytics| analytics.away = false);
    house.clock.advance(TimeDelta::seconds(60));
    town.until(&asked.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!(traces(house).await, Vec::<&str>::new());
}

async fn a_kill_at_any_step_is_resumed(house: &House) {
    let town = Town::with(house, |config| {
        config.personal_data.erasure_delay_s = 0;
        config.personal_data.second_look_s = 0;
    });
    let (ann, token) = ann(house).await;
    for neighbor in town.neighbors.values() {
        neighbor.gate.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    }
    let asked = town.erase(&token, "", PASSWORD).await.unwrap();
    for name in ["catalog", "analytics", "notifier", "orders"] {
        let neighbor = &town.neighbors[name];
        // killed while it is asked …
        let worker = town.work();
        neighbor.begun.acquire().await.unwrap().forget();
        worker.crash().await;
        house.clock.advance(TimeDelta::seconds(31));
        assert!(house.everything().await.contains("annzwetschge"), "{name}");
        // … and the next one gets its answer
        neighbor.gate.add_permits(1_000);
    }
    let worker = town.work();
    let job = town.until(&asked.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!((job.attempts, job.done, job.total), (5, 6, 6));
    for (name, neighbor) in &town.neighbors {
        let erased = neighbor.erased();
        assert!((1..=2).contains(&erased.len()), "{name}: {}", erased.len());
        assert!(erased.iter().all(|request| request.emails.len() == 2), "{name}");
    }
    assert_eq!(traces(house).await, Vec::<&str>::new());
    assert_eq!(house.told_to(&ann.id).await, ["created", "changed", "deleted", "deleted"]);
    verified(house).await;
}

impl House {
    /// What was told of an account, in order.
    async fn told_to(&self, id: &str) -> Vec<String> {
        let events = self.events().await.into_iter();
        events.filter(|(_, told)| told.user_id == id).map(|(_, told)| told.kind).collect()
    }
}

async fn the_last_admin_stays(house: &House) {
    let town = Town::with(house, |config| {
        config.personal_data.erasure_delay_s = 0;
        config.personal_data.second_look_s = 0;
    });
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let refused = town.erase(&token, "", PASSWORD).await;
    assert_eq!(refusal(refused), (Kind::Conflict, "last_admin".into()));
    // with a second one it is taken; if that one goes meanwhile, it waits
    let other = house.admin("other").await;
    let asked = town.erase(&token, "", PASSWORD).await.unwrap();
    house.delete(&other.id).await.unwrap();
    let worker = town.work();
    let waits = |job: &souk_jobs::Job| job.attempts == 1 && job.status == Status::Waiting;
    town.until(&asked.job_id, waits).await;
    let held = town.erasure(&token, "").await.unwrap();
    assert_eq!((&*held.status, &*held.reason), ("held", "accounts: last_admin"));
    assert_eq!(house.me(&token).await.unwrap().id, root.id);
    house.admin("third").await;
    house.clock.advance(TimeDelta::hours(1));
    town.until(&asked.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!(refusal(house.get(&root.id).await).1, "user_not_found");
}

async fn admins_act_for_others_within_their_power(house: &House) {
    let town = Town::of(house);
    let root = house.admin("root").await;
    let (ann, own) = ann(house).await;
    let ben = house.person("ben").await;
    let ben_token = house.token("ben").await;
    for refused in [
        town.erase(&ben_token, &ann.id, PASSWORD).await.map(drop),
        town.export(&ben_token, &ann.id).await.map(drop),
        town.erasure(&ben_token, &ann.id).await.map(drop),
        town.keep(&ben_token, &ann.id).await.map(drop),
    ] {
        assert_eq!(refusal(refused), (Kind::NotFound, "user_not_found".into()));
    }
    let admin = house.token("root").await;
    let own_account = town.erase(&admin, &root.id, "").await;
    assert_eq!(refusal(own_account), (Kind::Forbidden, "own_account".into()));
    let asked = town.erase(&admin, &ann.id, "").await.unwrap();
    assert_eq!((&*asked.status, &asked.requested_by), ("waiting", &root.id));
    // she is told, and takes it back herself
    assert_eq!(house.letter("erasure_requested").await.email, ann.email);
    assert_eq!(town.keep(&own, "").await.unwrap().status, "cancelled");
    let exported = town.export(&admin, &ann.id).await.unwrap();
    assert_eq!((&exported.user_id, &exported.requested_by), (&ann.id, &root.id));
    // who holds less decides about nobody who holds more
    let helper = house.role_of_users("helpers").await;
    house
        .update(&ben.id, UserFields { role: Some(helper), ..UserFields::default() })
        .await
        .unwrap();
    let ben_token = house.token("ben").await;
    let beyond = town.erase(&ben_token, &root.id, "").await;
    assert_eq!(refusal(beyond), (Kind::Forbidden, "beyond_own_permissions".into()));
    town.erase(&ben_token, &ann.id, "").await.unwrap();
    let audit = Audit::new("accounts", house.db.clone(), house.clock.clone());
    let filter = souk_audit::Filter { action: "erasure.".into(), ..Default::default() };
    let page = souk_values::Page::new(10, "").unwrap();
    let (entries, _) = audit.list(&filter, &page).await.unwrap();
    let told: Vec<_> = entries.iter().map(|e| (e.action.as_str(), e.actor.as_str())).collect();
    let expected = [
        ("erasure.requested", ben.id.as_str()),
        ("erasure.cancelled", ann.id.as_str()),
        ("erasure.requested", root.id.as_str()),
    ];
    assert_eq!(told, expected);
}

impl House {
    /// A role that may see and change accounts; answers its name.
    async fn role_of_users(&self, name: &str) -> String {
        use souk_proto::accounts::v1::CreateRoleRequest;
        use souk_proto::accounts::v1::role_service_client::RoleServiceClient;
        let permissions = vec!["users.read".to_owned(), "users.write".to_owned()];
        let request = CreateRoleRequest { name: name.to_owned(), permissions };
        let mut roles = RoleServiceClient::new(self.from("operator"));
        answer(roles.create_role(request)).await.unwrap().name
    }
}

async fn what_a_program_holds_gives_and_ends_nothing(house: &House) {
    let town = Town::of(house);
    house.admin("root").await;
    let token = house.token("root").await;
    let scopes = vec!["users.read".to_owned(), "users.write".to_owned()];
    let mut keys = ApiKeyServiceClient::new(house.from("gateway"));
    let request = CreateApiKeyRequest { name: "CI".to_owned(), scopes, days: 1 };
    let key = answer_as(&token, keys.create_api_key(request)).await.unwrap().key;
    let request = ExchangeApiKeyRequest { key, address: String::new() };
    let program = answer(keys.exchange_api_key(request)).await.unwrap().access_token;
    let not_by_key = (Kind::Forbidden, "not_by_api_key".to_owned());
    assert_eq!(refusal(town.export(&program, "").await), not_by_key);
    assert_eq!(refusal(town.download(&program).await), not_by_key);
    assert_eq!(refusal(town.erase(&program, "", PASSWORD).await), not_by_key);
    let ben = house.person("ben").await;
    assert_eq!(refusal(town.erase(&program, &ben.id, "").await), not_by_key);
    assert_eq!(refusal(town.keep(&program, "").await), not_by_key);
    assert_eq!(refusal(town.exported(&program, "").await), not_by_key);
    assert_eq!(refusal(town.erasure(&program, "").await), not_by_key);
    // looking is what its scope is for
    assert_eq!(refusal(town.exported(&program, &ben.id).await).1, "export_not_found");
    assert_eq!(refusal(town.erasure(&program, &ben.id).await).1, "erasure_not_found");
}

async fn deleting_inactive_accounts_leaves_no_name_in_the_audit(house: &House) {
    let (ann, _) = ann(house).await;
    house.delete(&ann.id).await.unwrap();
    assert!(traces(house).await.contains(&"zwetschge.example"));
    let town = Town::of(house);
    let request = StartGroupActionRequest {
        action: "delete_inactive".to_owned(),
        user_ids: Vec::new(),
        delay_s: Some(0),
    };
    let mut actions = GroupActionServiceClient::new(house.from("operator"));
    let started = answer(actions.start_group_action(request)).await.unwrap();
    let worker = town.work();
    town.until(&started.job_id, |job| job.status == Status::Succeeded).await;
    worker.end().await;
    assert_eq!(traces(house).await, Vec::<&str>::new());
    verified(house).await;
}
