//! Keys of programs: shown once, exchanged for short tokens, worth nothing when their owner says so
//! or has less to say.

use chrono::TimeDelta;
use futures::future::join_all;
use sea_orm::ConnectionTrait;
use souk_accounts::{METHODS, schedules};
use souk_auth::{Caller, Refusal, Rule};
use souk_proto::accounts::v1::api_key_service_client::ApiKeyServiceClient;
use souk_proto::accounts::v1::block_service_client::BlockServiceClient;
use souk_proto::accounts::v1::credential_service_client::CredentialServiceClient;
use souk_proto::accounts::v1::device_service_client::DeviceServiceClient;
use souk_proto::accounts::v1::{
    ApiKey, ApiKeyCreated, ApiKeyToken, BeginSecondFactorRequest, ChangePasswordRequest,
    CreateApiKeyRequest, CreateBlockRequest, EndAllSessionsRequest, ExchangeApiKeyRequest,
    LiftBlockRequest, ListApiKeysRequest, ListUsersRequest, RequestEmailChangeRequest,
    RevokeApiKeyRequest, UserFields, VerifySecondFactorRequest,
};
use souk_rpc::{Failure, Kind, Transport};

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};
use crate::second_factor::needed;

crate::on_both! {
    a_key_is_shown_once_and_kept_as_a_hash
    a_key_gives_a_short_token_of_its_scopes_and_no_more
    every_broken_field_of_a_key_is_named_and_no_scope_is_beyond_its_owner
    a_demoted_owners_key_loses_at_once
    a_revoked_key_is_refused_and_its_tokens_end
    one_revokes_ones_own_and_whoever_may_change_accounts_anybodys
    a_wrong_checksum_is_refused_without_a_look
    an_expired_key_is_refused_and_no_token_outlives_its_key
    twenty_keys_are_enough
    keys_of_who_may_not_come_in_are_refused
    a_key_makes_no_keys_and_no_second_factor
    a_key_does_nothing_that_is_its_owners_own
    a_key_is_never_fresh_where_its_owner_has_a_second_factor
    a_key_of_who_must_enrol_can_do_nothing
    the_last_use_is_noted_to_the_minute
    only_the_gateway_exchanges_keys
    keys_that_are_long_over_are_forgotten
}

const SCOPES: [&str; 2] = ["users.read", "stats.read"];

impl House {
    fn api_keys(&self) -> ApiKeyServiceClient<Transport> {
        ApiKeyServiceClient::new(self.from("gateway"))
    }

    pub(crate) async fn make_key(
        &self,
        token: &str,
        scopes: &[&str],
    ) -> Result<ApiKeyCreated, Failure> {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let request = CreateApiKeyRequest { name: "CI".to_owned(), scopes, days: 0 };
        answer_as(token, self.api_keys().create_api_key(request)).await
    }

    pub(crate) async fn keys_of(&self, token: &str, user_id: &str) -> Result<Vec<ApiKey>, Failure> {
        let request = ListApiKeysRequest { user_id: user_id.to_owned() };
        let list = answer_as(token, self.api_keys().list_api_keys(request)).await;
        list.map(|list| list.items)
    }

    pub(crate) async fn revoke_key(&self, token: &str, id: &str) -> Result<ApiKey, Failure> {
        let request = RevokeApiKeyRequest { id: id.to_owned() };
        answer_as(token, self.api_keys().revoke_api_key(request)).await
    }

    pub(crate) async fn exchange(&self, key: &str) -> Result<ApiKeyToken, Failure> {
        let address = "203.0.113.9".to_owned();
        let request = ExchangeApiKeyRequest { key: key.to_owned(), address };
        answer(self.api_keys().exchange_api_key(request)).await
    }

    pub(crate) async fn token_of(&self, key: &str) -> String {
        self.exchange(key).await.unwrap().access_token
    }

    async fn list_users_as(&self, token: &str) -> Result<usize, Failure> {
        let list = answer_as(token, self.accounts().list_users(ListUsersRequest::default())).await;
        list.map(|list| list.items.len())
    }
}

