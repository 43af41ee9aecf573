//! Making, reading and listing people.

use souk_auth::Permission;
use souk_proto::accounts::v1::{
    CreateUserRequest, GetHeldPermissionsRequest, GetUserRequest, ListNoticeRecipientsRequest,
    ListRolesRequest, ListUsersRequest, User, UserFields,
    account_service_client::AccountServiceClient,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::Kind;
use souk_values::UserId;

use crate::block::of_user;
use crate::house::{House, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    a_user_is_created_as_a_customer_and_told_of_without_personal_data
    every_broken_field_is_named_at_once
    names_and_addresses_are_unique_in_any_spelling
    a_role_is_given_by_name_or_number
    the_same_key_answers_the_same_user_and_another_body_is_refused
    a_key_is_forgotten_after_a_day
    missing_and_inactive_users_look_the_same
    only_those_with_the_permission_see_and_make_users
    users_are_listed_in_pages_newest_first
    users_are_found_by_part_of_name_or_address
    roles_are_data
    notices_go_to_active_admins_only
    what_somebody_holds_is_what_they_could_do_now
}

async fn a_user_is_created_as_a_customer_and_told_of_without_personal_data(house: &House) {
    let user = house.person("ann").await;
    assert!(user.id.starts_with("usr_"));
    assert_eq!((user.username.as_str(), user.email.as_str()), ("ann", "ann@shop.example"));
    assert_eq!((user.role.as_str(), user.active, user.version), ("customer", true, 1));
    assert_eq!(user.permissions, Vec::<String>::new());
    assert_eq!(user.created_at_us, house.clock.now_us());
    assert_eq!(house.get(&user.id).await.unwrap(), user);

    let events = house.events().await;
    let (envelope, told) = events.first().unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(envelope.event_type, "souk.accounts.user.created.v1");
    assert_eq!(envelope.subject, format!("user/{}", user.id));
    assert_eq!((told.user_id.as_str(), told.version), (user.id.as_str(), 1));
    assert_eq!((told.kind.as_str(), told.actor_id.as_str()), ("created", "operator"));
    assert!(!String::from_utf8_lossy(&envelope.payload).contains("ann"));
}

async fn every_broken_field_is_named_at_once(house: &House) {
    let empty = house.create(UserFields::default()).await.unwrap_err();
    assert_eq!((empty.kind, empty.reason.as_str()), (Kind::Invalid, "invalid_fields"));
    assert_eq!(broken_fields(&empty), ["username", "email", "password"]);
    let wrong = UserFields {
        username: Some("a b".into()),
        email: Some("nobody".into()),
        full_name: Some("x".repeat(201)),
        password: Some("short".into()),
        role: Some("3".into()),
        ..UserFields::default()
    };
    let wrong = house.create(wrong).await.unwrap_err();
    assert_eq!(broken_fields(&wrong), ["username", "email", "full_name", "password", "role"]);
    let told = UserFields { password: Some("ANN@shop.example".into()), ..fields("ann") };
    assert_eq!(broken_fields(&house.create(told).await.unwrap_err()), ["password"]);
    assert!(house.events().await.is_empty());
}

async fn names_and_addresses_are_unique_in_any_spelling(house: &House) {
    house.person("josé").await;
    let same_name = UserFields {
        username: Some("JOSE\u{301}".into()),
        email: Some("other@shop.example".into()),
        ..fields("x")
    };
    let refused = house.create(same_name).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Conflict, "username_taken"));
    assert_eq!(broken_fields(&refused), ["username"]);
    let same_address = UserFields { email: Some("JOSÉ@Shop.Example".into()), ..fields("other") };
    assert_eq!(refusal(house.create(same_address).await), (Kind::Conflict, "email_taken".into()));
    let both = house.create(fields("josé")).await.unwrap_err();
    assert_eq!((both.reason.as_str(), broken_fields(&both).len()), ("username_taken", 2));
    assert_eq!(house.events().await.len(), 1);
}

async fn a_role_is_given_by_name_or_number(house: &House) {
    for (username, role, expected) in
        [("ann", "1", "admin"), ("ben", "admin", "admin"), ("cem", "2", "customer")]
    {
        let made = UserFields { role: Some(role.into()), ..fields(username) };
        assert_eq!(house.create(made).await.unwrap().role, expected);
    }
}

