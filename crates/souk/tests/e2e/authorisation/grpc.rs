//! The methods of the contracts, called at the services' own port.
use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use souk_auth::ServiceTokens;
use souk_proto::accounts::v1 as accounts;
use souk_proto::orders::v1 as orders;
use souk_testkit::Shop;
use souk_values::Clock;
use tonic::Code;

use super::actors::Actors;
use super::objects::{self, Objects};
use super::settle;
use super::table::{Outcome, Seen, Table};
use crate::finish;
use crate::wire::{Port, Said, Says, methods};

const TABLE: &str = include_str!("grpc.csv");

/// The columns. `nobody`: no proof at all. `stolen`: an admin's token without a service's proof.
/// People: by the gateway, as they are. The rest: services acting for themselves.
const CALLERS: [&str; 12] = [
    "nobody",
    "stolen",
    "owner",
    "other",
    "catalog_admin",
    "admin",
    "api_key",
    "gateway",
    "accounts",
    "orders",
    "notifier",
    "analytics",
];

/// Every service answers these: each is tried.
const EVERYWHERE: &str = "/souk.operations.v1.OperationsService/";
const SERVICES: [&str; 5] = ["accounts", "analytics", "catalog", "notifier", "orders"];

/// UNAUTHENTICATED about what stands in the request, not about who calls.
const ABOUT_THE_REQUEST: [&str; 6] = [
    "bad_signature",
    "invalid_api_key",
    "invalid_credentials",
    "invalid_refresh_token",
    "no_cart",
    "session_ended",
];

/// Of everybody but their owner they are missing. What else has an id is made up.
const OWNED: [&str; 11] = [
    "/souk.accounts.v1.AddressService/DeleteAddress",
    "/souk.accounts.v1.AddressService/GetAddress",
    "/souk.accounts.v1.AddressService/UpdateAddress",
    "/souk.accounts.v1.ApiKeyService/ListApiKeys",
    "/souk.accounts.v1.ApiKeyService/RevokeApiKey",
    "/souk.accounts.v1.DeviceService/EndSession",
    "/souk.accounts.v1.DeviceService/RenameSession",
    "/souk.orders.v1.OrderService/CancelOrder",
    "/souk.orders.v1.OrderService/GetOrder",
    "/souk.orders.v1.PaymentService/CompleteAction",
    "/souk.orders.v1.PaymentService/DeletePaymentMethod",
];

pub(super) async fn all(shop: Shop) {
    let table = Table::read(TABLE, &CALLERS).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
    let there: BTreeMap<String, String> =
        methods().into_iter().map(|(owner, path)| (path, owner)).collect();
    assert!(there.len() > 100, "only {} methods", there.len());
    let names: BTreeSet<String> = there.keys().cloned().collect();
    let port = Port::of(&shop);
    let actors = Actors::of(&shop).await;
    let objects = Objects::of(&shop, &actors).await;
    let key = actors.token_of_key(&port).await;
    let mut seen = Seen::new();
    for path in table.operations().filter(|path| names.contains(*path)) {
        let targets = match there[path].as_str() {
            "operations" => SERVICES.to_vec(),
            owner => vec![*SERVICES.iter().find(|name| **name == owner).expect("a service")],
        };
        let mut row = BTreeMap::new();
        for target in targets {
            let message = message_of(path, &actors, &objects).await;
            // the owner last: what they end is gone
            for caller in CALLERS.into_iter().filter(|c| *c != "owner").chain(["owner"]) {
                let says = says(&port, caller, target, &actors, &key);
                let outcome = outcome(path, &port.call(path, &says, message.clone()).await);
                // services that differ stand beside each other, and fit no expectation
                let told = match row.remove(caller) {
                    Some(before) if before != outcome => {
                        Outcome::Broken(format!("{before}, at {target} {outcome}"))
                    }
                    _ => outcome,
                };
                row.insert(caller.to_owned(), told);
            }
        }
        seen.insert(path.to_owned(), row);
    }
    let unlisted: Vec<String> =
        names.difference(&seen.keys().cloned().collect()).cloned().collect();
    seen.extend(unlisted.into_iter().map(|name| (name, BTreeMap::new())));
    settle(&table.differences(&seen));
    finish(shop).await;
}

