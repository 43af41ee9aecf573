//! Address books, the contact of a person, and what a logout tells.

use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::address_service_client::AddressServiceClient;
use souk_proto::accounts::v1::{
    CreateAddressRequest, CustomerAddress, DeleteAddressRequest, GetAddressRequest,
    GetContactRequest, ListAddressesRequest, LogoutRequest, UpdateAddressRequest, UserFields,
};
use souk_proto::events::v1::SessionEnded;
use souk_rpc::{Failure, Kind, Transport};
use souk_values::Page;

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    an_address_is_kept_read_changed_and_removed
    the_first_address_is_the_default_and_always_one_is
    an_old_version_of_an_address_is_refused
    foreign_addresses_look_like_missing_ones
    every_broken_field_of_an_address_is_named_at_once
    a_book_holds_fifty_addresses_however_many_come_at_once
    only_who_is_logged_in_has_a_book
    orders_reads_an_address_of_the_user_it_acts_for
    the_notifier_learns_whom_to_write_to
    a_logout_is_told_once
}

fn home() -> CustomerAddress {
    CustomerAddress {
        label: "home".into(),
        name: "Ann Lee".into(),
        line1: "1 Main Street".into(),
        city: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
        phone: "+49 30 901820".into(),
        ..CustomerAddress::default()
    }
}

impl House {
    fn books(&self) -> AddressServiceClient<Transport> {
        AddressServiceClient::new(self.from("gateway"))
    }

    async fn keep(
        &self,
        token: &str,
        address: CustomerAddress,
    ) -> Result<CustomerAddress, Failure> {
        let request = CreateAddressRequest { address: Some(address) };
        answer_as(token, self.books().create_address(request)).await
    }

    async fn change_address(
        &self,
        token: &str,
        address: CustomerAddress,
        expected_version: Option<u64>,
    ) -> Result<CustomerAddress, Failure> {
        let request = UpdateAddressRequest { address: Some(address), expected_version };
        answer_as(token, self.books().update_address(request)).await
    }

    async fn address(&self, token: &str, id: &str) -> Result<CustomerAddress, Failure> {
        let request = GetAddressRequest { id: id.to_owned() };
        answer_as(token, self.books().get_address(request)).await
    }

    async fn remove(&self, token: &str, id: &str) -> Result<CustomerAddress, Failure> {
        let request = DeleteAddressRequest { id: id.to_owned() };
        answer_as(token, self.books().delete_address(request)).await
    }

    async fn book(&self, token: &str) -> Vec<CustomerAddress> {
        let request = ListAddressesRequest {};
        answer_as(token, self.books().list_addresses(request)).await.unwrap().items
    }
}

async fn an_address_is_kept_read_changed_and_removed(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let kept = house.keep(&token, CustomerAddress { country: " de".into(), ..home() }).await;
    let kept = kept.unwrap();
    assert!(kept.id.starts_with("adr_"));
    let expected = CustomerAddress { id: kept.id.clone(), is_default: true, version: 1, ..home() };
    assert_eq!(kept, expected);
    assert_eq!(house.address(&token, &kept.id).await.unwrap(), kept);

    let moved = CustomerAddress { line1: "2 Side Street".into(), ..kept.clone() };
    let changed = house.change_address(&token, moved.clone(), Some(1)).await.unwrap();
    assert_eq!(changed, CustomerAddress { version: 2, ..moved });
    // the same again is no change
    assert_eq!(house.change_address(&token, changed.clone(), None).await.unwrap(), changed);

    assert_eq!(house.remove(&token, &kept.id).await.unwrap(), changed);
    assert!(house.book(&token).await.is_empty());
    let gone = (Kind::NotFound, "address_not_found".to_owned());
    assert_eq!(refusal(house.remove(&token, &kept.id).await), gone);
    // nobody else learns of addresses
    assert_eq!(house.events().await.len(), 1);
}