async fn the_same_key_answers_the_same_user_and_another_body_is_refused(house: &House) {
    let with_key = |fields, key: &str| {
        let key = key.to_owned();
        let request =
            CreateUserRequest { fields: Some(fields), idempotency_key: key, check_only: false };
        let mut client = house.operator();
        async move { answer(client.create_user(request)).await }
    };
    let made = with_key(fields("ann"), "k-1").await.unwrap();
    let again = with_key(fields("ann"), "k-1").await.unwrap();
    assert_eq!(again, made);
    let expected = (Kind::Invalid, "idempotency_key_reused".to_owned());
    assert_eq!(refusal(with_key(fields("ben"), "k-1").await), expected);
    let other_password = UserFields { password: Some("another password".into()), ..fields("ann") };
    assert_eq!(refusal(with_key(other_password, "k-1").await), expected);
    assert_eq!(refusal(with_key(fields("ann"), "k-2").await).1, "username_taken");
    assert_eq!(
        broken_fields(&with_key(fields("eve"), "a\nb").await.unwrap_err()),
        ["idempotency_key"]
    );
    assert_eq!(house.events().await.len(), 1);

    // a key belongs to who used it
    house.admin("root").await;
    let token = house.token("root").await;
    let request = CreateUserRequest {
        fields: Some(fields("ben")),
        idempotency_key: "k-1".to_owned(),
        check_only: false,
    };
    let by_admin = answer_as(&token, house.accounts().create_user(request)).await.unwrap();
    assert_eq!(by_admin.username, "ben");
}

async fn a_key_is_forgotten_after_a_day(house: &House) {
    let request = |username| CreateUserRequest {
        fields: Some(fields(username)),
        idempotency_key: "k-1".to_owned(),
        check_only: false,
    };
    answer(house.operator().create_user(request("ann"))).await.unwrap();
    house.clock.advance(chrono::TimeDelta::hours(25));
    let later = answer(house.operator().create_user(request("ben"))).await.unwrap();
    assert_eq!(later.username, "ben");
}

async fn missing_and_inactive_users_look_the_same(house: &House) {
    let gone = house.person("ann").await;
    house.delete(&gone.id).await.unwrap();
    let expected = (Kind::NotFound, "user_not_found".to_owned());
    let stranger = UserId::new().to_string();
    for id in [gone.id.as_str(), &stranger, "usr_", "1", ""] {
        assert_eq!(refusal(house.get(id).await), expected, "{id}");
        assert_eq!(refusal(house.delete(id).await), expected, "{id}");
    }
}

async fn only_those_with_the_permission_see_and_make_users(house: &House) {
    let ann = house.person("ann").await;
    house.admin("root").await;
    let customer = house.token("ann").await;
    let create = || CreateUserRequest { fields: Some(fields("eve")), ..Default::default() };
    let get = || GetUserRequest { id: ann.id.clone() };

    let refused = answer_as(&customer, house.accounts().create_user(create())).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
    let refused = answer_as(&customer, house.accounts().get_user(get())).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
    let list = house.accounts();
    let refused = answer_as(&customer, { list }.list_users(ListUsersRequest::default())).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Forbidden);
    let refused = answer(house.accounts().create_user(create())).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Unauthenticated);

    let admin = house.token("root").await;
    let made = answer_as(&admin, house.accounts().create_user(create())).await.unwrap();
    assert_eq!(made.username, "eve");
    assert_eq!(answer_as(&admin, house.accounts().get_user(get())).await.unwrap(), ann);
    let actor = house.events().await.last().unwrap().1.actor_id.clone();
    assert!(actor.starts_with("usr_"), "{actor}");
}

async fn users_are_listed_in_pages_newest_first(house: &House) {
    for username in ["ann", "ben", "cem", "dan", "eve"] {
        house.person(username).await;
    }
    let gone = house.person("zoe").await;
    house.delete(&gone.id).await.unwrap();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = Some(PageRequest { limit: 2, cursor });
        let request = ListUsersRequest { page, ..Default::default() };
        let list = answer(house.operator().list_users(request)).await.unwrap();
        assert!(list.items.len() <= 2);
        seen.extend(list.items.into_iter().map(|user: User| user.username));
        cursor = list.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["eve", "dan", "cem", "ben", "ann"]);
    let inactive = ListUsersRequest { active: Some(false), ..Default::default() };
    assert_eq!(house.usernames(inactive).await, ["zoe"]);

    let page = Some(PageRequest { limit: 101, cursor: String::new() });
    let request = ListUsersRequest { page, role: "emperor".into(), ..Default::default() };
    let refused = answer(house.operator().list_users(request)).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["limit", "role"]);
    let page = Some(PageRequest { limit: 0, cursor: "rubbish".into() });
    let request = ListUsersRequest { page, text: "a\0b".into(), ..Default::default() };
    let refused = answer(house.operator().list_users(request)).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["cursor", "text"]);
}

