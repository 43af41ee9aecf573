//! Changing people: by others, by themselves, and what is refused.

use souk_proto::accounts::v1::{DeleteUserRequest, GetMeRequest, ListUsersRequest, UserFields};
use souk_rpc::Kind;

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    only_given_fields_change_and_the_event_names_them
    an_update_that_changes_nothing_tells_nothing
    an_old_version_is_refused
    broken_and_taken_fields_are_refused
    a_new_password_ends_sessions_and_the_old_one
    a_promoted_customer_is_admin_with_the_next_login
    a_deleted_user_is_out_at_once
    a_deactivated_user_comes_back
    a_process_that_has_not_heard_refuses_lost_power_too
    the_last_admin_stays
    people_change_themselves_but_not_their_power
    nobody_gives_themselves_a_way_in_or_takes_their_own_power
}

async fn only_given_fields_change_and_the_event_names_them(house: &House) {
    let user = house.person("ann").await;
    house.clock.advance(chrono::TimeDelta::seconds(5));
    let wish = UserFields {
        full_name: Some("Ann Lee".into()),
        email: Some("lee@shop.example".into()),
        ..Default::default()
    };
    let changed = house.update(&user.id, wish).await.unwrap();
    assert_eq!((changed.username.as_str(), changed.full_name.as_str()), ("ann", "Ann Lee"));
    assert_eq!((changed.version, changed.updated_at_us - user.updated_at_us), (2, 5_000_000));
    assert_eq!(house.get(&user.id).await.unwrap(), changed);
    let (envelope, told) = house.events().await.pop().unwrap();
    assert_eq!(envelope.event_type, "souk.accounts.user.changed.v1");
    assert_eq!((told.version, told.fields), (2, vec!["email".to_owned(), "full_name".into()]));
    assert!(house.login("lee@shop.example", PASSWORD).await.is_ok());
    assert!(house.login("ann@shop.example", PASSWORD).await.is_err());
    assert_eq!(house.usernames(search("lee")).await, ["ann"]);
}

fn search(text: &str) -> ListUsersRequest {
    ListUsersRequest { text: text.to_owned(), ..Default::default() }
}

async fn an_update_that_changes_nothing_tells_nothing(house: &House) {
    let user = house.person("ann").await;
    let token = house.token("ann").await;
    let same = UserFields { role: Some("2".into()), active: Some(true), ..fields("ann") };
    assert_eq!(house.update(&user.id, same).await.unwrap(), user);
    assert_eq!(house.update(&user.id, UserFields::default()).await.unwrap(), user);
    assert_eq!(house.events().await.len(), 1);
    assert_eq!(house.me(&token).await.unwrap(), user);
    // another spelling of the same name is a change, and not a conflict with oneself
    let spelled = UserFields { username: Some("Ann".into()), ..Default::default() };
    assert_eq!(house.update(&user.id, spelled).await.unwrap().version, 2);
}

async fn an_old_version_is_refused(house: &House) {
    let user = house.person("ann").await;
    let name = |name: &str| UserFields { full_name: Some(name.into()), ..Default::default() };
    assert_eq!(house.update_at(&user.id, name("A"), Some(1)).await.unwrap().version, 2);
    let stale = (Kind::Stale, "stale_version".to_owned());
    assert_eq!(refusal(house.update_at(&user.id, name("B"), Some(1)).await), stale);
    let request = DeleteUserRequest { id: user.id.clone(), expected_version: Some(1) };
    assert_eq!(refusal(answer(house.operator().delete_user(request)).await), stale);
    let now = house.get(&user.id).await.unwrap();
    assert_eq!((now.full_name.as_str(), now.version), ("A", 2));
}

async fn broken_and_taken_fields_are_refused(house: &House) {
    let ann = house.person("ann").await;
    house.person("ben").await;
    let wrong = UserFields {
        username: Some("x".into()),
        password: Some("ann@shop.example".into()),
        role: Some("emperor".into()),
        ..Default::default()
    };
    let refused = house.update(&ann.id, wrong).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["username", "role", "password"]);
    let taken = UserFields { username: Some("BEN".into()), ..Default::default() };
    assert_eq!(refusal(house.update(&ann.id, taken).await).1, "username_taken");
    let taken = UserFields { email: Some("ben@SHOP.example".into()), ..Default::default() };
    assert_eq!(refusal(house.update(&ann.id, taken).await).1, "email_taken");
    let nobody = souk_values::UserId::new().to_string();
    assert_eq!(refusal(house.update(&nobody, fields("zoe")).await).1, "user_not_found");
    assert_eq!(house.get(&ann.id).await.unwrap(), ann);
}