fn invalid() -> (Kind, String) {
    (Kind::Unauthenticated, "invalid_api_key".to_owned())
}

async fn a_key_is_shown_once_and_kept_as_a_hash(house: &House) {
    let (root, token) = house.with_role("root", "admin").await;
    let made = house.make_key(&token, &SCOPES).await.unwrap();
    let (key, shown) = (made.key, made.api_key.unwrap());
    assert_eq!((key.len(), &key[..5]), (54, "souk_"));
    assert_eq!((shown.name.as_str(), shown.user_id.as_str()), ("CI", root.id.as_str()));
    assert_eq!((shown.prefix.len(), shown.prefix.as_str()), (13, &key[..13]));
    assert_eq!(shown.expires_at_us - shown.created_at_us, 90 * 86_400 * 1_000_000);
    assert_eq!((shown.last_used_at_us, shown.revoked_at_us), (0, 0));
    assert_eq!(house.keys_of(&token, "").await.unwrap(), [shown]);
    house.token_of(&key).await;
    let everything = house.everything().await;
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    for part in [key.as_str(), &key[13..48], &key[..20]] {
        assert!(!everything.contains(&part.to_lowercase()), "{part}");
        assert!(!everything.contains(&hex(part)), "{part}");
    }
    assert!(everything.contains(&key[..13].to_lowercase()));
}

async fn a_key_gives_a_short_token_of_its_scopes_and_no_more(house: &House) {
    let (root, token) = house.with_role("root", "admin").await;
    let key = house.make_key(&token, &["users.read"]).await.unwrap().key;
    let given = house.exchange(&key).await.unwrap();
    assert_eq!(given.expires_in_s, 60);
    let user = house.verifier.verify(&given.access_token).await.unwrap();
    assert_eq!((user.id.to_string(), user.role.as_str()), (root.id.clone(), "admin"));
    assert_eq!(user.expires_at, house.clock.now().timestamp() + 60);
    let words: Vec<String> = user.permissions.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["users.read"]);
    assert_eq!(house.me(&given.access_token).await.unwrap().id, root.id);
    assert_eq!(house.list_users_as(&given.access_token).await, Ok(1));
    let name = UserFields { full_name: Some("Root".into()), ..Default::default() };
    let changed = house.change_as(&given.access_token, &root.id, name).await;
    assert_eq!(refusal(changed), (Kind::Forbidden, "forbidden".to_owned()));
    // a key may be used again and again
    house.clock.advance(TimeDelta::seconds(66));
    assert!(house.verifier.verify(&given.access_token).await.is_err());
    assert!(house.list_users_as(&house.token_of(&key).await).await.is_ok());
    // a customer's key acts for the customer
    house.person("ann").await;
    let key = house.make_key(&house.token("ann").await, &[]).await.unwrap().key;
    assert_eq!(house.me(&house.token_of(&key).await).await.unwrap().username, "ann");
}

async fn every_broken_field_of_a_key_is_named_and_no_scope_is_beyond_its_owner(house: &House) {
    let (_, cat) = house.with_role("cat", "catalog_admin").await;
    let request = CreateApiKeyRequest {
        name: " ".to_owned(),
        scopes: vec!["stats.read".to_owned(), "everything".to_owned()],
        days: 366,
    };
    let refused = answer_as(&cat, house.api_keys().create_api_key(request)).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["name", "days", "scopes"]);
    let beyond = (Kind::Forbidden, "beyond_own_permissions".to_owned());
    assert_eq!(refusal(house.make_key(&cat, &SCOPES).await), beyond);
    assert!(house.make_key(&cat, &["stats.read", "stats.read"]).await.is_ok());
    house.person("ann").await;
    let ann = house.token("ann").await;
    assert_eq!(refusal(house.make_key(&ann, &["stats.read"]).await), beyond);
    assert!(house.keys_of(&ann, "").await.unwrap().is_empty());
}

