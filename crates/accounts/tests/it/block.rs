//! Who may not come in: accounts and networks, until lifted or until their time is over.

use chrono::TimeDelta;
use futures::future::join_all;
use souk_accounts::schedules;
use souk_events::registry;
use souk_proto::accounts::v1::block_service_client::BlockServiceClient;
use souk_proto::accounts::v1::role_service_client::RoleServiceClient;
use souk_proto::accounts::v1::{
    Block, CreateBlockRequest, CreateRoleRequest, GetMeRequest, LiftBlockRequest,
    ListBlocksRequest, ListBlocksResponse, ListNetworkBlocksRequest, UserFields,
};
use souk_proto::events::v1::BlockChanged;
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Failure, Kind, Transport};
use souk_values::BlockId;

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};
use crate::told::fact;

crate::on_both! {
    a_blocked_account_is_out_at_once_and_its_owner_is_told
    only_who_knows_the_password_learns_of_the_block
    a_lifted_block_lets_the_owner_in_again
    a_block_ends_by_itself_once
    a_block_whose_time_is_over_gives_way_to_a_new_one
    blocks_that_must_not_be_are_refused
    nobody_blocks_whoever_holds_more_than_they_do
    every_broken_field_is_named
    networks_are_kept_in_one_spelling_and_told_to_the_gateway
    blocks_are_listed_newest_first_with_the_past_apart
    s41_many_blocks_of_one_account_or_network_are_one
    s41_two_admins_who_block_each_other_leave_one
    s41_an_admin_demoted_and_another_blocked_leave_one
    a_login_during_a_block_is_not_left_open
}

impl House {
    fn blocks(&self) -> BlockServiceClient<Transport> {
        BlockServiceClient::new(self.from("gateway"))
    }

    pub(crate) async fn block_as(
        &self,
        token: &str,
        request: CreateBlockRequest,
    ) -> Result<Block, Failure> {
        answer_as(token, self.blocks().create_block(request)).await
    }

    /// By the operator.
    pub(crate) async fn block(&self, request: CreateBlockRequest) -> Result<Block, Failure> {
        let mut client = BlockServiceClient::new(self.from("operator"));
        answer(client.create_block(request)).await
    }

    pub(crate) async fn lift(&self, id: &str) -> Result<Block, Failure> {
        let mut client = BlockServiceClient::new(self.from("operator"));
        answer(client.lift_block(LiftBlockRequest { id: id.to_owned() })).await
    }

    pub(crate) async fn list_blocks(&self, ended: bool) -> Vec<Block> {
        let page = Some(PageRequest { limit: 100, cursor: String::new() });
        self.page_of_blocks(ListBlocksRequest { page, ended }).await.unwrap().items
    }

    async fn page_of_blocks(
        &self,
        request: ListBlocksRequest,
    ) -> Result<ListBlocksResponse, Failure> {
        answer(BlockServiceClient::new(self.from("operator")).list_blocks(request)).await
    }

    pub(crate) async fn blocked_networks(&self) -> Vec<(String, i64)> {
        let list = answer(self.blocks().list_network_blocks(ListNetworkBlocksRequest {})).await;
        list.unwrap().items.into_iter().map(|block| (block.network, block.until_us)).collect()
    }

    /// What gateways were told, oldest first: id and word.
    async fn block_changes(&self) -> Vec<(String, String)> {
        let told = self.told().await.into_iter();
        let told = told.filter(|event| event.event_type == registry::BLOCK_CHANGED);
        let told = told.map(|event| event.decode::<BlockChanged>().unwrap());
        told.map(|change| (change.block_id, change.kind)).collect()
    }

    /// A role that may change accounts and nothing else, and somebody who has it.
    pub(crate) async fn clerk(&self, username: &str) -> String {
        let permissions = vec!["users.read".to_owned(), "users.write".to_owned()];
        let request = CreateRoleRequest { name: "clerk".to_owned(), permissions };
        answer(RoleServiceClient::new(self.from("operator")).create_role(request)).await.unwrap();
        let clerk = UserFields { role: Some("clerk".into()), ..fields(username) };
        self.create(clerk).await.unwrap();
        self.token(username).await
    }
}

pub(crate) fn of_user(id: &str) -> CreateBlockRequest {
    CreateBlockRequest {
        user_id: id.to_owned(),
        reason: "spam".to_owned(),
        ..CreateBlockRequest::default()
    }
}