async fn a_new_password_ends_sessions_and_the_old_one(house: &House) {
    let user = house.person("ann").await;
    let session = house.login("ann", PASSWORD).await.unwrap();
    let wish = UserFields { password: Some("another password".into()), ..Default::default() };
    house.update(&user.id, wish).await.unwrap();
    assert_eq!(house.events().await.last().unwrap().1.fields, ["password"]);
    assert_eq!(house.me(&session.access_token).await.unwrap_err().kind, Kind::Unauthenticated);
    assert_eq!(refusal(house.refresh(&session.refresh_token).await).1, "invalid_refresh_token");
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "invalid_credentials");
    assert!(house.login("ann", "another password").await.is_ok());
}

async fn a_promoted_customer_is_admin_with_the_next_login(house: &House) {
    let user = house.person("ann").await;
    let before = house.login("ann", PASSWORD).await.unwrap();
    assert!(before.user.unwrap().permissions.is_empty());
    let promoted = UserFields { role: Some("1".into()), ..Default::default() };
    assert_eq!(house.update(&user.id, promoted).await.unwrap().role, "admin");
    assert!(house.me(&before.access_token).await.is_err());
    let after = house.login("ann", PASSWORD).await.unwrap();
    assert!(after.user.unwrap().permissions.contains(&"users.write".to_owned()));
    let list = ListUsersRequest::default();
    let mut client = house.accounts();
    let call = client.list_users(list);
    assert!(answer_as(&after.access_token, call).await.is_ok());
}

async fn a_deleted_user_is_out_at_once(house: &House) {
    let user = house.person("ann").await;
    let session = house.login("ann", PASSWORD).await.unwrap();
    let gone = house.delete(&user.id).await.unwrap();
    assert_eq!((gone.active, gone.version), (false, 2));
    let (envelope, told) = house.events().await.pop().unwrap();
    assert_eq!(envelope.event_type, "souk.accounts.user.deleted.v1");
    assert_eq!((told.kind.as_str(), told.active), ("deleted", false));
    assert!(house.me(&session.access_token).await.is_err());
    assert_eq!(refusal(house.refresh(&session.refresh_token).await).1, "invalid_refresh_token");
    assert_eq!(refusal(house.login("ann", PASSWORD).await).1, "invalid_credentials");
    assert_eq!(refusal(house.delete(&user.id).await).1, "user_not_found");
    assert_eq!(house.events().await.len(), 2);
    // the name stays taken
    assert_eq!(refusal(house.create(fields("ann")).await).1, "username_taken");
}

async fn a_deactivated_user_comes_back(house: &House) {
    let user = house.person("ann").await;
    let token = house.token("ann").await;
    let active = |active| UserFields { active: Some(active), ..Default::default() };
    house.update(&user.id, active(false)).await.unwrap();
    assert!(house.me(&token).await.is_err());
    assert!(house.login("ann", PASSWORD).await.is_err());
    assert_eq!(refusal(house.get(&user.id).await).1, "user_not_found");
    let back = house.update(&user.id, active(true)).await.unwrap();
    assert_eq!((back.active, back.version), (true, 3));
    assert!(house.login("ann", PASSWORD).await.is_ok());
    assert!(house.me(&token).await.is_err());
}

async fn the_last_admin_stays(house: &House) {
    let root = house.admin("root").await;
    let gone = house.admin("gone").await;
    house.delete(&gone.id).await.unwrap();
    let last = (Kind::Conflict, "last_admin".to_owned());
    assert_eq!(refusal(house.delete(&root.id).await), last);
    let off = UserFields { active: Some(false), ..Default::default() };
    assert_eq!(refusal(house.update(&root.id, off).await), last);
    let down = UserFields { role: Some("customer".into()), ..Default::default() };
    assert_eq!(refusal(house.update(&root.id, down.clone()).await), last);
    let rename = UserFields { username: Some("chief".into()), ..Default::default() };
    assert!(house.update(&root.id, rename).await.is_ok());
    house.admin("second").await;
    assert_eq!(house.update(&root.id, down).await.unwrap().role, "customer");
}

