//! Roles: made, changed and removed by those who hold what they give.

use futures::future::join_all;
use souk_auth::Permission;
use souk_proto::accounts::v1::role_service_client::RoleServiceClient;
use souk_proto::accounts::v1::{
    CreateRoleRequest, CreateUserRequest, DeleteRoleRequest, DeleteUserRequest,
    ListPermissionsRequest, ListRolesRequest, Role, UpdateRoleRequest, User, UserFields,
};
use souk_rpc::{Failure, Kind, Transport};

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};
use crate::second_factor::needed;

crate::on_both! {
    three_roles_exist_from_the_start
    a_role_is_made_changed_and_removed
    every_broken_field_of_a_role_is_named
    nobody_gives_or_takes_what_they_do_not_hold
    admin_and_customer_stay
    who_loses_a_permission_is_out_at_once
    a_login_during_the_loss_of_a_permission_is_not_left_open
    a_role_that_somebody_has_stays
    nobody_gets_a_role_that_goes_in_the_same_moment
    roles_need_a_fresh_second_factor
}

impl House {
    fn roles(&self) -> RoleServiceClient<Transport> {
        RoleServiceClient::new(self.from("gateway"))
    }

    async fn make_role(&self, token: &str, name: &str, words: &[&str]) -> Result<Role, Failure> {
        let permissions = words.iter().map(|word| (*word).to_owned()).collect();
        let request = CreateRoleRequest { name: name.to_owned(), permissions };
        answer_as(token, self.roles().create_role(request)).await
    }

    pub(crate) async fn change_role(
        &self,
        token: &str,
        name: &str,
        words: &[&str],
    ) -> Result<Role, Failure> {
        let permissions = words.iter().map(|word| (*word).to_owned()).collect();
        let request = UpdateRoleRequest { name: name.to_owned(), permissions };
        answer_as(token, self.roles().update_role(request)).await
    }

    async fn delete_role(&self, token: &str, name: &str) -> Result<Role, Failure> {
        let request = DeleteRoleRequest { name: name.to_owned() };
        answer_as(token, self.roles().delete_role(request)).await
    }

    async fn role_names(&self) -> Vec<String> {
        let list = answer(self.operator().list_roles(ListRolesRequest {})).await.unwrap();
        list.items.into_iter().map(|role| role.name).collect()
    }

    /// Somebody with this role, and a token of theirs.
    pub(crate) async fn with_role(&self, name: &str, role: &str) -> (User, String) {
        let user = UserFields { role: Some(role.to_owned()), ..fields(name) };
        (self.create(user).await.unwrap(), self.token(name).await)
    }
}

async fn three_roles_exist_from_the_start(house: &House) {
    let list = answer(house.operator().list_roles(ListRolesRequest {})).await.unwrap().items;
    let told: Vec<_> = list.iter().map(|role| (role.name.as_str(), role.number)).collect();
    assert_eq!(told, [("admin", 1), ("customer", 2), ("catalog_admin", 0)]);
    let words = ["products.write", "notices.receive", "stats.read", "stock.read", "stock.write"];
    assert_eq!(list[2].permissions, words);
    let (_, root) = house.with_role("root", "admin").await;
    let known = answer_as(&root, house.roles().list_permissions(ListPermissionsRequest {})).await;
    let known = known.unwrap().items;
    assert_eq!(known.len(), Permission::ALL.len());
    assert!(known.iter().all(|known| known.meaning.len() > 10));
    assert_eq!(list[0].permissions.len(), known.len());
}

async fn a_role_is_made_changed_and_removed(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    let made = house.make_role(&root, "support", &["orders.read", "users.read"]).await.unwrap();
    assert_eq!((made.name.as_str(), made.number), ("support", 0));
    assert_eq!(made.permissions, ["users.read", "orders.read"]);
    let twice = house.make_role(&root, "support", &[]).await;
    assert_eq!(refusal(twice), (Kind::Conflict, "role_taken".to_owned()));
    let (_, ann) = house.with_role("ann", "support").await;
    let user = house.verifier.verify(&ann).await.unwrap();
    assert_eq!(user.permissions.len(), 2);
    let words = ["users.read", "users.read", "stats.read", "orders.read"];
    let changed = house.change_role(&root, "support", &words).await.unwrap();
    assert_eq!(changed.permissions, ["users.read", "stats.read", "orders.read"]);
    // more power needs no new login, but comes with the next token only
    assert!(house.me(&ann).await.is_ok());
    assert_eq!(house.me(&house.token("ann").await).await.unwrap().permissions.len(), 3);
    assert_eq!(house.role_names().await, ["admin", "customer", "catalog_admin", "support"]);
    assert!(house.make_role(&root, "spare", &[]).await.is_ok());
    assert_eq!(house.delete_role(&root, "spare").await.unwrap().name, "spare");
    let missing = (Kind::NotFound, "role_not_found".to_owned());
    assert_eq!(refusal(house.delete_role(&root, "spare").await), missing);
    assert_eq!(refusal(house.change_role(&root, "spare", &[]).await), missing);
}