async fn the_first_address_is_the_default_and_always_one_is(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let labeled =
        |label: &str, is_default| CustomerAddress { label: label.to_owned(), is_default, ..home() };
    for (label, is_default) in [("a", false), ("b", false), ("c", true), ("d", false)] {
        house.keep(&token, labeled(label, is_default)).await.unwrap();
    }
    let told = |book: Vec<CustomerAddress>| -> Vec<(String, bool, u64)> {
        book.into_iter().map(|a| (a.label, a.is_default, a.version)).collect()
    };
    let row = |label: &str, is_default, version| (label.to_owned(), is_default, version);
    let book = house.book(&token).await;
    let expected = [row("c", true, 1), row("a", false, 2), row("b", false, 1), row("d", false, 1)];
    assert_eq!(told(book.clone()), expected);

    let b = CustomerAddress { is_default: true, ..book[2].clone() };
    house.change_address(&token, b.clone(), None).await.unwrap();
    let expected = [row("b", true, 2), row("a", false, 2), row("c", false, 2), row("d", false, 1)];
    assert_eq!(told(house.book(&token).await), expected);
    let none = CustomerAddress { is_default: false, ..b.clone() };
    let refused = house.change_address(&token, none, None).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["is_default"]);

    house.remove(&token, &b.id).await.unwrap();
    let expected = [row("a", true, 3), row("c", false, 2), row("d", false, 1)];
    assert_eq!(told(house.book(&token).await), expected);
}

async fn an_old_version_of_an_address_is_refused(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let kept = house.keep(&token, home()).await.unwrap();
    let moved = |city: &str| CustomerAddress { city: city.to_owned(), ..kept.clone() };
    house.change_address(&token, moved("Bonn"), Some(1)).await.unwrap();
    let stale = house.change_address(&token, moved("Mainz"), Some(1)).await.unwrap_err();
    assert_eq!((stale.kind, stale.reason.as_str()), (Kind::Stale, "stale_version"));
    assert_eq!(stale.metadata.get("current_version").map(String::as_str), Some("2"));
    assert_eq!(house.address(&token, &kept.id).await.unwrap().city, "Bonn");
}

async fn foreign_addresses_look_like_missing_ones(house: &House) {
    house.person("ann").await;
    house.admin("root").await;
    let ann = house.token("ann").await;
    let root = house.token("root").await;
    let kept = house.keep(&ann, home()).await.unwrap();
    let missing = (Kind::NotFound, "address_not_found".to_owned());
    let nowhere = souk_values::AddressId::new().to_string();
    for id in [kept.id.as_str(), &nowhere, "adr_", "", "1"] {
        assert_eq!(refusal(house.address(&root, id).await), missing, "{id}");
        assert_eq!(refusal(house.remove(&root, id).await), missing, "{id}");
        let stolen = CustomerAddress { id: id.to_owned(), ..home() };
        assert_eq!(refusal(house.change_address(&root, stolen, None).await), missing, "{id}");
    }
    assert!(house.book(&root).await.is_empty());
    assert_eq!(house.book(&ann).await, [kept]);
}

async fn every_broken_field_of_an_address_is_named_at_once(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let empty = house.keep(&token, CustomerAddress::default()).await.unwrap_err();
    assert_eq!(broken_fields(&empty), ["name", "line1", "city", "country"]);
    let wrong = CustomerAddress {
        label: "4242-4242-4242-4242".into(),
        line1: "x".repeat(100_000),
        country: "XX".into(),
        ..home()
    };
    let wrong = house.keep(&token, wrong).await.unwrap_err();
    assert_eq!(broken_fields(&wrong), ["label", "line1", "country"]);
    assert!(!format!("{wrong:?}").contains("4242"));
    assert!(house.book(&token).await.is_empty());
}