fn of_network(network: &str) -> CreateBlockRequest {
    CreateBlockRequest {
        network: network.to_owned(),
        reason: "guesses".to_owned(),
        caller_address: "198.51.100.7".to_owned(),
        ..CreateBlockRequest::default()
    }
}

/// In so many hours.
fn until(house: &House, hours: i64) -> i64 {
    (house.clock.now() + TimeDelta::hours(hours)).timestamp_micros()
}

async fn lift_ended(house: &House) {
    let schedules = schedules(&house.app);
    let lift = schedules.iter().find(|s| s.name == "lift_ended_blocks").unwrap();
    assert_eq!(lift.every.as_secs(), 30);
    (lift.run)().await.unwrap();
}

async fn a_blocked_account_is_out_at_once_and_its_owner_is_told(house: &House) {
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let ann = house.person("ann").await;
    let sessions =
        [house.login("ann", PASSWORD).await.unwrap(), house.login("ann", PASSWORD).await.unwrap()];
    let until_us = until(house, 7 * 24);
    let block =
        house.block_as(&token, CreateBlockRequest { until_us, ..of_user(&ann.id) }).await.unwrap();
    assert!(block.id.starts_with("blk_"), "{}", block.id);
    assert_eq!((&*block.user_id, &*block.network, &*block.reason), (&*ann.id, "", "spam"));
    assert_eq!((&block.created_by, block.until_us, block.lifted_at_us), (&root.id, until_us, 0));

    for session in &sessions {
        assert!(house.verifier.verify(&session.access_token).await.is_err(), "also the gateway's");
        let refused = refusal(house.refresh(&session.refresh_token).await);
        assert_eq!(refused, (Kind::Unauthenticated, "invalid_refresh_token".to_owned()));
        // a process that has not heard refuses with the reason
        let mut elsewhere = house.elsewhere();
        let refused = answer_as(&session.access_token, elsewhere.get_me(GetMeRequest {})).await;
        let refused = refused.unwrap_err();
        assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Forbidden, "account_blocked"));
        assert_eq!(refused.metadata["until"], "2027-01-22T08:00:00Z");
    }
    let ends = house.ends().await;
    let [end] = &ends[..] else { panic!("{} ends", ends.len()) };
    assert_eq!((&*end.user_id, &*end.reason, end.session_ids.len()), (&*ann.id, "blocked", 2));
    assert_eq!(house.block_changes().await, [(block.id, "created".to_owned())]);
    let letters = house.letters("blocked").await;
    let [letter] = &letters[..] else { panic!("{} letters", letters.len()) };
    assert_eq!((&*letter.user_id, &*letter.email), (&*ann.id, &*ann.email));
    assert_eq!(["reason", "until"].map(|f| fact(letter, f)), ["spam", "2027-01-22T08:00:00Z"]);
    // the admin is still in, and ann's data are as they were
    assert_eq!(house.get(&ann.id).await.unwrap(), ann);
    assert!(house.me(&token).await.is_ok());
}

async fn only_who_knows_the_password_learns_of_the_block(house: &House) {
    let ann = house.person("ann").await;
    house.block(of_user(&ann.id)).await.unwrap();
    let wrong = house.login("ann", "a wrong one").await.unwrap_err();
    assert_eq!(wrong, house.login("nobody", "a wrong one").await.unwrap_err());
    // the right password is no guess: it is told as often as it is typed, and the brake is as it was
    for _ in 0..12 {
        let blocked = house.login("ann", PASSWORD).await.unwrap_err();
        assert_eq!((blocked.kind, blocked.reason.as_str()), (Kind::Forbidden, "account_blocked"));
        assert_eq!(blocked.metadata.get("until"), None);
    }
    for _ in 0..4 {
        assert_eq!(refusal(house.login("ann", "a wrong one").await).1, "invalid_credentials");
    }
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "too_many_attempts");
    assert!(house.ends().await.is_empty(), "nobody was logged in");
}

