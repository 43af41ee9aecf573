//! Guessing is slow: on one account, and from one network.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use sea_orm::{ConnectionTrait, Statement};
use souk_proto::accounts::v1::LoginRequest;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_rpc::{Failure, Guarded, Kind};

use crate::block::of_user;
use crate::devices::attempt;
use crate::house::{House, PASSWORD, answer};
use crate::people::refusal;

crate::on_both! {
    p39_ten_guesses_on_an_account_are_heard_in_ten_minutes_wherever_they_come_from
    p39_guesses_sent_together_to_several_processes_are_counted_one_by_one
    p39_a_hundred_guesses_of_a_network_are_heard_in_ten_minutes
    p39_guesses_of_a_network_sent_together_are_counted_too
    s05_a_64_is_one_network_and_its_neighbor_another
    without_an_address_no_network_is_counted
    logins_that_succeed_are_no_guesses
    what_nobody_looked_at_is_not_counted
    a_network_that_goes_on_guessing_is_blocked_for_an_hour
    our_own_networks_are_never_blocked_nor_others_when_it_is_turned_off
    no_address_is_kept
}

const WRONG: &str = "a wrong guess";

fn guess(login: &str, address: &str) -> LoginRequest {
    LoginRequest { password: WRONG.to_owned(), address: address.to_owned(), ..attempt(login) }
}

impl House {
    /// Guesses once; whether it was heard.
    async fn guesses(&self, login: &str, address: &str) -> bool {
        is_heard(&self.enter(guess(login, address)).await.unwrap_err())
    }

    async fn guesses_at(&self, to: &Guarded, login: &str, address: &str) -> bool {
        let mut client = SessionServiceClient::new(self.transport(to, "gateway"));
        is_heard(&answer(client.login(guess(login, address))).await.unwrap_err())
    }

    async fn kept(&self, sql: &str) -> Vec<String> {
        let db = self.db.write();
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        rows.unwrap().into_iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
    }
}

fn is_heard(refused: &Failure) -> bool {
    match refused.reason.as_str() {
        "invalid_credentials" => true,
        "too_many_attempts" => {
            assert!(refused.retry_after.is_some_and(|wait| !wait.is_zero()));
            assert_eq!(refused.kind, Kind::Exhausted);
            false
        }
        other => panic!("{other}"),
    }
}

async fn p39_ten_guesses_on_an_account_are_heard_in_ten_minutes_wherever_they_come_from(
    house: &House,
) {
    house.person("ann").await;
    let mut heard = Vec::new();
    for second in 0..1_200_u32 {
        let address = format!("203.{}.{}.9", second / 250, second % 250);
        if house.guesses("ann", &address).await {
            heard.push(second);
        }
        house.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(heard, [0, 1, 2, 3, 4, 19, 49, 109, 229, 469, 949]);
    // the owner waits like everybody, and is in after a quarter of an hour at the most
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "too_many_attempts");
    house.clock.advance(TimeDelta::minutes(15));
    assert!(house.login("ann", PASSWORD).await.is_ok());
    // the account begins anew
    assert!(house.guesses("ann", "203.0.113.9").await);
    assert!(house.login("ann", PASSWORD).await.is_ok());
}

async fn p39_guesses_sent_together_to_several_processes_are_counted_one_by_one(house: &House) {
    house.person("ann").await;
    // each process lets one guess through at a time, and does not see the others'
    let processes: Vec<Guarded> = (0..3).map(|_| house.configured(|_| ())).collect();
    for (most, wait) in [(7, 60), (1, 120), (1, 240)] {
        let guesses = (0..30).map(|n| {
            let address = format!("203.0.{n}.9");
            let to = &processes[n % 3];
            async move { house.guesses_at(to, "ann", &address).await }
        });
        let heard = join_all(guesses).await.into_iter().filter(|heard| *heard).count();
        // who has not failed of late is not counted in advance: one guess for each process may be
        // on its way when the fifth failure is written
        let least = most.min(5);
        assert!((least..=most).contains(&heard), "{heard} of {most}");
        let braked = house.login("ann", PASSWORD).await.unwrap_err();
        assert!(braked.retry_after.unwrap() <= Duration::from_secs(wait));
        house.clock.advance(TimeDelta::seconds(wait.cast_signed()));
    }
}

async fn p39_a_hundred_guesses_of_a_network_are_heard_in_ten_minutes(house: &House) {
    house.person("ann").await;
    let mut heard = 0;
    for n in 0..150 {
        if house.guesses(&format!("nobody{n}"), &format!("203.0.113.{n}")).await {
            heard += 1;
        }
    }
    assert_eq!(heard, 100);
    // nobody of this network is heard, and everybody of others
    let braked = house.login("ann", PASSWORD).await.unwrap_err();
    assert_eq!((braked.kind, braked.reason.as_str()), (Kind::Exhausted, "too_many_attempts"));
    assert!((600..=660).contains(&braked.retry_after.unwrap().as_secs()), "{braked:?}");
    let elsewhere = LoginRequest { address: "203.0.112.9".to_owned(), ..attempt("ann") };
    assert!(house.enter(elsewhere).await.is_ok());
    house.clock.advance(TimeDelta::minutes(10));
    assert!(!house.guesses("nobody", "203.0.113.9").await);
    house.clock.advance(TimeDelta::minutes(1));
    assert!(house.login("ann", PASSWORD).await.is_ok());
}

