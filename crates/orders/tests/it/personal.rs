//! A person's orders: handed over as a whole, and freed of the person while their figures stay.
use std::sync::Arc;

use serde_json::Value;
use souk_auth::ServiceTokens;
use souk_proto::operations::v1::personal_data_service_client::PersonalDataServiceClient;
use souk_proto::operations::v1::{
    ErasePersonRequest, ErasePersonResponse, ExportPersonRequest, FindHoldsRequest, Hold,
};
use souk_proto::orders::v1 as pb;
use souk_rpc::{Failure, Identity, Kind, Transport};
use souk_values::Clock;

use crate::order::stage::{self, Person, SECRET, Stage, checkout, refusal, staff};

stage::on_both! {
    an_export_holds_orders_cart_and_cards_of_one_person_only
    an_erasure_takes_the_person_and_leaves_the_figures
    what_is_open_stands_against_it
    only_accounts_asks
}

const TRACES: [&str; 5] =
    ["lamp street", "zoe quitten", "ring at", "0034043416", "called about it"];

impl Stage {
    fn keeper(&self, asks: &str) -> PersonalDataServiceClient<Transport> {
        let tokens = Arc::new(ServiceTokens::new(SECRET.as_bytes(), Clock::system()));
        let identity = Identity { name: asks.into(), tokens };
        let address = self.house.address("grpc").unwrap();
        let way = Transport::remote("orders", &format!("http://{address}"), identity).unwrap();
        PersonalDataServiceClient::new(way)
    }

    async fn holds(&self, person: &Person) -> Vec<Hold> {
        let request = FindHoldsRequest { user_id: person.id.clone() };
        self.keeper("accounts").find_holds(request).await.unwrap().into_inner().holds
    }

    async fn erase(&self, person: &Person) -> Result<ErasePersonResponse, Failure> {
        let request = ErasePersonRequest { user_id: person.id.clone(), emails: Vec::new() };
        let answer = self.keeper("accounts").erase_person(request).await;
        answer.map(tonic::Response::into_inner).map_err(Failure::from)
    }

    /// Records by section.
    async fn export(&self, person: &Person) -> Vec<(String, Value)> {
        let request = ExportPersonRequest { user_id: person.id.clone(), emails: Vec::new() };
        let mut records =
            self.keeper("accounts").export_person(request).await.unwrap().into_inner();
        let mut all = Vec::new();
        while let Some(record) = records.message().await.unwrap() {
            if record.end {
                assert!(records.message().await.unwrap().is_none());
                return all;
            }
            all.push((record.section, serde_json::from_str(&record.json).unwrap()));
        }
        panic!("it broke off");
    }

    /// Every row of every table, in lower case.
    async fn everything(&self) -> String {
        let tables = if self.db().is_postgres() {
            "SELECT table_name::text AS name FROM information_schema.tables \
             WHERE table_schema = 'public'"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        };
        let mut all = Vec::new();
        for table in self.rows(tables).await {
            let table = table["name"].as_str().unwrap().to_owned();
            let rows = if self.db().is_postgres() {
                format!("SELECT row_to_json(t)::text AS row FROM \"{table}\" t")
            } else {
                let columns = format!("SELECT name FROM pragma_table_info('{table}')");
                let columns = self.rows(&columns).await;
                let quoted: Vec<String> = columns
                    .iter()
                    .map(|column| format!("quote(\"{}\")", column["name"].as_str().unwrap()))
                    .collect();
                format!("SELECT {} AS row FROM \"{table}\"", quoted.join(" || ' ' || "))
            };
            let rows = self.rows(&rows).await;
            all.extend(rows.iter().filter_map(|row| row["row"].as_str().map(str::to_lowercase)));
        }
        all.join("\n")
    }