fn says(port: &Port, caller: &str, to: &str, actors: &Actors, key: &str) -> Says {
    let person = match caller {
        "nobody" => return port.says(None, to, None),
        "stolen" => return port.says(None, to, Some(actors.admin.token())),
        "owner" => actors.owner.token(),
        "other" => actors.other.token(),
        "catalog_admin" => actors.catalog_admin.token(),
        "admin" => actors.admin.token(),
        "api_key" => key,
        service => return port.says(Some(service), to, None),
    };
    port.says(Some("gateway"), to, Some(person))
}

fn outcome(path: &str, said: &Said) -> Outcome {
    match said.code {
        Code::Unauthenticated if ABOUT_THE_REQUEST.contains(&said.reason.as_str()) => Outcome::Ok,
        Code::Unauthenticated => Outcome::Unknown,
        Code::PermissionDenied => Outcome::Forbidden,
        Code::NotFound if OWNED.contains(&path) => Outcome::Hidden,
        Code::Ok
        | Code::InvalidArgument
        | Code::OutOfRange
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Aborted
        | Code::FailedPrecondition
        | Code::ResourceExhausted => Outcome::Ok,
        code => Outcome::Broken(format!("{code:?} {}", said.reason)),
    }
}

/// A request with real things in it where it matters whose they are, else an empty one, which most
/// methods refuse, but only after the question who calls.
async fn message_of(path: &str, actors: &Actors, objects: &Objects) -> Vec<u8> {
    let owner = &actors.owner;
    let method = path.rsplit('/').next().unwrap_or_default();
    match method {
        "GetAddress" => {
            accounts::GetAddressRequest { id: objects::address_of(owner).await }.encode_to_vec()
        }
        "UpdateAddress" => {
            let address = accounts::CustomerAddress {
                id: objects::address_of(owner).await,
                name: "Ada Probe".to_owned(),
                line1: "Hauptstr. 6".to_owned(),
                city: "Berlin".to_owned(),
                country: "DE".to_owned(),
                ..accounts::CustomerAddress::default()
            };
            let request = accounts::UpdateAddressRequest {
                address: Some(address),
                ..accounts::UpdateAddressRequest::default()
            };
            request.encode_to_vec()
        }
        "DeleteAddress" => {
            accounts::DeleteAddressRequest { id: objects::address_of(owner).await }.encode_to_vec()
        }
        "CreateApiKey" => {
            let name = "another".to_owned();
            let request = accounts::CreateApiKeyRequest { name, scopes: Vec::new(), days: 1 };
            request.encode_to_vec()
        }
        "ListApiKeys" => {
            let user_id = actors.owner_id.clone();
            accounts::ListApiKeysRequest { user_id }.encode_to_vec()
        }
        "RevokeApiKey" => {
            accounts::RevokeApiKeyRequest { id: objects::key_of(owner).await }.encode_to_vec()
        }
        "RenameSession" => {
            let (id, device) = (objects::session_of(actors).await, "phone".to_owned());
            accounts::RenameSessionRequest { id, device }.encode_to_vec()
        }
        "EndSession" => {
            accounts::EndSessionRequest { id: objects::session_of(actors).await }.encode_to_vec()
        }
        // who asks goes on asking
        "EndAllSessions" => accounts::EndAllSessionsRequest { keep_current: true }.encode_to_vec(),
        "GetOrder" => {
            orders::GetOrderRequest { id: objects.order.clone(), as_staff: true }.encode_to_vec()
        }
        "CancelOrder" => {
            let request = orders::CancelOrderRequest {
                id: objects.order.clone(),
                as_staff: true,
                ..orders::CancelOrderRequest::default()
            };
            request.encode_to_vec()
        }
        "CompleteAction" => {
            let order_id = objects.order.clone();
            orders::CompleteActionRequest { order_id, approve: true }.encode_to_vec()
        }
        "DeletePaymentMethod" => {
            let token = objects::card_of(owner).await;
            orders::DeletePaymentMethodRequest { token }.encode_to_vec()
        }
        _ => Vec::new(),
    }
}