async fn p39_guesses_of_a_network_sent_together_are_counted_too(house: &House) {
    let processes: Vec<Guarded> = (0..2).map(|_| house.configured(|_| ())).collect();
    let guesses = (0..160).map(|n| {
        let mut client = SessionServiceClient::new(house.transport(&processes[n % 2], "gateway"));
        let guess = guess(&format!("nobody{n}"), "203.0.113.9");
        async move { answer(client.login(guess)).await.unwrap_err().reason }
    });
    let reasons = join_all(guesses).await;
    // who waits too long for the gate is told to come again; who comes last takes back that they
    // came, and may have kept another from being heard
    let known = ["invalid_credentials", "too_many_attempts", "busy"];
    assert!(reasons.iter().all(|reason| known.contains(&reason.as_str())), "{reasons:?}");
    let heard = reasons.iter().filter(|reason| *reason == "invalid_credentials").count();
    assert!((20..=100).contains(&heard), "{heard}");
}

async fn s05_a_64_is_one_network_and_its_neighbor_another(house: &House) {
    for n in 0..100 {
        assert!(house.guesses(&format!("nobody{n}"), &format!("2001:db8:1:2::{n:x}")).await);
    }
    assert!(!house.guesses("nobody", "2001:db8:1:2:ffff::1").await);
    assert!(house.guesses("nobody", "2001:db8:1:3::1").await);
}

async fn without_an_address_no_network_is_counted(house: &House) {
    for (n, address) in ["", "unknown"].into_iter().cycle().take(120).enumerate() {
        assert!(house.guesses(&format!("nobody{n}"), address).await);
    }
    assert_eq!(house.kept("SELECT network FROM login_network").await, Vec::<String>::new());
}

async fn logins_that_succeed_are_no_guesses(house: &House) {
    house.person("ann").await;
    for _ in 0..105 {
        house.login("ann", PASSWORD).await.unwrap();
    }
    assert!(house.guesses("nobody", "203.0.113.9").await);
    let sum = "SELECT CAST(SUM(failures) AS TEXT) FROM login_network";
    assert_eq!(house.kept(sum).await, ["1"]);
}

async fn what_nobody_looked_at_is_not_counted(house: &House) {
    let ann = house.person("ann").await;
    for _ in 0..5 {
        assert!(house.guesses("ann", "203.0.113.9").await);
    }
    for _ in 0..20 {
        assert!(!house.guesses("ann", "203.0.113.9").await);
    }
    // an attempt that was braked costs neither the account nor the network; nor does a right one of
    // somebody who is blocked
    house.block(of_user(&ann.id)).await.unwrap();
    house.clock.advance(TimeDelta::seconds(15));
    for _ in 0..20 {
        assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "account_blocked");
    }
    let kept = "SELECT CAST(failures AS TEXT) FROM login_brake";
    assert_eq!(house.kept(kept).await, ["5"]);
    let sum = "SELECT CAST(SUM(failures) AS TEXT) FROM login_network";
    assert_eq!(house.kept(sum).await, ["5"]);
}

/// Guesses a hundred times in each of three ten minutes and once more.
async fn attack(house: &House, to: &Guarded, address: &str) {
    for round in 0..4 {
        for n in 0..if round == 3 { 1 } else { 100 } {
            let login = format!("nobody{round}x{n}");
            assert!(house.guesses_at(to, &login, address).await, "{login}");
        }
        if round < 3 {
            assert!(house.list_blocks(false).await.is_empty());
            house.clock.advance(TimeDelta::minutes(11));
        }
    }
}

async fn a_network_that_goes_on_guessing_is_blocked_for_an_hour(house: &House) {
    let to = house.configured(|_| ());
    attack(house, &to, "203.0.113.9").await;
    let blocks = house.list_blocks(false).await;
    let [block] = &blocks[..] else { panic!("{} blocks", blocks.len()) };
    assert_eq!((&*block.network, &*block.user_id), ("203.0.113.0/24", ""));
    assert_eq!((&*block.created_by, &*block.reason), ("brake", "too many failed logins"));
    assert_eq!(block.until_us - block.created_at_us, 3_600_000_000);
    assert_eq!(house.blocked_networks().await, [("203.0.113.0/24".to_owned(), block.until_us)]);
    // a guess that was on its way blocks it no second time
    assert!(house.guesses_at(&to, "nobody", "203.0.113.9").await);
    assert_eq!(house.list_blocks(false).await.len(), 1);
    house.clock.advance(TimeDelta::hours(1));
    assert!(house.blocked_networks().await.is_empty());
    // an hour of peace, and it may fail again
    assert!(house.guesses_at(&to, "nobody", "203.0.113.9").await);
    assert!(house.list_blocks(false).await.is_empty());
}

async fn our_own_networks_are_never_blocked_nor_others_when_it_is_turned_off(house: &House) {
    let to = house.configured(|_| ());
    attack(house, &to, "10.1.2.3").await;
    assert!(house.list_blocks(false).await.is_empty());
    let off = house.configured(|config| config.brake.network_block = false);
    attack(house, &off, "203.0.113.9").await;
    assert!(house.list_blocks(false).await.is_empty());
}

async fn no_address_is_kept(house: &House) {
    assert!(house.guesses("nobody", "203.0.113.9").await);
    let kept = house.kept("SELECT network FROM login_network").await;
    let [tag] = &kept[..] else { panic!("{kept:?}") };
    assert!(tag.starts_with("net:") && tag.len() == 47 && !tag.contains("113"), "{tag}");
}