    async fn traces(&self) -> Vec<&'static str> {
        let everything = self.everything().await;
        TRACES.into_iter().filter(|trace| everything.contains(trace)).collect()
    }

    /// An order of two lamps, sent; the buyer has another lamp in the cart.
    async fn sent(&self, buyer: &Person) -> pb::Order {
        let lamp = self.product("12.50", 20).await;
        self.add(buyer, &lamp, 2).await;
        let card = self.card(buyer, "5555555555554444").await;
        let mut checkout = checkout(&card);
        let address = checkout.shipping_address.as_mut().unwrap();
        address.name = "Zoe Quitten".to_owned();
        checkout.note = "ring at Quitten".to_owned();
        let placed = self.place_with(buyer, checkout, "key-1").await.unwrap();
        let order = placed.order.unwrap();
        let (staff, id) = (staff(), order.id.clone());
        let note = pb::AddNoteRequest { id: id.clone(), text: "Zoe called about it".to_owned() };
        staff.asks(self.orders().add_note(note)).await.unwrap();
        let ship = pb::ShipOrderRequest {
            id,
            carrier: "DHL".to_owned(),
            tracking_number: "00340434161094015902".to_owned(),
            ..Default::default()
        };
        staff.asks(self.orders().ship_order(ship)).await.unwrap();
        self.add(buyer, &lamp, 1).await;
        order
    }

    /// What must stay: amounts, products, taxes, country.
    async fn figures(&self) -> String {
        let orders = "SELECT number, state, currency, subtotal, discount, shipping, shipping_tax, \
                      tax, total, refunded, coupon, version FROM orders ORDER BY id";
        let lines = "SELECT sku, name, quantity, unit_price, total, tax, tax_rate_ppm \
                     FROM order_line ORDER BY order_id, position";
        let payments = "SELECT reference, state, amount, captured, refunded FROM payment \
                        ORDER BY order_id";
        let mut all = Vec::new();
        for sql in [orders, lines, payments] {
            all.extend(self.rows(sql).await.iter().map(ToString::to_string));
        }
        all.join("\n")
    }
}

async fn an_export_holds_orders_cart_and_cards_of_one_person_only(stage: &Stage) {
    let (zoe, other) = (Person::new(&[]), Person::new(&[]));
    let order = stage.sent(&zoe).await;
    let lamp = stage.product("1.00", 5).await;
    stage.bought(&other, &lamp, 1).await;
    let all = stage.export(&zoe).await;
    let of = |section: &str| -> Vec<&Value> {
        all.iter().filter(|(name, _)| name == section).map(|(_, record)| record).collect()
    };
    let [found] = of("orders")[..] else { panic!("{all:?}") };
    assert_eq!(found["number"], order.number.as_str());
    assert_eq!((&found["total"], &found["currency"]), (&"25.00".into(), &"EUR".into()));
    assert_eq!(found["lines"][0]["quantity"], 2);
    assert_eq!(found["shipping_address"]["name"], "Zoe Quitten");
    assert_eq!(found["note"], "ring at Quitten");
    assert_eq!(found["payment"]["last4"], "4444");
    assert_eq!(found["shipment"]["tracking_number"], "00340434161094015902");
    assert!(found["history"].as_array().unwrap().len() >= 4);
    assert_eq!(of("cart")[0]["lines"][0]["quantity"], 1);
    assert_eq!(of("payment_methods")[0]["last4"], "4444");
    let log = of("security_log");
    assert!(log.iter().all(|entry| entry["by_you"] == true), "{log:?}");
    let text = format!("{all:?}");
    assert!(!text.contains("5555555555554444") && !text.contains(&other.id));
    assert!(stage.export(&Person::new(&[])).await.is_empty());
}

