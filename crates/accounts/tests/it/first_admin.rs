//! The first admin of an empty shop.

use futures::future::join_all;
use souk_proto::accounts::v1::{CreateFirstAdminRequest, CreateFirstAdminResponse};
use souk_rpc::{Failure, Kind};

use crate::house::{House, answer};
use crate::people::broken_fields;

crate::on_both! {
    an_empty_shop_gets_one_admin_with_a_random_password
    the_operator_may_choose
    a_shop_with_users_gets_none
    many_starts_at_once_make_one_admin
    only_the_operator_may_ask
}

async fn ask(
    house: &House,
    email: &str,
    password: &str,
) -> Result<CreateFirstAdminResponse, Failure> {
    let request = CreateFirstAdminRequest {
        email: email.to_owned(),
        username: String::new(),
        password: password.to_owned(),
    };
    answer(house.operator().create_first_admin(request)).await
}

async fn an_empty_shop_gets_one_admin_with_a_random_password(house: &House) {
    let made = ask(house, "", "").await.unwrap();
    let user = made.user.unwrap();
    assert!(made.created);
    assert_eq!((user.username.as_str(), user.email.as_str()), ("admin", "admin@souk.local"));
    assert_eq!((user.role.as_str(), made.password.len()), ("admin", 20));
    assert_eq!(house.events().await.len(), 1);
    assert!(house.login("admin@souk.local", &made.password).await.is_ok());
    let again = ask(house, "", "").await.unwrap();
    assert_eq!(again, CreateFirstAdminResponse::default());
    assert_eq!(house.events().await.len(), 1);
}

async fn the_operator_may_choose(house: &House) {
    let refused = ask(house, "nobody", "short").await.unwrap_err();
    assert_eq!((refused.kind, broken_fields(&refused)), (Kind::Invalid, vec!["email", "password"]));
    let made = ask(house, "boss@shop.example", "a chosen password").await.unwrap();
    assert_eq!((made.created, made.password.as_str()), (true, ""));
    assert!(house.login("boss@shop.example", "a chosen password").await.is_ok());
}

async fn a_shop_with_users_gets_none(house: &House) {
    house.admin("root").await;
    let other = house.person("ann").await;
    house.delete(&other.id).await.unwrap();
    let answer = ask(house, "", "").await.unwrap();
    assert_eq!(answer, CreateFirstAdminResponse::default());
}

async fn many_starts_at_once_make_one_admin(house: &House) {
    let answers =
        join_all((0..6).map(|i| async move {
            ask(house, &format!("admin{i}@shop.example"), "").await.unwrap()
        }));
    let made = answers.await.into_iter().filter(|answer| answer.created).count();
    assert_eq!(made, 1);
    assert_eq!(house.usernames(Default::default()).await, ["admin"]);
}

async fn only_the_operator_may_ask(house: &House) {
    let call = CreateFirstAdminRequest::default();
    let refused = answer(house.accounts().create_first_admin(call)).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Forbidden);
    assert!(house.usernames(Default::default()).await.is_empty());
}
