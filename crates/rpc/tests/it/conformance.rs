//! Cases that end alike whichever way a call goes.
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::import_products_request::Part;
use souk_proto::catalog::v1::{
    ExportProductsRequest, ImportOptions, ImportProductsRequest, ListCategoriesRequest,
};
use souk_rpc::{CallContext, Failure, Kind, Violation, scope};
use tonic::{Code, Request};

use crate::house::{House, WAYS, ask, context, failure, known, until};

#[tokio::test]
async fn a_call_is_answered_also_from_a_spawned_task() {
    let house = House::new().await;
    for way in WAYS {
        let mut client = house.categories(way);
        let call = tokio::spawn(async move { client.create_category(ask("facts")).await });
        let known = known(call.await.unwrap());
        assert_eq!(known["leaked"], 0, "{way:?}");
        let left = known["deadline_ms"].as_u64().unwrap();
        assert!((8000..=10_000).contains(&left), "{way:?}: {left}");
    }
}

#[tokio::test]
async fn a_failure_arrives_with_everything_it_says() {
    let house = House::new().await;
    for way in WAYS {
        let mut client = house.categories(way);
        assert_eq!(
            failure(client.create_category(ask("phones")).await),
            Failure::new(Kind::NotFound, "category_not_found", "no such category")
                .with("path", "phones"),
            "{way:?}"
        );
        assert_eq!(
            failure(client.create_category(ask("invalid")).await).violations,
            [Violation::new("name", "must not be empty"), Violation::new("path", "must be a slug")],
            "{way:?}"
        );
        let all = failure(client.create_category(ask("all_wrong")).await);
        assert_eq!((all.kind, all.violations.len()), (Kind::Invalid, 100), "{way:?}");
    }
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_drops_the_handler() {
    let house = House::new().await;
    for (n, way) in WAYS.into_iter().enumerate() {
        let mut request = Request::new(ask("slow"));
        request.set_timeout(Duration::from_millis(50));
        let answer = house.categories(way).create_category(request).await;
        assert_eq!(answer.as_ref().unwrap_err().code(), Code::DeadlineExceeded, "{way:?}");
        assert_eq!(failure(answer).reason, "timeout");
        until(|| house.shop.dropped.load(Ordering::SeqCst) == n + 1).await;
    }
}

#[tokio::test]
async fn the_shorter_of_two_deadlines_counts() {
    let house = House::new().await;
    for way in WAYS {
        for (own_s, given_s, bounds) in [(60, 5, 3000..=5000), (5, 60, 3000..=5000)] {
            let deadline = Some(Instant::now() + Duration::from_secs(given_s));
            let mut request = Request::new(ask("facts"));
            request.set_timeout(Duration::from_secs(own_s));
            let mut client = house.categories(way);
            let call = client.create_category(request);
            let context = CallContext { deadline, ..CallContext::default() };
            let left = known(scope(context, call).await)["deadline_ms"].as_u64().unwrap();
            assert!(bounds.contains(&left), "{way:?}: {left}");
        }
    }
}

#[tokio::test]
async fn when_no_time_is_left_nothing_is_begun() {
    let house = House::new().await;
    for way in WAYS {
        let context = CallContext { deadline: Some(Instant::now()), ..CallContext::default() };
        let mut client = house.categories(way);
        let answer = scope(context, client.create_category(ask("slow"))).await;
        assert_eq!(answer.unwrap_err().code(), Code::DeadlineExceeded, "{way:?}");
        assert_eq!(house.shop.begun.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_failure_and_nobody_else_s_call_dies() {
    let house = House::new().await;
    for (n, way) in WAYS.into_iter().enumerate() {
        let client = house.categories(way);
        let mut other = client.clone();
        let other = tokio::spawn(async move {
            let mut request = Request::new(ask("slow"));
            request.set_timeout(Duration::from_millis(300));
            other.create_category(request).await
        });
        until(|| house.shop.begun.load(Ordering::SeqCst) == n + 1).await;
        let failure = failure(client.clone().create_category(ask("panic")).await);
        assert_eq!((failure.kind, failure.reason.as_str()), (Kind::Internal, "internal"));
        assert!(failure.message.starts_with("something went wrong (id "), "{failure:?}");
        // the other call on the same connection ends by its own deadline, not before
        assert_eq!(other.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded, "{way:?}");
        assert!(client.clone().create_category(ask("facts")).await.is_ok());
    }
}

#[tokio::test]
async fn a_method_that_is_not_listed_is_refused() {
    let house = House::new().await;
    for way in WAYS {
        let answer = house.categories(way).list_categories(ListCategoriesRequest {}).await;
        let failure = failure(answer);
        assert_eq!((failure.kind, failure.reason.as_str()), (Kind::Forbidden, "method_not_listed"));
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unimplemented() {
    use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
    let house = House::new().await;
    for way in WAYS {
        let mut client = ProductServiceClient::new(house.transport(way, "catalog"));
        let answer = client.get_product(souk_proto::catalog::v1::GetProductRequest::default());
        assert_eq!(answer.await.unwrap_err().code(), Code::Unimplemented, "{way:?}");
    }
}

#[tokio::test]
async fn identity_and_deadline_pass_on_through_two_hops() {
    let house = House::new().await;
    let (user, token) = house.token(&[]);
    for way in WAYS {
        let mut client = CategoryServiceClient::new(house.transport(way, "front"));
        let deadline = Some(Instant::now() + Duration::from_secs(4));
        let context = CallContext { deadline, ..context(Some(&token), "req-7") };
        let known = known(scope(context, client.create_category(ask("hop"))).await);
        assert_eq!(known["service"], "front", "{way:?}");
        assert_eq!(known["user"], user.to_string());
        assert_eq!(known["context_user"], user.to_string());
        assert_eq!(known["request_id"], "req-7");
        let left = known["deadline_ms"].as_u64().unwrap();
        assert!((1..=4000).contains(&left), "{way:?}: {left}");
    }
}

#[tokio::test]
async fn an_upload_streams() {
    let house = House::new().await;
    for way in WAYS {
        let options = ImportProductsRequest { part: Some(Part::Options(ImportOptions::default())) };
        let chunk = || ImportProductsRequest { part: Some(Part::Chunk(vec![7; 64 * 1024])) };
        // 16 MiB: more than any window and any message limit
        let parts: Vec<_> = std::iter::once(options).chain((0..256).map(|_| chunk())).collect();
        let answer = house.transfers(way).import_products(tokio_stream::iter(parts)).await;
        let expected = format!("256/{}", 256 * 64 * 1024);
        assert_eq!(answer.unwrap().into_inner().job_id, expected, "{way:?}");
    }
}

#[tokio::test]
async fn a_message_above_four_mebibytes_is_refused() {
    let house = House::new().await;
    for way in WAYS {
        let part = ImportProductsRequest { part: Some(Part::Chunk(vec![7; 4 * 1024 * 1024 + 1])) };
        let answer = house.transfers(way).import_products(tokio_stream::iter([part])).await;
        assert_eq!(failure(answer).kind, Kind::Invalid, "{way:?}");
    }
}

#[tokio::test]
async fn a_download_streams_within_its_context() {
    let house = House::new().await;
    for way in WAYS {
        let mut client = house.transfers(way);
        let call = client.export_products(ExportProductsRequest { include_hidden: false });
        let mut stream = scope(context(None, "req-9"), call).await.unwrap().into_inner();
        let mut chunks = Vec::new();
        while let Some(chunk) = stream.message().await.unwrap() {
            chunks.push(String::from_utf8(chunk.content).unwrap());
        }
        assert_eq!(chunks.len(), 1000, "{way:?}");
        assert_eq!(chunks[999], "999 req-9", "{way:?}");
    }
}

#[tokio::test]
async fn a_panic_in_a_download_ends_it_and_the_connection_lives() {
    let house = House::new().await;
    for way in WAYS {
        let mut client = house.transfers(way);
        let call = client.export_products(ExportProductsRequest { include_hidden: true });
        let mut stream = call.await.unwrap().into_inner();
        let mut chunks = 0;
        let ended = loop {
            match stream.message().await {
                Ok(Some(_)) => chunks += 1,
                Ok(None) => panic!("ended well"),
                Err(status) => break Failure::from(status),
            }
        };
        // what was ready before it fell may be lost with it
        assert!(chunks <= 3, "{way:?}: {chunks}");
        assert_eq!((ended.kind, ended.reason.as_str()), (Kind::Internal, "internal"), "{way:?}");
        let again = client.export_products(ExportProductsRequest { include_hidden: false }).await;
        assert!(again.unwrap().into_inner().message().await.unwrap().is_some());
    }
}

#[tokio::test]
async fn above_the_limit_calls_are_shed_and_later_served_again() {
    let house = House::with(1, Duration::from_secs(10)).await;
    for (n, way) in WAYS.into_iter().enumerate() {
        let client = house.categories(way);
        let mut first = client.clone();
        let first = tokio::spawn(async move { first.create_category(ask("slow")).await });
        until(|| house.shop.begun.load(Ordering::SeqCst) == n + 1).await;
        let shed = failure(client.clone().create_category(ask("facts")).await);
        assert_eq!((shed.kind, shed.reason.as_str()), (Kind::Unavailable, "overloaded"), "{way:?}");
        assert_eq!(shed.retry_after, Some(Duration::from_secs(1)));
        // the caller goes away: the handler is dropped and its place is free
        first.abort();
        until(|| house.shop.dropped.load(Ordering::SeqCst) == n + 1).await;
        assert!(client.clone().create_category(ask("facts")).await.is_ok());
    }
}