async fn a_demoted_owners_key_loses_at_once(house: &House) {
    house.admin("root").await;
    let (ann, token) = house.with_role("ann", "admin").await;
    let key = house.make_key(&token, &SCOPES).await.unwrap().key;
    let before = house.token_of(&key).await;
    assert!(house.list_users_as(&before).await.is_ok());
    let role = |role: &str| UserFields { role: Some(role.to_owned()), ..Default::default() };
    house.update(&ann.id, role("catalog_admin")).await.unwrap();
    assert!(house.verifier.verify(&before).await.is_err());
    // nor in a process that has not heard
    let request = ListUsersRequest::default();
    let elsewhere = answer_as(&before, house.elsewhere().list_users(request)).await;
    assert_eq!(refusal(elsewhere).1, "session_ended");
    let after = house.token_of(&key).await;
    let words = house.verifier.verify(&after).await.unwrap().permissions.clone();
    assert_eq!(words.into_iter().map(|p| p.to_string()).collect::<Vec<_>>(), ["stats.read"]);
    assert_eq!(refusal(house.list_users_as(&after).await).0, Kind::Forbidden);
    // the role itself may shrink, too
    house.update(&ann.id, role("admin")).await.unwrap();
    let root = house.token("root").await;
    house.update(&ann.id, role("catalog_admin")).await.unwrap();
    let before = house.token_of(&key).await;
    house.change_role(&root, "catalog_admin", &["products.write"]).await.unwrap();
    assert!(house.verifier.verify(&before).await.is_err());
    let after = house.token_of(&key).await;
    assert!(house.verifier.verify(&after).await.unwrap().permissions.is_empty());
    let ended = house.ends().await.pop().unwrap();
    assert_eq!((ended.user_id, ended.reason.as_str()), (ann.id, "role"));
}

async fn a_revoked_key_is_refused_and_its_tokens_end(house: &House) {
    let (root, token) = house.with_role("root", "admin").await;
    let made = house.make_key(&token, &SCOPES).await.unwrap();
    let other = house.make_key(&token, &SCOPES).await.unwrap().key;
    let (before, bystander) = (house.token_of(&made.key).await, house.token_of(&other).await);
    let session = house.verifier.verify(&before).await.unwrap().session.to_string();
    let id = made.api_key.unwrap().id;
    let revoked = join_all((0..4).map(|_| house.revoke_key(&token, &id))).await;
    assert!(revoked.iter().all(|revoked| revoked.as_ref().unwrap().revoked_at_us > 0));
    assert_eq!(refusal(house.exchange(&made.key).await), invalid());
    assert!(house.verifier.verify(&before).await.is_err());
    let mut elsewhere = house.elsewhere();
    let unheard = answer_as(&before, elsewhere.list_users(ListUsersRequest::default())).await;
    assert_eq!(refusal(unheard).1, "session_ended");
    let ended = house.ends().await;
    assert_eq!(ended.len(), 1);
    assert_eq!((&ended[0].user_id, ended[0].reason.as_str()), (&root.id, "ended"));
    assert_eq!(ended[0].session_ids, [session]);
    assert!(house.list_users_as(&bystander).await.is_ok() && house.exchange(&other).await.is_ok());
    assert_eq!(house.keys_of(&token, "").await.unwrap().len(), 2);
}

async fn one_revokes_ones_own_and_whoever_may_change_accounts_anybodys(house: &House) {
    let ann = house.person("ann").await;
    house.person("ben").await;
    let (_, root) = house.with_role("root", "admin").await;
    let (token, ben) = (house.token("ann").await, house.token("ben").await);
    let id = house.make_key(&token, &[]).await.unwrap().api_key.unwrap().id;
    let missing = (Kind::NotFound, "api_key_not_found".to_owned());
    assert_eq!(refusal(house.revoke_key(&ben, &id).await), missing);
    let strange = souk_values::ApiKeyId::new().to_string();
    for id in [strange.as_str(), "x", &ann.id] {
        assert_eq!(refusal(house.revoke_key(&token, id).await), missing);
    }
    assert_eq!(refusal(house.keys_of(&ben, &ann.id).await).1, "user_not_found");
    assert_eq!(house.keys_of(&root, &ann.id).await.unwrap().len(), 1);
    assert!(house.keys_of(&root, "").await.unwrap().is_empty());
    assert!(house.revoke_key(&root, &id).await.unwrap().revoked_at_us > 0);
}