async fn every_broken_field_of_a_role_is_named(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    let refused = house.make_role(&root, "Sales Team", &["orders.fly"]).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["name", "permissions"]);
    for (name, words) in [("x", vec![]), ("sales", vec!["*"]), ("sales", vec!["orders.read", ""])] {
        let refused = house.make_role(&root, name, &words).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Invalid, "{name}");
    }
    let refused = house.change_role(&root, "catalog_admin", &["everything"]).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["permissions"]);
    assert_eq!(house.role_names().await.len(), 3);
}

async fn nobody_gives_or_takes_what_they_do_not_hold(house: &House) {
    let (root, token) = house.with_role("root", "admin").await;
    let chief = ["roles.write", "users.read", "users.write", "stats.read"];
    house.make_role(&token, "chief", &chief).await.unwrap();
    house.make_role(&token, "seller", &["orders.write"]).await.unwrap();
    let (chief, token) = house.with_role("chief", "chief").await;
    let beyond = (Kind::Forbidden, "beyond_own_permissions".to_owned());

    assert!(house.make_role(&token, "reader", &["stats.read"]).await.is_ok());
    let made = house.make_role(&token, "mighty", &["stats.read", "orders.write"]).await;
    assert_eq!(refusal(made), beyond);
    let grown = house.change_role(&token, "chief", &["roles.write", "orders.read"]).await;
    assert_eq!(refusal(grown), beyond);
    // what the role has already is not given
    let kept = house.change_role(&token, "seller", &["orders.write", "stats.read"]).await;
    assert!(kept.is_ok());
    // nor taken
    let taken = house.change_role(&token, "seller", &["stats.read"]).await;
    assert_eq!(refusal(taken), beyond);
    assert_eq!(refusal(house.delete_role(&token, "seller").await), beyond);

    let ann = house.person("ann").await;
    let role = |role: &str| UserFields { role: Some(role.to_owned()), ..Default::default() };
    assert!(house.change_as(&token, &ann.id, role("reader")).await.is_ok());
    for mighty in ["admin", "seller"] {
        assert_eq!(refusal(house.change_as(&token, &ann.id, role(mighty)).await), beyond);
        let own = house.change_as(&token, &chief.id, role(mighty)).await;
        assert_eq!(refusal(own), beyond);
        let made = UserFields { role: Some(mighty.to_owned()), ..fields("zoe") };
        let request = CreateUserRequest { fields: Some(made), ..Default::default() };
        let made = answer_as(&token, house.accounts().create_user(request)).await;
        assert_eq!(refusal(made), beyond);
    }
    let password = UserFields { password: Some("quite another one".into()), ..Default::default() };
    for fields in [password, role("customer")] {
        assert_eq!(refusal(house.change_as(&token, &root.id, fields).await), beyond);
    }
    let request = DeleteUserRequest { id: root.id.clone(), expected_version: None };
    let gone = answer_as(&token, house.accounts().delete_user(request)).await;
    assert_eq!(refusal(gone), beyond);
    assert_eq!(house.get(&root.id).await.unwrap(), root);
}

async fn admin_and_customer_stay(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    let fixed = (Kind::Forbidden, "role_fixed".to_owned());
    assert_eq!(refusal(house.change_role(&root, "admin", &["stats.read"]).await), fixed);
    for name in ["admin", "customer"] {
        assert_eq!(refusal(house.delete_role(&root, name).await), fixed);
    }
    assert!(house.change_role(&root, "customer", &["stats.read"]).await.is_ok());
    assert!(house.change_role(&root, "customer", &[]).await.is_ok());
}