async fn a_lifted_block_lets_the_owner_in_again(house: &House) {
    let root = house.admin("root").await;
    let ann = house.person("ann").await;
    let block = house.block(of_user(&ann.id)).await.unwrap();
    assert_eq!(block.created_by, "operator");
    house.clock.advance(TimeDelta::minutes(1));
    let token = house.token("root").await;
    let request = || LiftBlockRequest { id: block.id.clone() };
    let lifted = answer_as(&token, house.blocks().lift_block(request())).await.unwrap();
    assert_eq!((&lifted.lifted_by, lifted.lifted_at_us), (&root.id, house.clock.now_us()));
    assert!(house.login("ann", PASSWORD).await.is_ok());
    let told = [(block.id.clone(), "created".to_owned()), (block.id.clone(), "lifted".to_owned())];
    assert_eq!(house.block_changes().await, told);
    assert_eq!(house.letters("unblocked").await.len(), 1);
    // the second time there is nothing to lift, and of what never was neither
    let missing = (Kind::NotFound, "block_not_found".to_owned());
    assert_eq!(refusal(house.lift(&block.id).await), missing);
    assert_eq!(refusal(house.lift(&BlockId::new().to_string()).await), missing);
    assert_eq!(refusal(house.lift("x").await), missing);
    assert_eq!(house.letters("unblocked").await.len(), 1);
    let customer = house.token("ann").await;
    let refused = answer_as(&customer, house.blocks().lift_block(request())).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
}

async fn a_block_ends_by_itself_once(house: &House) {
    let ann = house.person("ann").await;
    let until_us = until(house, 1);
    let one = CreateBlockRequest { until_us, ..of_user(&ann.id) };
    let block = house.block(one).await.unwrap();
    let lasting = house.block(of_network("203.0.113.0/24")).await.unwrap();
    house.clock.advance(TimeDelta::minutes(60) - TimeDelta::microseconds(1));
    lift_ended(house).await;
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "account_blocked");
    house.clock.advance(TimeDelta::microseconds(1));
    // at the end the owner is in, whether or not the clockwork was there already
    assert!(house.login("ann", PASSWORD).await.is_ok());
    assert_eq!(refusal(house.lift(&block.id).await).1, "block_not_found");
    assert!(house.letters("unblocked").await.is_empty());
    tokio::join!(lift_ended(house), lift_ended(house));
    lift_ended(house).await;
    let past = house.list_blocks(true).await;
    let [past] = &past[..] else { panic!("{} past blocks", past.len()) };
    assert_eq!((&past.id, &*past.lifted_by, past.lifted_at_us), (&block.id, "end", until_us));
    assert_eq!(house.letters("unblocked").await.len(), 1);
    assert_eq!(house.list_blocks(false).await, [lasting]);
    assert_eq!(house.block_changes().await.last().unwrap(), &(block.id, "lifted".to_owned()));
}

async fn a_block_whose_time_is_over_gives_way_to_a_new_one(house: &House) {
    let ann = house.person("ann").await;
    for request in [of_user(&ann.id), of_network("203.0.113.0/24")] {
        let short = CreateBlockRequest { until_us: until(house, 1), ..request.clone() };
        let first = house.block(short).await.unwrap();
        house.clock.advance(TimeDelta::hours(1));
        let second = house.block(request).await.unwrap();
        assert_ne!(first.id, second.id);
        let past = house.list_blocks(true).await.remove(0);
        assert_eq!((past.id, past.lifted_by), (first.id, "end".to_owned()));
    }
    assert_eq!(house.list_blocks(false).await.len(), 2);
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "account_blocked");
}

async fn blocks_that_must_not_be_are_refused(house: &House) {
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let ann = house.person("ann").await;
    let own = refusal(house.block_as(&token, of_user(&root.id)).await);
    assert_eq!(own, (Kind::Forbidden, "own_account".to_owned()));
    let last = refusal(house.block(of_user(&root.id)).await);
    assert_eq!(last, (Kind::Conflict, "last_admin".to_owned()));
    let missing = (Kind::NotFound, "user_not_found".to_owned());
    for nobody in [souk_values::UserId::new().to_string(), "ann".to_owned()] {
        assert_eq!(refusal(house.block(of_user(&nobody)).await), missing);
    }
    let first = house.block(of_user(&ann.id)).await.unwrap();
    let second = house.block(of_user(&ann.id)).await.unwrap_err();
    assert_eq!((second.kind, second.reason.as_str()), (Kind::Conflict, "blocked_already"));
    assert_eq!(second.metadata["block_id"], first.id);
    house.person("ben").await;
    let customer = house.token("ben").await;
    let refused = house.block_as(&customer, of_network("203.0.113.0/24")).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Forbidden);
    let list = answer_as(&customer, house.blocks().list_blocks(ListBlocksRequest::default())).await;
    assert_eq!(list.unwrap_err().kind, Kind::Forbidden);
    let mut other = BlockServiceClient::new(house.from("catalog"));
    let list = answer(other.list_network_blocks(ListNetworkBlocksRequest {})).await;
    assert_eq!(list.unwrap_err().kind, Kind::Forbidden);
    // a blocked admin is none who could help: the other one stays
    let second = house.admin("second").await;
    house.block(of_user(&second.id)).await.unwrap();
    assert_eq!(refusal(house.block(of_user(&root.id)).await).1, "last_admin");
    assert_eq!(refusal(house.delete(&root.id).await).1, "last_admin");
    assert_eq!(house.list_blocks(false).await.len(), 2);
    // somebody who was deactivated can be kept out for the day when they come back
    let gone = house.person("gone").await;
    house.delete(&gone.id).await.unwrap();
    let letters = house.letters("blocked").await.len();
    house.block(of_user(&gone.id)).await.unwrap();
    assert_eq!(house.letters("blocked").await.len(), letters);
}

