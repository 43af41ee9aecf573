//! Many at once: what must happen once happens once.

use futures::future::join_all;
use souk_proto::accounts::v1::{CreateUserRequest, ListUsersRequest, UserFields};

use crate::house::{House, PASSWORD, answer};
use crate::people::fields;

crate::on_both! {
    the_last_two_admins_cannot_remove_each_other
    one_of_many_takes_a_name
    one_key_makes_one_user
    one_of_many_updates_of_a_version_wins
    guesses_sent_together_are_counted_one_by_one
    a_refresh_token_used_by_many_has_one_successor
    a_login_during_a_change_of_password_is_not_left_open
}

async fn the_last_two_admins_cannot_remove_each_other(house: &House) {
    for round in 0..5 {
        let admins =
            [house.admin(&format!("one{round}")).await, house.admin(&format!("two{round}")).await];
        if let Some(left) = left_over(house, &admins.each_ref().map(|a| a.id.as_str())).await {
            house.delete(&left).await.unwrap();
        }
        let [one, two] = &admins;
        let down = UserFields { role: Some("customer".into()), ..Default::default() };
        let results = tokio::join!(house.delete(&one.id), house.update(&two.id, down));
        let won = [results.0.is_ok(), results.1.is_ok()].into_iter().filter(|&ok| ok).count();
        assert_eq!(won, 1, "round {round}");
        let refused = [results.0.err(), results.1.err()].into_iter().flatten();
        assert!(refused.into_iter().all(|failure| failure.reason == "last_admin"));
    }
}

/// The admin that the round before left.
async fn left_over(house: &House, new: &[&str]) -> Option<String> {
    let admins = ListUsersRequest { role: "admin".to_owned(), ..Default::default() };
    let list = answer(house.operator().list_users(admins)).await.unwrap();
    list.items.into_iter().map(|user| user.id).find(|id| !new.contains(&id.as_str()))
}

async fn one_of_many_takes_a_name(house: &House) {
    let made = join_all((0..8).map(|i| {
        let email = Some(format!("ann{i}@shop.example"));
        house.create(UserFields { email, ..fields("ann") })
    }));
    let (won, lost): (Vec<_>, Vec<_>) = made.await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(lost.into_iter().all(|answer| answer.unwrap_err().reason == "username_taken"));
    assert_eq!(house.events().await.len(), 1);
}

async fn one_key_makes_one_user(house: &House) {
    let made = join_all((0..8).map(|_| async {
        let request = CreateUserRequest {
            fields: Some(fields("ann")),
            idempotency_key: "k".to_owned(),
            check_only: false,
        };
        answer(house.operator().create_user(request)).await.unwrap()
    }));
    let mut ids: Vec<String> = made.await.into_iter().map(|user| user.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(house.events().await.len(), 1);
}

async fn one_of_many_updates_of_a_version_wins(house: &House) {
    let user = house.person("ann").await;
    let done = join_all((0..8).map(|i| {
        let full_name = Some(format!("Ann {i}"));
        house.update_at(&user.id, UserFields { full_name, ..Default::default() }, Some(1))
    }));
    let (won, lost): (Vec<_>, Vec<_>) = done.await.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(lost.into_iter().all(|answer| answer.unwrap_err().reason == "stale_version"));
    assert_eq!(house.get(&user.id).await.unwrap().version, 2);
    assert_eq!(house.events().await.len(), 2);
}

async fn guesses_sent_together_are_counted_one_by_one(house: &House) {
    house.person("ann").await;
    let guesses = join_all((0..30).map(|i| async move {
        house.login("ann", &format!("wrong guess {i}")).await.unwrap_err().reason
    }));
    let reasons = guesses.await;
    let heard = reasons.iter().filter(|reason| *reason == "invalid_credentials").count();
    let braked = reasons.iter().filter(|reason| *reason == "too_many_attempts").count();
    assert_eq!((heard, braked), (5, 25));
}

async fn a_refresh_token_used_by_many_has_one_successor(house: &House) {
    house.person("ann").await;
    let session = house.login("ann", PASSWORD).await.unwrap();
    let next = join_all((0..8).map(|_| house.refresh(&session.refresh_token))).await;
    let mut tokens: Vec<String> = next.into_iter().map(|s| s.unwrap().refresh_token).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
}

async fn a_login_during_a_change_of_password_is_not_left_open(house: &House) {
    let user = house.person("ann").await;
    let wish = UserFields { password: Some("another password".into()), ..Default::default() };
    let logins = join_all((0..6).map(|_| house.login("ann", PASSWORD)));
    let (sessions, changed) = tokio::join!(logins, house.update(&user.id, wish));
    changed.unwrap();
    for session in sessions.into_iter().flatten() {
        let refused = house.refresh(&session.refresh_token).await.unwrap_err();
        assert_eq!(refused.reason, "invalid_refresh_token");
        assert!(house.me(&session.access_token).await.is_err());
    }
}