async fn an_erasure_takes_the_person_and_leaves_the_figures(stage: &Stage) {
    let (zoe, other) = (Person::new(&[]), Person::new(&[]));
    let order = stage.sent(&zoe).await;
    let lamp = stage.product("1.00", 5).await;
    let kept = stage.bought(&other, &lamp, 1).await;
    assert_eq!(stage.holds(&zoe).await, Vec::new());
    // a search that cannot find her would prove nothing later
    assert_eq!(stage.traces().await, TRACES);
    let before = stage.figures().await;

    let erased = stage.erase(&zoe).await.unwrap();
    assert!(erased.records > 5, "{erased:?}");
    // the other one lives in Lamp Street, too
    assert_eq!(stage.traces().await, ["lamp street"]);
    assert_eq!(stage.figures().await, before);
    let clerk = staff();
    let seen = stage.order(&clerk, &order.id).await.unwrap();
    let address = seen.shipping_address.unwrap();
    assert_eq!((address.country.as_str(), address.name.as_str(), &*address.line1), ("DE", "", ""));
    assert_eq!((seen.status.as_str(), seen.note.as_str()), ("shipped", ""));
    assert!(stage.cart(&zoe).await.items.is_empty());
    let cards = zoe
        .asks(stage.payments().list_payment_methods(pb::ListPaymentMethodsRequest {}))
        .await
        .unwrap();
    assert!(cards.items.is_empty());
    let theirs = stage.order(&staff(), &kept.id).await.unwrap();
    assert_eq!(theirs.shipping_address.unwrap().line1, "1 Lamp Street");
    // what is left can be worked with: delivered, and given back
    let deliver = pb::DeliverOrderRequest { id: order.id.clone(), ..Default::default() };
    staff().asks(stage.orders().deliver_order(deliver)).await.unwrap();

    stage::eventually("the look is an entry", || async {
        Some(stage.readers(&order.id).await).filter(|readers| readers.contains(&clerk.id))
    })
    .await;
    let again = stage.erase(&zoe).await.unwrap();
    assert_eq!((again.records, again.audit_entries), (2, 0), "of the look and of the delivery");
    assert_eq!(stage.erase(&zoe).await.unwrap().records, 0);
    let audit = stage.house.audit("orders").unwrap();
    audit.seal().await.unwrap();
    assert_eq!(audit.verify().await.unwrap().breaches, Vec::new());
}

async fn what_is_open_stands_against_it(stage: &Stage) {
    let zoe = Person::new(&[]);
    let lamp = stage.product("12.50", 20).await;
    let order = stage.bought(&zoe, &lamp, 2).await;
    let open = Hold { reason: "open_orders".to_owned(), subjects: vec![order.number.clone()] };
    assert_eq!(stage.holds(&zoe).await, [open]);
    assert_eq!(refusal(stage.erase(&zoe).await), (Kind::Conflict, "open_orders".to_owned()));
    let seen = stage.order(&staff(), &order.id).await.unwrap();
    assert_eq!(seen.shipping_address.unwrap().name, "Ada", "nothing was taken");
    // given back, it is over
    stage.cancel(&zoe, &order.id).await.unwrap();
    stage.becomes(&order.id, "refunded").await;
    assert_eq!(stage.holds(&zoe).await, Vec::new());
    stage.erase(&zoe).await.unwrap();
    // somebody must look at it: not yet
    let other = Person::new(&[]);
    let order = stage.bought(&other, &lamp, 1).await;
    let ship = pb::ShipOrderRequest {
        id: order.id.clone(),
        carrier: "DHL".to_owned(),
        ..Default::default()
    };
    staff().asks(stage.orders().ship_order(ship)).await.unwrap();
    assert_eq!(stage.holds(&other).await, Vec::new());
    let flag = if stage.db().is_postgres() { "TRUE" } else { "1" };
    let number = &order.number;
    stage
        .tamper(&format!("UPDATE orders SET needs_review = {flag} WHERE number = '{number}'"))
        .await;
    assert_eq!(stage.holds(&other).await.len(), 1);
    let seen = pb::ResumeOrderRequest { id: order.id.clone() };
    staff().asks(stage.orders().resume_order(seen)).await.unwrap();
    assert_eq!(stage.holds(&other).await, Vec::new());
}

async fn only_accounts_asks(stage: &Stage) {
    let zoe = Person::new(&["orders.read", "orders.write"]);
    for service in ["gateway", "notifier", "orders"] {
        let request = || ErasePersonRequest { user_id: zoe.id.clone(), emails: Vec::new() };
        let mut keeper = stage.keeper(service);
        let failure = Failure::from(keeper.erase_person(request()).await.unwrap_err());
        assert_eq!(failure.kind, Kind::Forbidden, "{service}: {failure:?}");
        // nor on behalf of whoever may do everything with orders
        let refused = zoe.asks(keeper.erase_person(request())).await;
        assert_eq!(refused.unwrap_err().kind, Kind::Forbidden, "{service}");
    }
    let nobody = ErasePersonRequest { user_id: "nobody".to_owned(), emails: Vec::new() };
    let failure = stage.keeper("accounts").erase_person(nobody).await.map_err(Failure::from);
    assert_eq!(failure.unwrap_err().kind, Kind::Invalid);
}