async fn nobody_blocks_whoever_holds_more_than_they_do(house: &House) {
    let root = house.admin("root").await;
    house.admin("other").await;
    let clerk = house.clerk("clerk").await;
    let ann = house.person("ann").await;
    let beyond = (Kind::Forbidden, "beyond_own_permissions".to_owned());
    assert_eq!(refusal(house.block_as(&clerk, of_user(&root.id)).await), beyond);
    let block = house.block(of_user(&root.id)).await.unwrap();
    let request = LiftBlockRequest { id: block.id };
    assert_eq!(refusal(answer_as(&clerk, house.blocks().lift_block(request)).await), beyond);
    assert!(house.block_as(&clerk, of_user(&ann.id)).await.is_ok());
    assert_eq!(house.list_blocks(false).await.len(), 2);
}

async fn every_broken_field_is_named(house: &House) {
    let now_us = house.clock.now_us();
    let broken = |request: CreateBlockRequest| async move {
        let refused = house.block(request).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid);
        broken_fields(&refused).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let nothing = CreateBlockRequest { until_us: now_us, ..Default::default() };
    assert_eq!(broken(nothing).await, ["user_id", "reason", "until_us"]);
    let both = CreateBlockRequest { network: "203.0.113.9".into(), ..of_user("usr_x") };
    assert_eq!(broken(both).await, ["network"]);
    for network in ["203.0.113", "0.0.0.0/0", "10.0.0.0/7", "2001::/31", "203.0.113.0/33"] {
        let wide = CreateBlockRequest { reason: "\n".into(), ..of_network(network) };
        assert_eq!(broken(wide).await, ["network", "reason"], "{network}");
    }
    // whoever would shut themselves out
    for network in ["198.51.100.7", "198.51.100.0/24", "198.0.0.0/8", "::ffff:198.51.100.7"] {
        assert_eq!(broken(of_network(network)).await, ["network"], "{network}");
    }
    let long = CreateBlockRequest { reason: "x".repeat(201), until_us: -1, ..of_user("usr_x") };
    assert_eq!(broken(long).await, ["reason", "until_us"]);
    assert!(house.list_blocks(false).await.is_empty());
    assert!(house.told().await.is_empty());
}