async fn a_wrong_checksum_is_refused_without_a_look(house: &House) {
    let (_, token) = house.with_role("root", "admin").await;
    let key = house.make_key(&token, &[]).await.unwrap().key;
    let other = house.make_key(&token, &[]).await.unwrap().key;
    // whoever looks finds nothing to look at
    house.db.write().execute_unprepared("ALTER TABLE api_key RENAME TO hidden").await.unwrap();
    assert_eq!(refusal(house.exchange(&key).await).0, Kind::Internal);
    let last = if key.ends_with('A') { "B" } else { "A" };
    let mistyped = format!("{}{last}", &key[..53]);
    let swapped = format!("{}{}", &key[..48], &other[48..]);
    for wrong in [mistyped.as_str(), &swapped, &key[..53], "", "souk_", &"é".repeat(27)] {
        assert_eq!(refusal(house.exchange(wrong).await), invalid(), "{wrong}");
    }
}

async fn an_expired_key_is_refused_and_no_token_outlives_its_key(house: &House) {
    let (_, token) = house.with_role("root", "admin").await;
    let request = CreateApiKeyRequest { name: "day".to_owned(), scopes: Vec::new(), days: 1 };
    let made = answer_as(&token, house.api_keys().create_api_key(request)).await.unwrap();
    house.clock.advance(TimeDelta::seconds(86_400 - 20));
    let given = house.exchange(&made.key).await.unwrap();
    assert_eq!(given.expires_in_s, 20);
    house.clock.advance(TimeDelta::seconds(20));
    assert_eq!(refusal(house.exchange(&made.key).await), invalid());
    // in the leeway of clocks the token still reads well; here it lets nobody in
    assert_eq!(refusal(house.me(&given.access_token).await).1, "session_ended");
}

async fn twenty_keys_are_enough(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let made = join_all((0..21).map(|_| house.make_key(&token, &[]))).await;
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (20, 1));
    let too_many = (Kind::Exhausted, "too_many_keys".to_owned());
    assert_eq!(refusal(refused.into_iter().next().unwrap()), too_many);
    assert_eq!(refusal(house.make_key(&token, &[]).await), too_many);
    let id = &house.keys_of(&token, "").await.unwrap()[0].id;
    house.revoke_key(&token, id).await.unwrap();
    assert!(house.make_key(&token, &[]).await.is_ok());
    assert_eq!(refusal(house.make_key(&token, &[]).await), too_many);
    // what is over takes no place
    house.clock.advance(TimeDelta::days(90));
    assert!(house.make_key(&house.token("ann").await, &[]).await.is_ok());
    // another's keys are another's
    house.person("ben").await;
    assert!(house.make_key(&house.token("ben").await, &[]).await.is_ok());
}

async fn keys_of_who_may_not_come_in_are_refused(house: &House) {
    let ann = house.person("ann").await;
    let key = house.make_key(&house.token("ann").await, &[]).await.unwrap().key;
    let token = house.token_of(&key).await;
    let active = |active| UserFields { active: Some(active), ..Default::default() };
    house.update(&ann.id, active(false)).await.unwrap();
    assert_eq!(refusal(house.exchange(&key).await), invalid());
    assert!(house.me(&token).await.is_err());
    house.update(&ann.id, active(true)).await.unwrap();
    let token = house.token_of(&key).await;
    assert!(house.me(&token).await.is_ok());
    let mut blocks = BlockServiceClient::new(house.from("operator"));
    let block = CreateBlockRequest {
        user_id: ann.id.clone(),
        reason: "a test".to_owned(),
        ..Default::default()
    };
    let block = answer(blocks.create_block(block)).await.unwrap();
    assert_eq!(refusal(house.exchange(&key).await), invalid());
    assert!(house.verifier.verify(&token).await.is_err());
    answer(blocks.lift_block(LiftBlockRequest { id: block.id })).await.unwrap();
    assert!(house.me(&house.token_of(&key).await).await.is_ok());
    house.delete(&ann.id).await.unwrap();
    assert_eq!(refusal(house.exchange(&key).await), invalid());
}

