//! Every write of an admin leaves an entry with what was and what is; what was taken back, none.
use souk_audit::{Change, Entry, Filter};
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::stock_service_client::StockServiceClient;
use souk_proto::catalog::v1::{
    CreateProductRequest, DeleteCategoryRequest, DeleteProductRequest, MoveStockRequest,
    ProductFields, UpdateProductRequest, WriteProductsRequest,
};
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{ListAuditRequest, VerifyAuditRequest};
use souk_rpc::{CallContext, Failure, Kind, Transport};
use souk_values::Page;
use tonic::{Response, Status};

use crate::on_both;
use crate::shop::{Shop, answer, answer_as, eventually, named, refusal};

on_both! {
    a_change_by_an_admin_is_an_entry_with_what_was_and_what_is
    every_kind_of_write_has_its_action
    a_change_that_is_refused_or_changes_nothing_is_no_entry
    a_call_that_may_not_be_is_an_entry
    the_address_is_believed_of_the_gateway_only
    the_audit_is_read_with_its_permission_and_verified_by_the_operator
}

const ADMIN: &[&str] = &["products.write", "stock.write", "stock.read"];

async fn entries(shop: &Shop) -> Vec<Entry> {
    let audit = shop.house.audit("catalog").unwrap();
    let page = Page::new(100, "").unwrap();
    audit.list(&Filter::default(), &page).await.unwrap().0
}

/// A call by the gateway on behalf of a person somewhere.
async fn asked<T>(
    token: &str,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, Failure> {
    let context = CallContext {
        token: Some(token.into()),
        request_id: Some("request-17".into()),
        client: Some("192.0.2.0".into()),
        ..CallContext::default()
    };
    souk_rpc::scope(context, answer(call)).await
}

fn products(way: Transport) -> ProductServiceClient<Transport> {
    ProductServiceClient::new(way)
}

fn priced(price: &str) -> ProductFields {
    ProductFields { price: Some(price.to_owned()), ..ProductFields::default() }
}

async fn a_change_by_an_admin_is_an_entry_with_what_was_and_what_is(shop: &Shop) {
    let (token, user) = shop.token(ADMIN);
    let made = shop.product("LAMP", "10.00").await;
    let mut client = products(shop.neighbor("gateway"));
    let request = UpdateProductRequest {
        key: "LAMP".into(),
        fields: Some(priced("12.50")),
        ..UpdateProductRequest::default()
    };
    asked(&token, client.update_product(request)).await.unwrap();
    let entry = entries(shop).await.remove(0);
    assert_eq!((&entry.actor, entry.via.as_str()), (&user, "gateway"));
    assert_eq!((entry.action.as_str(), entry.outcome.as_str()), ("product.changed", "done"));
    assert_eq!(entry.target, format!("product/{}", made.id));
    assert_eq!(entry.address.as_deref(), Some("192.0.2.0"));
    assert_eq!((entry.trace_id.as_str(), entry.at), ("request-17", shop.clock.now()));
    let [Change { field, before, after }] = &entry.changes[..] else {
        panic!("{:?}", entry.changes)
    };
    assert_eq!(field, "price");
    assert!(before.contains("10.00") && after.contains("12.50"), "{before} {after}");
    let sealed = || async { entries(shop).await.iter().all(|e| e.seq.is_some()).then_some(()) };
    eventually("sealed", sealed).await;
}

async fn every_kind_of_write_has_its_action(shop: &Shop) {
    let (token, user) = shop.token(ADMIN);
    let way = shop.neighbor("gateway");
    let request = CreateProductRequest { fields: Some(named("A", "1")), ..Default::default() };
    let made = asked(&token, products(way.clone()).create_product(request)).await.unwrap();
    let moved = MoveStockRequest {
        key: "A".into(),
        kind: "receive".into(),
        quantity: 5,
        reason: "a pallet".into(),
        ..MoveStockRequest::default()
    };
    asked(&token, StockServiceClient::new(way.clone()).move_stock(moved)).await.unwrap();
    let gone = DeleteProductRequest { key: "A".into(), expected_version: None };
    asked(&token, products(way.clone()).delete_product(gone)).await.unwrap();
    shop.restore("A").await.unwrap();
    shop.category("lamps").await.unwrap();
    let empty = DeleteCategoryRequest { path: "lamps".into() };
    asked(&token, CategoryServiceClient::new(way.clone()).delete_category(empty)).await.unwrap();
    let items = vec![named("A", "2"), named("B", "3"), named("C", "4")];
    let bulk = WriteProductsRequest { items, ..WriteProductsRequest::default() };
    asked(&token, products(way).write_products(bulk)).await.unwrap();

    let told: Vec<_> = entries(shop).await.into_iter().rev().map(|e| (e.action, e.actor)).collect();
    let (user, operator) = (user.as_str(), "operator");
    let expected = [
        ("product.created", user),
        ("stock.moved", user),
        ("product.deleted", user),
        ("product.restored", operator),
        ("category.created", operator),
        ("category.deleted", user),
    ];
    let first: Vec<_> = told.iter().take(6).map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(first, expected);
    // one for each product of the bulk
    let mut bulk: Vec<_> = told.iter().skip(6).map(|(a, _)| a.as_str()).collect();
    bulk.sort_unstable();
    assert_eq!(bulk, ["product.changed", "product.created", "product.created"]);
    let of_stock = entries(shop).await.into_iter().find(|e| e.action == "stock.moved").unwrap();
    assert_eq!(of_stock.target, format!("product/{}", made.id));
    let change = |field: &str| {
        let found = of_stock.changes.iter().find(|change| change.field == field).unwrap();
        (found.before.clone(), found.after.clone())
    };
    assert_eq!(change("on_hand"), ("0".into(), "5".into()));
    assert_eq!(change("reason").1, "a pallet");
}

async fn a_change_that_is_refused_or_changes_nothing_is_no_entry(shop: &Shop) {
    shop.product("A", "1.00").await;
    shop.product("B", "1.00").await;
    let before = entries(shop).await.len();
    assert_eq!(before, 2);
    shop.update("A", priced("1.00")).await.unwrap();
    shop.update_at("A", Some(9), priced("2.00")).await.unwrap_err();
    let slug = ProductFields { slug: Some("product-a".into()), ..ProductFields::default() };
    shop.update("B", slug).await.unwrap_err();
    shop.update("C", priced("2.00")).await.unwrap_err();
    shop.create(named("A", "5")).await.unwrap_err();
    assert_eq!(entries(shop).await.len(), before);
}

async fn a_call_that_may_not_be_is_an_entry(shop: &Shop) {
    let (token, user) = shop.token(&[]);
    let mut client = products(shop.neighbor("gateway"));
    let gone = || DeleteProductRequest { key: "A".into(), expected_version: None };
    for _ in 0..15 {
        let refused = asked(&token, client.delete_product(gone())).await;
        assert_eq!(refusal(refused).0, Kind::Forbidden);
    }
    let nobody = asked("no token at all", client.delete_product(gone())).await;
    assert_eq!(refusal(nobody).0, Kind::Unauthenticated);
    let told = eventually("told", || async {
        let told = entries(shop).await;
        (told.len() == 11).then_some(told)
    })
    .await;
    let (bad, theirs): (Vec<_>, Vec<_>) = told.iter().partition(|e| e.actor == "gateway");
    assert_eq!((bad.len(), bad[0].reason.as_str()), (1, "invalid_token"));
    for entry in theirs {
        assert_eq!((entry.action.as_str(), &entry.actor), ("rpc.refused", &user));
        assert_eq!(entry.target, "/souk.catalog.v1.ProductService/DeleteProduct");
        assert_eq!((entry.outcome.as_str(), entry.reason.as_str()), ("refused", "forbidden"));
        assert_eq!(entry.address.as_deref(), Some("192.0.2.0"));
    }
}

async fn the_address_is_believed_of_the_gateway_only(shop: &Shop) {
    let (token, _) = shop.token(ADMIN);
    let create = |name: &'static str| {
        let (mut client, token) = (products(shop.neighbor(name)), token.clone());
        let fields = Some(named(name, "1"));
        let request = CreateProductRequest { fields, ..CreateProductRequest::default() };
        async move { asked(&token, client.create_product(request)).await }
    };
    create("gateway").await.unwrap();
    let entry = entries(shop).await.remove(0);
    assert_eq!((entry.via.as_str(), entry.address.is_some()), ("gateway", true));
    // another service brings nobody, and says nothing about where they are
    assert_eq!(refusal(create("notifier").await).0, Kind::Forbidden);
    let entry = eventually("told", || async {
        entries(shop).await.into_iter().find(|entry| entry.via == "notifier")
    })
    .await;
    assert_eq!((entry.action.as_str(), entry.address), ("rpc.refused", None));
}