async fn networks_are_kept_in_one_spelling_and_told_to_the_gateway(house: &House) {
    for (given, kept) in [
        ("203.0.113.77/24", "203.0.113.0/24"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("2001:DB8:0:1::9/64", "2001:db8:0:1::/64"),
    ] {
        let made = house.block(of_network(given)).await.unwrap();
        assert_eq!((&*made.network, &*made.user_id), (kept, ""));
        let again = house.block(of_network(kept)).await.unwrap_err();
        assert_eq!(
            (again.reason.as_str(), &again.metadata["block_id"]),
            ("blocked_already", &made.id)
        );
    }
    let until_us = until(house, 1);
    house.block(CreateBlockRequest { until_us, ..of_network("::ffff:192.0.2.9") }).await.unwrap();
    let ann = house.person("ann").await;
    house.block(of_user(&ann.id)).await.unwrap();
    let mut networks = house.blocked_networks().await;
    networks.sort();
    let expected = [
        ("192.0.2.1/32", 0),
        ("192.0.2.9/32", until_us),
        ("2001:db8:0:1::/64", 0),
        ("203.0.113.0/24", 0),
    ];
    assert_eq!(networks, expected.map(|(network, until)| (network.to_owned(), until)));
    assert_eq!(house.block_changes().await.len(), 5);
    house.clock.advance(TimeDelta::hours(1));
    assert_eq!(house.blocked_networks().await.len(), 3, "what is over is not told");
    for block in house.list_blocks(false).await {
        house.lift(&block.id).await.unwrap();
    }
    assert!(house.blocked_networks().await.is_empty());
}

async fn blocks_are_listed_newest_first_with_the_past_apart(house: &House) {
    let mut made = Vec::new();
    for n in 0..5 {
        made.push(house.block(of_network(&format!("203.0.113.{n}"))).await.unwrap());
    }
    let gone = made.remove(2);
    house.lift(&gone.id).await.unwrap();
    made.reverse();
    assert_eq!(house.list_blocks(false).await, made);
    let past = house.list_blocks(true).await;
    assert_eq!(past.iter().map(|block| &block.id).collect::<Vec<_>>(), [&gone.id]);
    let page = |limit, cursor: &str| ListBlocksRequest {
        page: Some(PageRequest { limit, cursor: cursor.to_owned() }),
        ended: false,
    };
    let first = house.page_of_blocks(page(3, "")).await.unwrap();
    let second = house.page_of_blocks(page(3, &first.next_cursor)).await.unwrap();
    assert_eq!((first.items.len(), second.next_cursor.as_str()), (3, ""));
    assert_eq!([first.items, second.items].concat(), made);
    let broken = house.page_of_blocks(page(101, "x")).await.unwrap_err();
    assert_eq!(broken_fields(&broken), ["limit"]);
    let broken = house.page_of_blocks(page(1, "x")).await.unwrap_err();
    assert_eq!(broken_fields(&broken), ["cursor"]);
}

async fn s41_many_blocks_of_one_account_or_network_are_one(house: &House) {
    let ann = house.person("ann").await;
    for request in [of_user(&ann.id), of_network("203.0.113.0/24")] {
        let made = join_all((0..8).map(|_| house.block(request.clone()))).await;
        let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
        assert_eq!((made.len(), refused.len()), (1, 7));
        let made = made.into_iter().next().unwrap().unwrap();
        for refused in refused {
            let refused = refused.unwrap_err();
            assert_eq!(refused.reason, "blocked_already");
            assert_eq!(refused.metadata["block_id"], made.id);
        }
        let lifted = join_all((0..8).map(|_| house.lift(&made.id))).await;
        assert_eq!(lifted.iter().filter(|lifted| lifted.is_ok()).count(), 1);
    }
    assert_eq!(house.list_blocks(true).await.len(), 2);
    assert_eq!(house.block_changes().await.len(), 4);
    assert_eq!(house.letters("blocked").await.len(), 1);
    assert_eq!(house.letters("unblocked").await.len(), 1);
}

async fn s41_two_admins_who_block_each_other_leave_one(house: &House) {
    let (one, two) = (house.admin("one").await, house.admin("two").await);
    for round in 0..5 {
        let (ones, twos) = (house.token("one").await, house.token("two").await);
        let results = tokio::join!(
            house.block_as(&ones, of_user(&two.id)),
            house.block_as(&twos, of_user(&one.id))
        );
        let won = [results.0, results.1].into_iter().flatten().count();
        assert_eq!(won, 1, "round {round}");
        let left = house.list_blocks(false).await;
        assert_eq!(left.len(), 1);
        house.lift(&left[0].id).await.unwrap();
    }
}

async fn s41_an_admin_demoted_and_another_blocked_leave_one(house: &House) {
    let (one, two) = (house.admin("one").await, house.admin("two").await);
    for round in 0..5 {
        let down = UserFields { role: Some("customer".into()), ..Default::default() };
        let (demoted, blocked) =
            tokio::join!(house.update(&one.id, down), house.block(of_user(&two.id)));
        assert_ne!(demoted.is_ok(), blocked.is_ok(), "round {round}");
        for refused in [demoted.err(), blocked.as_ref().err().cloned()].into_iter().flatten() {
            assert_eq!(refused.reason, "last_admin");
        }
        if let Ok(block) = blocked {
            house.lift(&block.id).await.unwrap();
        }
        let up = UserFields { role: Some("admin".into()), ..Default::default() };
        house.update(&one.id, up).await.unwrap();
    }
}

async fn a_login_during_a_block_is_not_left_open(house: &House) {
    let ann = house.person("ann").await;
    let logins = join_all((0..6).map(|_| house.login("ann", PASSWORD)));
    let (sessions, blocked) = tokio::join!(logins, house.block(of_user(&ann.id)));
    blocked.unwrap();
    for session in sessions.into_iter().flatten() {
        let refused = house.refresh(&session.refresh_token).await.unwrap_err();
        assert_eq!(refused.reason, "invalid_refresh_token");
        assert!(house.me(&session.access_token).await.is_err());
    }
}