async fn a_key_makes_no_keys_and_no_second_factor(house: &House) {
    let (root, token) = house.with_role("root", "admin").await;
    let scopes = ["users.read", "users.write", "roles.write"];
    let key = house.make_key(&token, &scopes).await.unwrap().key;
    let token = house.token_of(&key).await;
    let not_by_key = (Kind::Forbidden, "not_by_api_key".to_owned());
    assert_eq!(refusal(house.make_key(&token, &[]).await), not_by_key);
    assert_eq!(refusal(house.begin_factor(&token, PASSWORD).await), not_by_key);
    let request = VerifySecondFactorRequest { code: "123456".to_owned() };
    let given = answer_as(&token, house.second_factors().verify_second_factor(request)).await;
    assert_eq!(refusal(given), not_by_key);
    // and it does not become its owner
    let beyond = (Kind::Forbidden, "beyond_own_permissions".to_owned());
    let password = UserFields { password: Some("quite another one".into()), ..Default::default() };
    let email = UserFields { email: Some("mine@shop.example".into()), ..Default::default() };
    for fields in [password, email] {
        assert_eq!(refusal(house.change_as(&token, &root.id, fields).await), beyond);
    }
    let request = BeginSecondFactorRequest { current_password: "a wrong one".to_owned() };
    let guess = answer_as(&token, house.second_factors().begin_second_factor(request)).await;
    assert_eq!(refusal(guess), not_by_key, "no password is checked for a program");
}

/// Also with the password, and whatever its scopes.
async fn a_key_does_nothing_that_is_its_owners_own(house: &House) {
    let (_, token) = house.with_role("root", "admin").await;
    let key = house.make_key(&token, &["users.read", "users.write"]).await.unwrap().key;
    let token = house.token_of(&key).await;
    assert!(house.verifier.verify(&token).await.unwrap().by_key);
    let not_by_key = (Kind::Forbidden, "not_by_api_key".to_owned());
    let mut credentials = CredentialServiceClient::new(house.from("gateway"));
    let (current, new) = (PASSWORD.to_owned(), "quite another password".to_owned());
    let request = ChangePasswordRequest { current_password: current.clone(), new_password: new };
    let changed = answer_as(&token, credentials.change_password(request)).await;
    assert_eq!(refusal(changed), not_by_key);
    let new_email = "mine@shop.example".to_owned();
    let request = RequestEmailChangeRequest { new_email, current_password: current };
    let asked = answer_as(&token, credentials.request_email_change(request)).await;
    assert_eq!(refusal(asked), not_by_key);
    let name = UserFields { full_name: Some("Eve".into()), ..Default::default() };
    assert_eq!(refusal(house.update_me(&token, name).await), not_by_key);
    let mut devices = DeviceServiceClient::new(house.from("gateway"));
    let ended = devices.end_all_sessions(EndAllSessionsRequest { keep_current: true });
    assert_eq!(refusal(answer_as(&token, ended).await), not_by_key);
    // not even to know its siblings, or to end them; with a scope it does so to everybody
    let own = house.with_role("owner", "admin").await.1;
    let sibling = house.make_key(&own, &[]).await.unwrap();
    let id = sibling.api_key.unwrap().id;
    let program = house.token_of(&sibling.key).await;
    assert_eq!(refusal(house.keys_of(&program, "").await), not_by_key);
    assert_eq!(refusal(house.revoke_key(&program, &id).await).1, "api_key_not_found");
    assert!(house.revoke_key(&token, &id).await.unwrap().revoked_at_us > 0);
    // every method that asks for somebody in person
    let user = house.verifier.verify(&token).await.unwrap();
    let caller = Caller { service: Some("gateway".into()), user: Some(user) };
    let own = METHODS.iter().filter(|(_, rule)| {
        matches!(rule, Rule::AnyUser | Rule::AnyUserBy(_) | Rule::AnyUserFresh | Rule::Enrolling)
    });
    let own: Vec<_> = own.map(|(_, rule)| rule.check(&caller, 0)).collect();
    assert!(own.len() > 25 && own.iter().all(|checked| *checked == Err(Refusal::NotByKey)));
}