async fn users_are_found_by_part_of_name_or_address(house: &House) {
    house
        .create(UserFields { full_name: Some("Äsop 100%".into()), ..fields("ann") })
        .await
        .unwrap();
    house.person("be_n").await;
    house.admin("bexn").await;
    let text = |text: &str| ListUsersRequest { text: text.to_owned(), ..Default::default() };
    assert_eq!(house.usernames(text("äSOP")).await, ["ann"]);
    assert_eq!(house.usernames(text("0%")).await, ["ann"]);
    assert_eq!(house.usernames(text("E_N")).await, ["be_n"]);
    assert_eq!(house.usernames(text("BEXN@shop")).await, ["bexn"]);
    assert_eq!(house.usernames(text("nobody")).await, Vec::<String>::new());
    assert_eq!(house.usernames(text("\\")).await, Vec::<String>::new());
    let admins = ListUsersRequest { role: "1".into(), ..Default::default() };
    assert_eq!(house.usernames(admins).await, ["bexn"]);
}

async fn roles_are_data(house: &House) {
    let roles = answer(house.operator().list_roles(ListRolesRequest {})).await.unwrap().items;
    let names: Vec<(&str, u32)> = roles.iter().map(|r| (r.name.as_str(), r.number)).collect();
    assert_eq!(names, [("admin", 1), ("customer", 2), ("catalog_admin", 0)]);
    let all: Vec<String> = Permission::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(roles.first().unwrap().permissions.len(), all.len());
    assert!(all.iter().all(|word| roles.first().unwrap().permissions.contains(word)));
    assert!(roles[1].permissions.is_empty());
    let keeper = ["notices.receive", "products.write", "stats.read", "stock.read", "stock.write"];
    let mut kept = roles[2].permissions.clone();
    kept.sort();
    assert_eq!(kept, keeper);
}

/// Notifier asks before it does what somebody ordered a while ago.
async fn what_somebody_holds_is_what_they_could_do_now(house: &House) {
    let ask = |from: &str, id: &str| {
        let mut client = AccountServiceClient::new(house.from(from));
        let request = GetHeldPermissionsRequest { user_id: id.to_owned() };
        async move { answer(client.get_held_permissions(request)).await }
    };
    let held = async |id: &str| ask("notifier", id).await.unwrap().permissions;
    house.admin("root").await;
    let clerk = UserFields { role: Some("catalog_admin".into()), ..fields("clerk") };
    let clerk = house.create(clerk).await.unwrap();
    assert_eq!(held(&clerk.id).await, clerk.permissions);
    assert_eq!(clerk.permissions.len(), 5);
    let block = house.block(of_user(&clerk.id)).await.unwrap();
    assert_eq!(held(&clerk.id).await, Vec::<String>::new(), "blocked");
    house.lift(&block.id).await.unwrap();
    assert_eq!(held(&clerk.id).await.len(), 5);
    let demoted = UserFields { role: Some("customer".into()), ..UserFields::default() };
    house.update(&clerk.id, demoted).await.unwrap();
    assert_eq!(held(&clerk.id).await, Vec::<String>::new(), "demoted");
    let other = house.admin("other").await;
    assert_eq!(held(&other.id).await.len(), Permission::ALL.len());
    house.delete(&other.id).await.unwrap();
    for nobody in [&*other.id, &UserId::new().to_string(), "operator", ""] {
        assert_eq!(held(nobody).await, Vec::<String>::new(), "{nobody}");
    }
    for from in ["gateway", "orders", "catalog", "analytics"] {
        assert_eq!(ask(from, &clerk.id).await.unwrap_err().kind, Kind::Forbidden, "{from}");
    }
}

async fn notices_go_to_active_admins_only(house: &House) {
    let ask = |from: &str| {
        let mut client = AccountServiceClient::new(house.from(from));
        async move { answer(client.list_notice_recipients(ListNoticeRecipientsRequest {})).await }
    };
    assert!(ask("notifier").await.unwrap().items.is_empty());
    let root = house.admin("root").await;
    let gone = house.admin("gone").await;
    house.person("ann").await;
    let plain = UserFields { role: Some("1".into()), full_name: None, ..fields("noname") };
    let noname = house.create(plain).await.unwrap();
    house.delete(&gone.id).await.unwrap();
    let items = ask("notifier").await.unwrap().items;
    let told: Vec<_> =
        items.iter().map(|r| (&r.user_id, r.email.as_str(), r.name.as_str())).collect();
    assert_eq!(
        told,
        [
            (&root.id, "root@shop.example", "root Example"),
            (&noname.id, "noname@shop.example", "noname")
        ]
    );
    assert_eq!(ask("gateway").await.unwrap_err().kind, Kind::Forbidden);
}
