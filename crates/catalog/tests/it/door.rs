//! Who may do and see what.

use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::catalog::v1::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, LoadDemoShopRequest,
};
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{CancelJobRequest, GetJobRequest, ListJobResultsRequest};
use souk_rpc::{Failure, Kind};

use crate::shop::{Shop, answer, answer_as, named, refusal};

crate::on_both! {
    hidden_products_are_for_those_who_may_change_them
    a_list_shows_hidden_products_only_to_those_who_may_change_them
    only_those_with_the_permission_write
    only_the_operator_loads_the_demo_shop
    whoever_begins_an_import_sees_and_removes_it_and_nobody_elses
}

async fn get(shop: &Shop, from: &str, token: Option<&str>, hidden: bool) -> Result<(), Failure> {
    let request = GetProductRequest { key: "A".into(), include_hidden: hidden };
    let mut client = ProductServiceClient::new(shop.neighbor(from));
    let call = client.get_product(request);
    match token {
        Some(token) => answer_as(token, call).await.map(|_| ()),
        None => answer(call).await.map(|_| ()),
    }
}

async fn hidden_products_are_for_those_who_may_change_them(shop: &Shop) {
    shop.product("A", "1").await;
    shop.delete("A").await.unwrap();
    let (writer, _) = shop.token(&["products.write"]);
    let (reader, _) = shop.token(&["users.read"]);
    for (from, token, hidden, sees) in [
        ("gateway", None, true, false),
        ("gateway", Some(&reader), true, false),
        ("gateway", Some(&writer), false, false),
        ("gateway", Some(&writer), true, true),
        ("orders", None, false, false),
        ("orders", None, true, true),
        ("orders", Some(&reader), true, false),
    ] {
        let got = get(shop, from, token.map(String::as_str), hidden).await;
        assert_eq!(got.is_ok(), sees, "{from} hidden={hidden}: {got:?}");
        if let Err(failure) = got {
            assert_eq!(failure.reason, "product_not_found");
        }
    }
}

async fn a_list_shows_hidden_products_only_to_those_who_may_change_them(shop: &Shop) {
    shop.product("A", "1").await;
    shop.product("B", "1").await;
    shop.delete("A").await.unwrap();
    let (writer, _) = shop.token(&["products.write"]);
    let (reader, _) = shop.token(&[]);
    let hidden_only = ListProductsRequest { active: Some(false), ..Default::default() };
    let both = ListProductsRequest { include_hidden: true, ..Default::default() };
    for (token, request, expected) in [
        (&reader, &hidden_only, &["B"][..]),
        (&reader, &both, &["B"]),
        (&writer, &hidden_only, &["A"]),
        (&writer, &both, &["A", "B"]),
        (&writer, &ListProductsRequest::default(), &["B"]),
    ] {
        let mut client = ProductServiceClient::new(shop.neighbor("gateway"));
        let request = ListProductsRequest { sort: "sku".into(), ..request.clone() };
        let items = answer_as(token, client.list_products(request)).await.unwrap().items;
        let skus: Vec<&str> = items.iter().map(|p| p.sku.as_str()).collect();
        assert_eq!(skus, expected);
    }
}

async fn only_those_with_the_permission_write(shop: &Shop) {
    let create = |token: Option<String>| {
        let mut client = ProductServiceClient::new(shop.neighbor("gateway"));
        let fields = Some(named("A", "1"));
        let request = CreateProductRequest { fields, ..Default::default() };
        async move {
            match token {
                Some(token) => answer_as(&token, client.create_product(request)).await,
                None => answer(client.create_product(request)).await,
            }
        }
    };
    assert_eq!(refusal(create(None).await).0, Kind::Unauthenticated);
    assert_eq!(refusal(create(Some("forged".into())).await).0, Kind::Unauthenticated);
    assert_eq!(refusal(create(Some(shop.token(&["users.write"]).0)).await).0, Kind::Forbidden);
    assert!(shop.events().await.is_empty());
    assert!(create(Some(shop.token(&["products.write"]).0)).await.is_ok());
}

async fn only_the_operator_loads_the_demo_shop(shop: &Shop) {
    let mut gateway = TransferServiceClient::new(shop.neighbor("gateway"));
    let call = gateway.load_demo_shop(LoadDemoShopRequest {});
    let refused = answer_as(&shop.token(&["products.write"]).0, call).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    assert!(shop.events().await.is_empty());
}

async fn whoever_begins_an_import_sees_and_removes_it_and_nobody_elses(shop: &Shop) {
    let (writer, id) = shop.token(&["products.write"]);
    let (other, _) = shop.token(&["products.write"]);
    let (seller, _) = shop.token(&["stock.read", "stats.read"]);
    let (watcher, _) = shop.token(&["operations.read"]);
    let job = shop.upload_as(&writer, b"sku,name,price\nA,Lamp,1\n").await.unwrap();
    assert_eq!(shop.ended(&job).await.created_by, id);
    let operations = || OperationsServiceClient::new(shop.neighbor("gateway"));
    let get = |token: String| {
        let (mut client, request) = (operations(), GetJobRequest { id: job.clone() });
        async move { answer_as(&token, client.get_job(request)).await }
    };
    let results = |token: String| {
        let request = ListJobResultsRequest { id: job.clone(), page: None };
        let mut client = operations();
        async move { answer_as(&token, client.list_job_results(request)).await }
    };
    let remove = |token: String| {
        let (mut client, request) = (operations(), CancelJobRequest { id: job.clone() });
        async move { answer_as(&token, client.cancel_job(request)).await }
    };
    let missing = (Kind::NotFound, "job_not_found".to_owned());
    for stranger in [&other, &seller] {
        let expected = if *stranger == other {
            missing.clone()
        } else {
            (Kind::Forbidden, "forbidden".into())
        };
        assert_eq!(refusal(get(stranger.clone()).await), expected);
        assert_eq!(refusal(results(stranger.clone()).await), expected);
        assert_eq!(refusal(remove(stranger.clone()).await), expected);
    }
    assert_eq!(get(watcher.clone()).await.unwrap().status, "succeeded");
    assert_eq!(refusal(remove(watcher).await), missing, "seeing is not ending");
    assert_eq!(get(writer.clone()).await.unwrap().status, "succeeded");
    assert!(results(writer.clone()).await.is_ok());
    assert!(remove(writer.clone()).await.is_ok());
    assert_eq!(refusal(get(writer).await), missing);
}