/// Proofs that are none, and claims that count for nothing (S43).
pub(super) async fn strangers(shop: Shop) {
    let port = Port::of(&shop);
    let (admin, customer) = (shop.admin().await, shop.customer().await);
    let path = "/souk.catalog.v1.ProductService/CreateProduct";
    let asks = |says: Says| {
        let port = &port;
        async move { port.call(path, &says, Vec::new()).await }
    };
    let good = port.says(Some("gateway"), "catalog", Some(admin.token()));
    assert_eq!(asks(good.clone()).await.code, Code::InvalidArgument);

    let later = Clock::fixed(Clock::system().now() - chrono::Duration::seconds(70));
    let other = ServiceTokens::new(b"another secret of thirty-two bytes", Clock::system());
    let token = port.token("gateway", "catalog");
    let (signed, mac) = token.rsplit_once('.').expect("dots");
    let raised = token.replace("gateway", "operator");
    for (what, proof) in [
        ("another's secret", other.issue("gateway", "catalog")),
        ("for another service", port.token("gateway", "orders")),
        ("a minute old", port.token_at("gateway", "catalog", later)),
        ("raised to the operator", raised),
        ("no signature", format!("{signed}.")),
        ("half a signature", format!("{signed}.{}", &mac[..mac.len() / 2])),
        ("an access token", admin.token().to_owned()),
        ("nothing", String::new()),
    ] {
        let mut says = good.clone();
        says.insert("souk-service-token", proof);
        let said = asks(says).await;
        let known = (said.code, said.reason.as_str());
        assert_eq!(known, (Code::Unauthenticated, "unknown_service"), "{what}");
    }

    // a service that nobody lets do this, for a person who may not, who claims a lot
    let mut says = port.says(Some("analytics"), "catalog", Some(customer.token()));
    assert_eq!(asks(says.clone()).await.code, Code::PermissionDenied);
    for name in ["x-user-role", "x-user-permissions", "x-souk-caller", "souk-caller", "x-roles"] {
        says.insert(name, "admin products.write operator".to_owned());
    }
    assert_eq!(asks(says).await.code, Code::PermissionDenied);
    // nor for one who may: users come through the gateway
    for service in ["analytics", "notifier", "orders", "accounts"] {
        let says = port.says(Some(service), "catalog", Some(admin.token()));
        assert_eq!(asks(says).await.code, Code::PermissionDenied, "{service}");
    }
    let nobody = port.says(Some("gateway"), "catalog", None);
    assert_eq!(asks(nobody).await.reason, "login_required");

    // an API key, a token that nobody signed, none: no access tokens
    for wrong in ["souk_made-up", "eyJhbGciOiJub25lIn0.e30.", ""] {
        let says = port.says(Some("gateway"), "catalog", Some(wrong));
        assert_eq!(asks(says).await.reason, "invalid_token", "{wrong}");
    }
    // a method that stands in no contract, of a service that is there
    let unlisted = "/souk.catalog.v1.ProductService/SetPrice";
    let says = port.says(Some("gateway"), "catalog", Some(admin.token()));
    let said = port.call(unlisted, &says, Vec::new()).await;
    assert_eq!((said.code, said.reason.as_str()), (Code::PermissionDenied, "method_not_listed"));
    // and what tells of the inside is not there at all
    for path in [
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
    ] {
        assert_eq!(port.call(path, &Says::new(), Vec::new()).await.code, Code::Unimplemented);
    }
    finish(shop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s36_a_method_that_nobody_listed_makes_the_comparison_fail() {
        let table = Table::read(TABLE, &CALLERS).expect("the table");
        let mut there: BTreeSet<String> = methods().into_iter().map(|(_, path)| path).collect();
        assert_eq!(table.strangers(&there), Vec::<String>::new());
        there.insert("/souk.catalog.v1.ProductService/SetPrice".to_owned());
        there.remove("/souk.accounts.v1.MailService/GetMail");
        assert_eq!(
            table.strangers(&there),
            [
                "/souk.catalog.v1.ProductService/SetPrice has no expectations",
                "/souk.accounts.v1.MailService/GetMail is expected and not there",
            ]
        );
    }

    #[test]
    fn what_belongs_to_somebody_is_asked_for_with_real_things() {
        let there: BTreeSet<String> = methods().into_iter().map(|(_, path)| path).collect();
        for path in OWNED {
            assert!(there.contains(path), "{path} is not there any more");
        }
        assert!(there.iter().any(|path| path.starts_with(EVERYWHERE)));
    }
}