async fn who_loses_a_permission_is_out_at_once(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    house.make_role(&root, "support", &["users.read", "stats.read"]).await.unwrap();
    let (ann, first) = house.with_role("ann", "support").await;
    let second = house.login("ann", PASSWORD).await.unwrap();
    let (ben, third) = house.with_role("ben", "support").await;
    let (_, other) = house.with_role("cleo", "catalog_admin").await;
    house.change_role(&root, "support", &["users.read"]).await.unwrap();
    for token in [&first, &second.access_token, &third] {
        assert!(house.verifier.verify(token).await.is_err());
        // nor in a process that has not heard
        assert_eq!(refusal(answer_as(token, get_me(house)).await).1, "session_ended");
    }
    assert!(house.refresh(&second.refresh_token).await.is_err());
    assert!(house.me(&other).await.is_ok() && house.me(&root).await.is_ok());
    let mut told: Vec<_> = house.ends().await.into_iter().rev().take(2).collect();
    told.sort_by_key(|end| end.session_ids.len());
    let told: Vec<_> =
        told.iter().map(|e| (e.user_id.as_str(), e.reason.as_str(), e.session_ids.len())).collect();
    assert_eq!(told, [(ben.id.as_str(), "role", 1), (ann.id.as_str(), "role", 2)]);
    assert_eq!(house.me(&house.token("ann").await).await.unwrap().permissions, ["users.read"]);
    // nothing lost, nobody out
    let token = house.token("ben").await;
    house.change_role(&root, "support", &["users.read", "stats.read"]).await.unwrap();
    house.change_role(&root, "support", &["stats.read", "users.read"]).await.unwrap();
    assert!(house.verifier.verify(&token).await.is_ok());
}

async fn get_me(house: &House) -> Result<tonic::Response<User>, tonic::Status> {
    let request = souk_proto::accounts::v1::GetMeRequest {};
    house.elsewhere().get_me(request).await
}

async fn a_login_during_the_loss_of_a_permission_is_not_left_open(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    house.make_role(&root, "support", &["users.read", "stats.read"]).await.unwrap();
    house.with_role("ann", "support").await;
    for words in [["users.read"].as_slice(), &["stats.read", "users.read"], &["users.read"]] {
        let logins = join_all((0..3).map(|_| house.login("ann", PASSWORD)));
        let (sessions, changed) = tokio::join!(logins, house.change_role(&root, "support", words));
        changed.unwrap();
        for session in sessions.into_iter().flatten() {
            if let Ok(user) = house.verifier.verify(&session.access_token).await {
                assert!(user.permissions.len() <= words.len(), "{words:?}");
            }
        }
    }
}

async fn a_role_that_somebody_has_stays(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    let (ann, _) = house.with_role("ann", "catalog_admin").await;
    let in_use = (Kind::Conflict, "role_in_use".to_owned());
    assert_eq!(refusal(house.delete_role(&root, "catalog_admin").await), in_use);
    // also by somebody who left: they may come back
    house.delete(&ann.id).await.unwrap();
    assert_eq!(refusal(house.delete_role(&root, "catalog_admin").await), in_use);
    let back = UserFields { role: Some("customer".into()), ..Default::default() };
    house.update(&ann.id, back).await.unwrap();
    assert!(house.delete_role(&root, "catalog_admin").await.is_ok());
}

async fn nobody_gets_a_role_that_goes_in_the_same_moment(house: &House) {
    let (_, root) = house.with_role("root", "admin").await;
    for round in 0..5 {
        let name = format!("role{round}");
        house.make_role(&root, &name, &["stats.read"]).await.unwrap();
        let user = UserFields { role: Some(name.clone()), ..fields(&format!("user{round}")) };
        let (made, gone) = tokio::join!(house.create(user), house.delete_role(&root, &name));
        match (made, gone) {
            (Ok(user), Err(refused)) => {
                assert_eq!((user.role, refused.reason.as_str()), (name, "role_in_use"));
            }
            (Err(refused), Ok(_)) => assert_eq!(broken_fields(&refused), ["role"]),
            other => panic!("{other:?}"),
        }
    }
}

async fn roles_need_a_fresh_second_factor(house: &House) {
    house.admin("root").await;
    let (_, confirmed) = house.enrol(&house.token("root").await).await;
    let token = confirmed.tokens.unwrap().access_token;
    assert!(house.make_role(&token, "support", &[]).await.is_ok());
    house.clock.advance(chrono::TimeDelta::seconds(301));
    assert_eq!(refusal(house.make_role(&token, "others", &[]).await), needed());
    assert_eq!(refusal(house.change_role(&token, "support", &["stats.read"]).await), needed());
    assert_eq!(refusal(house.delete_role(&token, "support").await), needed());
    // who may not at all is not asked for a code
    let (_, cat) = house.with_role("cat", "catalog_admin").await;
    let forbidden = house.make_role(&cat, "others", &[]).await;
    assert_eq!(refusal(forbidden), (Kind::Forbidden, "forbidden".to_owned()));
    let named = answer_as(&cat, house.accounts().list_roles(ListRolesRequest {})).await;
    assert_eq!(refusal(named).0, Kind::Forbidden);
}