async fn the_audit_is_read_with_its_permission_and_verified_by_the_operator(shop: &Shop) {
    shop.product("A", "1.00").await;
    let way = shop.neighbor("gateway");
    let mut client = OperationsServiceClient::new(way);
    let (admin, _) = shop.token(ADMIN);
    let (auditor, _) = shop.token(&["audit.read"]);
    let all = ListAuditRequest::default;
    assert_eq!(refusal(answer_as(&admin, client.list_audit(all())).await).0, Kind::Forbidden);
    let by_action = |action: &str| ListAuditRequest { action: action.into(), ..all() };
    let found = answer_as(&auditor, client.list_audit(by_action("product."))).await.unwrap();
    assert_eq!((found.items.len(), found.items[0].service.as_str()), (1, "catalog"));
    let none = answer_as(&auditor, client.list_audit(by_action("order."))).await.unwrap();
    assert!(none.items.is_empty());
    let odd = ListAuditRequest { outcome: "perhaps".into(), ..all() };
    let odd = answer_as(&auditor, client.list_audit(odd)).await;
    assert_eq!(refusal(odd).0, Kind::Invalid);

    let verify = VerifyAuditRequest {};
    let refused = answer_as(&auditor, client.verify_audit(verify)).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    let mut operator = OperationsServiceClient::new(shop.operator());
    let verdict = eventually("sealed", || {
        let mut operator = operator.clone();
        async move {
            let verdict = answer(operator.verify_audit(verify)).await.unwrap();
            (verdict.rows >= 1).then_some(verdict)
        }
    })
    .await;
    assert_eq!((verdict.broken, verdict.last_hash.len()), (0, 64));
    assert!(answer(operator.list_audit(all())).await.is_ok());
}
