//! Asking what is broken without writing.

use souk_proto::accounts::v1::{
    CreateUserRequest, UpdateMeRequest, UpdateUserRequest, User, UserFields,
};
use souk_rpc::{Failure, Kind};

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    a_check_names_what_is_broken_and_what_is_missing
    a_check_of_what_is_in_order_writes_nothing
    a_check_of_a_change_needs_nothing_but_the_user
    a_check_of_oneself_names_what_only_others_may_change
    a_check_asks_for_the_same_permission
}

fn request(fields: UserFields) -> CreateUserRequest {
    let idempotency_key = "k".to_owned();
    CreateUserRequest { fields: Some(fields), idempotency_key, check_only: true }
}

async fn create(house: &House, fields: UserFields) -> Result<User, Failure> {
    answer(house.operator().create_user(request(fields))).await
}

async fn update(house: &House, id: &str, fields: UserFields) -> Result<User, Failure> {
    let (id, fields) = (id.to_owned(), Some(fields));
    let request = UpdateUserRequest { id, fields, check_only: true, ..Default::default() };
    answer(house.operator().update_user(request)).await
}

async fn update_me(house: &House, token: &str, fields: UserFields) -> Result<User, Failure> {
    let request = UpdateMeRequest { fields: Some(fields), check_only: true, ..Default::default() };
    answer_as(token, house.accounts().update_me(request)).await
}

async fn a_check_names_what_is_broken_and_what_is_missing(house: &House) {
    let empty = create(house, UserFields::default()).await.unwrap_err();
    assert_eq!(broken_fields(&empty), ["username", "email", "password"]);
    let wrong = UserFields { role: Some("3".into()), email: Some("x".into()), ..fields("ann") };
    let wrong = create(house, wrong).await.unwrap_err();
    assert_eq!((wrong.kind, wrong.reason.as_str()), (Kind::Invalid, "invalid_fields"));
    assert_eq!(broken_fields(&wrong), ["email", "role"]);
}

async fn a_check_of_what_is_in_order_writes_nothing(house: &House) {
    assert_eq!(create(house, fields("ann")).await.unwrap(), User::default());
    assert!(house.events().await.is_empty());
    // the key is not used up either
    let request = CreateUserRequest { check_only: false, ..request(fields("ben")) };
    assert_eq!(answer(house.operator().create_user(request)).await.unwrap().username, "ben");
    let ann = house.person("ann").await;
    let token = house.token("ann").await;
    let new = || UserFields { password: None, email: None, ..fields("eve") };
    let promoted = UserFields { role: Some("admin".into()), ..fields("eve") };
    assert_eq!(update(house, &ann.id, promoted).await.unwrap(), User::default());
    assert_eq!(update_me(house, &token, new()).await.unwrap(), User::default());
    assert_eq!(house.me(&token).await.unwrap(), ann);
    assert_eq!(house.events().await.len(), 2);
}

async fn a_check_of_a_change_needs_nothing_but_the_user(house: &House) {
    let ann = house.person("ann").await;
    let wrong = UserFields {
        username: Some("a b".into()),
        // what everybody knows of the account as it is
        password: Some("ann@shop.example".into()),
        ..Default::default()
    };
    let wrong = update(house, &ann.id, wrong).await.unwrap_err();
    assert_eq!(broken_fields(&wrong), ["username", "password"]);
    let stranger = souk_values::UserId::new().to_string();
    let unknown = update(house, &stranger, UserFields::default()).await;
    assert_eq!(refusal(unknown), (Kind::NotFound, "user_not_found".to_owned()));
}

async fn a_check_of_oneself_names_what_only_others_may_change(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let wrong = UserFields {
        email: Some("nobody".into()),
        password: Some(PASSWORD.into()),
        active: Some(true),
        ..Default::default()
    };
    let wrong = update_me(house, &token, wrong).await.unwrap_err();
    assert_eq!(broken_fields(&wrong), ["email", "password", "active"]);
}

async fn a_check_asks_for_the_same_permission(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let refused = answer_as(&token, house.accounts().create_user(request(fields("eve")))).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
    house.delete(&house.me(&token).await.unwrap().id).await.unwrap();
    let gone = update_me(house, &token, UserFields::default()).await;
    assert_eq!(gone.unwrap_err().kind, Kind::Unauthenticated);
}