async fn a_book_holds_fifty_addresses_however_many_come_at_once(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let all = (0..60).map(|_| house.keep(&token, home()));
    let kept = futures::future::join_all(all).await;
    let refused: Vec<_> = kept.into_iter().filter(Result::is_err).map(refusal).collect();
    assert_eq!(refused.len(), 10);
    assert!(refused.iter().all(|r| *r == (Kind::Conflict, "address_book_full".to_owned())));
    let book = house.book(&token).await;
    assert_eq!(book.len(), 50);
    assert_eq!(book.iter().filter(|address| address.is_default).count(), 1);
}

async fn only_who_is_logged_in_has_a_book(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let list = |mut client: AddressServiceClient<Transport>| async move {
        answer(client.list_addresses(ListAddressesRequest {})).await
    };
    assert_eq!(list(house.books()).await.unwrap_err().kind, Kind::Unauthenticated);
    let session = house.login("ann", PASSWORD).await.unwrap();
    let request = LogoutRequest { refresh_token: session.refresh_token, ..Default::default() };
    answer(house.sessions().logout(request)).await.unwrap();
    let over = house.keep(&session.access_token, home()).await.unwrap_err();
    assert_eq!(over.kind, Kind::Unauthenticated);
    assert!(house.keep(&token, home()).await.is_ok());
}

async fn orders_reads_an_address_of_the_user_it_acts_for(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let kept = house.keep(&token, home()).await.unwrap();
    let request = || GetAddressRequest { id: kept.id.clone() };
    let mut orders = AddressServiceClient::new(house.from("orders"));
    assert_eq!(answer_as(&token, orders.get_address(request())).await.unwrap(), kept);
    let alone = answer(orders.get_address(request())).await.unwrap_err();
    assert_eq!(alone.kind, Kind::Unauthenticated);
}

async fn the_notifier_learns_whom_to_write_to(house: &House) {
    let ann = house.person("ann").await;
    let ask = |service: &str, id: &str| {
        let mut client = AccountServiceClient::new(house.from(service));
        let request = GetContactRequest { user_id: id.to_owned() };
        async move { answer(client.get_contact(request)).await }
    };
    let contact = ask("notifier", &ann.id).await.unwrap();
    assert_eq!(contact.user_id, ann.id);
    assert_eq!(contact.email, "ann@shop.example");
    assert_eq!((contact.name.as_str(), contact.active), ("ann Example", true));
    let plain = UserFields { full_name: None, ..fields("ben") };
    let ben = house.create(plain).await.unwrap();
    house.delete(&ben.id).await.unwrap();
    let contact = ask("notifier", &ben.id).await.unwrap();
    assert_eq!((contact.name.as_str(), contact.active), ("ben", false));

    let nobody = souk_values::UserId::new().to_string();
    let missing = (Kind::NotFound, "user_not_found".to_owned());
    assert_eq!(refusal(ask("notifier", &nobody).await), missing);
    assert_eq!(ask("gateway", &ann.id).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(ask("orders", &ann.id).await.unwrap_err().kind, Kind::Forbidden);
}

async fn a_logout_is_told_once(house: &House) {
    let ann = house.person("ann").await;
    let session = house.login("ann", PASSWORD).await.unwrap();
    for _ in 0..2 {
        let refresh_token = session.refresh_token.clone();
        let request = LogoutRequest { refresh_token, ..Default::default() };
        answer(house.sessions().logout(request)).await.unwrap();
    }
    let page = Page::new(100, "").unwrap();
    let (rows, _) = souk_events::outbox::list(&house.db, &page, None).await.unwrap();
    let ended: Vec<_> = rows
        .into_iter()
        .map(|row| row.envelope)
        .filter(|e| e.event_type == "souk.accounts.session.ended.v1")
        .collect();
    let [envelope] = &ended[..] else { panic!("{} logouts were told", ended.len()) };
    assert!(envelope.subject.starts_with("session/ses_"), "{}", envelope.subject);
    assert_eq!(envelope.version, 1);
    let told: SessionEnded = envelope.decode().unwrap();
    assert_eq!((told.user_id.as_str(), told.reason.as_str()), (ann.id.as_str(), "logout"));
}