async fn people_change_themselves_but_not_their_power(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let wish = UserFields { full_name: Some("Ann Lee".into()), ..Default::default() };
    let changed = house.update_me(&token, wish).await.unwrap();
    assert_eq!((changed.full_name.as_str(), changed.version), ("Ann Lee", 2));
    assert_eq!(house.me(&token).await.unwrap(), changed);
    assert_eq!(house.events().await.last().unwrap().1.actor_id, changed.id);
    let grab = UserFields {
        username: Some("!".into()),
        email: Some("lee@shop.example".into()),
        password: Some("another password".into()),
        role: Some("emperor".into()),
        active: Some(true),
        ..Default::default()
    };
    let refused = house.update_me(&token, grab).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["username", "email", "password", "role", "active"]);
    let moved = refused.violations.iter().find(|violation| violation.field == "email").unwrap();
    assert_eq!(moved.message, "is changed at /api/me/email, with a code");
    let name = UserFields { username: Some("Adm1n".into()), ..Default::default() };
    let reserved = house.update_me(&token, name).await.unwrap_err();
    assert_eq!(broken_fields(&reserved), ["username"]);
    assert_eq!(house.me(&token).await.unwrap(), changed);
    let nobody = answer(house.accounts().get_me(GetMeRequest {})).await.unwrap_err();
    assert_eq!(nobody.kind, Kind::Unauthenticated);
    let operator = answer(house.operator().get_me(GetMeRequest {})).await.unwrap_err();
    assert_eq!(operator.reason, "not_logged_in");
}

async fn a_process_that_has_not_heard_refuses_lost_power_too(house: &House) {
    let keeper = house.admin("keeper").await;
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let list = || {
        let mut client = house.elsewhere();
        let token = token.clone();
        async move { answer_as(&token, client.list_users(ListUsersRequest::default())).await }
    };
    assert_eq!(list().await.unwrap().items.len(), 2);
    let down = UserFields { role: Some("customer".into()), ..Default::default() };
    house.update(&root.id, down).await.unwrap();
    assert_eq!(refusal(list().await), (Kind::Unauthenticated, "session_ended".into()));
    house.delete(&root.id).await.unwrap();
    assert_eq!(refusal(list().await), (Kind::Forbidden, "account_inactive".into()));
    assert!(house.get(&keeper.id).await.is_ok());
}

/// An admin's session that somebody finds open leads to no password, no address and no other role.
async fn nobody_gives_themselves_a_way_in_or_takes_their_own_power(house: &House) {
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let down = || UserFields { role: Some("customer".into()), ..Default::default() };
    let delete = |id: &str| {
        let request = DeleteUserRequest { id: id.to_owned(), expected_version: None };
        let mut client = house.accounts();
        let token = token.clone();
        async move { answer_as(&token, client.delete_user(request)).await }
    };
    // the last admin is told so, alone or not
    let last = (Kind::Conflict, "last_admin".to_owned());
    assert_eq!(refusal(house.change_as(&token, &root.id, down()).await), last);
    assert_eq!(refusal(delete(&root.id).await), last);
    let other = house.admin("other").await;
    let own = (Kind::Forbidden, "own_account".to_owned());
    for fields in [
        UserFields { password: Some("quite another password".into()), ..Default::default() },
        UserFields { email: Some("mine@shop.example".into()), ..Default::default() },
        UserFields { active: Some(false), ..Default::default() },
        down(),
    ] {
        assert_eq!(refusal(house.change_as(&token, &root.id, fields).await), own);
    }
    assert_eq!(refusal(delete(&root.id).await), own);
    assert_eq!(house.get(&root.id).await.unwrap(), root);
    assert!(house.login("root", PASSWORD).await.is_ok());
    // a name leads nowhere, what is so already is no change, and others are others
    let name = UserFields { full_name: Some("Root".into()), ..fields("root") };
    assert_eq!(house.change_as(&token, &root.id, name).await.unwrap().full_name, "Root");
    assert!(house.change_as(&token, &other.id, down()).await.is_ok());
    assert!(delete(&other.id).await.is_ok());
}