async fn a_key_is_never_fresh_where_its_owner_has_a_second_factor(house: &House) {
    let (_, token) = house.with_role("root", "admin").await;
    let key = house.make_key(&token, &["roles.write"]).await.unwrap().key;
    let fresh = house.token_of(&key).await;
    assert!(house.change_role(&fresh, "customer", &[]).await.is_ok());
    let user = house.verifier.verify(&fresh).await.unwrap();
    assert_eq!(user.fresh_until, user.expires_at);
    house.enrol(&token).await;
    let stale = house.token_of(&key).await;
    assert_eq!(house.verifier.verify(&stale).await.unwrap().fresh_until, 0);
    assert_eq!(refusal(house.change_role(&stale, "customer", &[]).await), needed());
}

async fn a_key_of_who_must_enrol_can_do_nothing(house: &House) {
    let (_, token) = house.with_role("root", "admin").await;
    let key = house.make_key(&token, &SCOPES).await.unwrap().key;
    let mut strict = ApiKeyServiceClient::new(house.strict());
    let request = ExchangeApiKeyRequest { key, address: String::new() };
    let token = answer(strict.exchange_api_key(request)).await.unwrap().access_token;
    let user = house.verifier.verify(&token).await.unwrap();
    assert!(user.enrol_only && user.permissions.is_empty() && user.fresh_until == 0);
    let refused = refusal(house.list_users_as(&token).await);
    assert_eq!(refused, (Kind::Forbidden, "second_factor_enrolment_required".to_owned()));
}

async fn the_last_use_is_noted_to_the_minute(house: &House) {
    house.create(fields("ann")).await.unwrap();
    let token = house.token("ann").await;
    let key = house.make_key(&token, &[]).await.unwrap().key;
    let minute = house.clock.now().timestamp() / 60 * 60;
    for (wait, noted) in [(0, 0), (40, 0), (19, 0), (1, 60), (130, 180)] {
        house.clock.advance(TimeDelta::seconds(wait));
        house.exchange(&key).await.unwrap();
        let seen = house.keys_of(&token, "").await.unwrap()[0].last_used_at_us;
        assert_eq!(seen, (minute + noted) * 1_000_000, "after {wait}");
    }
}

async fn only_the_gateway_exchanges_keys(house: &House) {
    house.person("ann").await;
    let key = house.make_key(&house.token("ann").await, &[]).await.unwrap().key;
    let mut catalog = ApiKeyServiceClient::new(house.from("catalog"));
    let request = ExchangeApiKeyRequest { key, address: String::new() };
    assert_eq!(refusal(answer(catalog.exchange_api_key(request)).await).0, Kind::Forbidden);
}

async fn keys_that_are_long_over_are_forgotten(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let kept = house.make_key(&token, &[]).await.unwrap().api_key.unwrap().id;
    let id = house.make_key(&token, &[]).await.unwrap().api_key.unwrap().id;
    house.revoke_key(&token, &id).await.unwrap();
    for (days, left) in [(89, 2), (2, 1), (90, 0)] {
        house.clock.advance(TimeDelta::days(days));
        for schedule in schedules(&house.app) {
            (schedule.run)().await.unwrap();
        }
        let keys = house.keys_of(&house.token("ann").await, "").await.unwrap();
        assert_eq!(keys.len(), left, "{kept}");
    }
}
