//! Who may call: strangers, forgers, users, neighbors, the operator.
use souk_auth::{Permission, ServiceTokens};
use souk_proto::catalog::v1::DeleteCategoryRequest;
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_rpc::{Failure, Kind, scope};
use souk_values::Clock;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic::{Code, Request};

use crate::house::{House, Way, ask, context, failure, known};

const SERVICE_WAYS: [Way; 2] = [Way::Local, Way::Tcp];

/// A call without our transport, with these headers; over TCP and straight into the guarded
/// service.
async fn strange(house: &House, headers: &[(&'static str, String)]) -> [Result<(), Failure>; 2] {
    let request = || {
        let mut request = Request::new(ask("facts"));
        for (name, value) in headers {
            request.metadata_mut().insert(*name, MetadataValue::try_from(value).unwrap());
        }
        request
    };
    let channel = Endpoint::from_shared(house.url(Way::Tcp)).unwrap().connect_lazy();
    let remote = CategoryServiceClient::new(channel).create_category(request()).await;
    let direct = CategoryServiceClient::new(house.catalog.clone());
    let direct = { direct }.create_category(request()).await;
    [remote, direct].map(|answer| answer.map(|_| ()).map_err(Failure::from))
}

fn reasons(answers: [Result<(), Failure>; 2]) -> [String; 2] {
    answers.map(|answer| {
        answer.map_or_else(|f| format!("{:?} {}", f.kind, f.reason), |()| "ok".into())
    })
}

#[tokio::test]
async fn a_caller_without_identity_is_refused() {
    let house = House::new().await;
    let refused = ["Unauthenticated unknown_service"; 2];
    assert_eq!(reasons(strange(&house, &[]).await), refused);
    // a user's token alone opens nothing: users come through the gateway
    let bearer = format!("Bearer {}", house.token(&Permission::ALL).1);
    assert_eq!(reasons(strange(&house, &[("authorization", bearer)]).await), refused);
}

#[tokio::test]
async fn a_forged_or_borrowed_service_token_is_refused() {
    let house = House::new().await;
    let forger = ServiceTokens::new(b"a guess", Clock::system());
    for token in [
        forger.issue("gateway", "catalog"),
        // of another audience
        house.stack.tokens.issue("gateway", "accounts"),
        house.stack.tokens.issue("gateway", "catalog").replace("gateway", "operator"),
        "operator".to_owned(),
        String::new(),
    ] {
        let answers = strange(&house, &[("souk-service-token", token)]).await;
        assert_eq!(reasons(answers), ["Unauthenticated unknown_service"; 2]);
    }
    let good = house.stack.tokens.issue("gateway", "catalog");
    let answers = strange(&house, &[("souk-service-token", good)]).await;
    assert_eq!(reasons(answers), ["ok"; 2]);
}

#[tokio::test]
async fn the_user_s_token_is_verified_by_the_service_that_acts() {
    let house = House::new().await;
    let (user, good) = house.token(&[]);
    for way in SERVICE_WAYS {
        let mut client = house.categories(way);
        let known =
            known(scope(context(Some(&good), "r"), client.create_category(ask("facts"))).await);
        assert_eq!(
            (&known["service"], &known["user"]),
            (&"gateway".into(), &user.to_string().into())
        );

        let broken = good.replacen('.', ".x", 1);
        let answer = scope(context(Some(&broken), "r"), client.create_category(ask("facts"))).await;
        let failure = failure(answer);
        assert_eq!(
            (failure.kind, failure.reason.as_str()),
            (Kind::Unauthenticated, "invalid_token")
        );
    }
    // out at once, also where it was checked a moment ago
    house.stack.verifier.revoke_user(user, i64::MAX);
    for way in SERVICE_WAYS {
        let mut client = house.categories(way);
        let answer = scope(context(Some(&good), "r"), client.create_category(ask("facts"))).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unauthenticated, "{way:?}");
    }
}

#[tokio::test]
async fn a_permission_is_asked_of_the_user_and_not_of_the_service() {
    let house = House::new().await;
    let (writer, may) = house.token(&[Permission::ProductsWrite]);
    let (_, may_not) = house.token(&[Permission::UsersRead]);
    for way in SERVICE_WAYS {
        let mut client = house.categories(way);
        let mut delete = async |token: Option<&str>| {
            let call = client.delete_category(DeleteCategoryRequest::default());
            scope(context(token, "r"), call).await
        };
        assert_eq!(known(delete(Some(&may)).await)["user"], writer.to_string());
        assert_eq!(failure(delete(Some(&may_not)).await).kind, Kind::Forbidden, "{way:?}");
        let anonymous = failure(delete(None).await);
        assert_eq!(
            (anonymous.kind, anonymous.reason.as_str()),
            (Kind::Unauthenticated, "login_required")
        );
    }
}

#[tokio::test]
async fn at_the_socket_everybody_is_the_operator_and_nobody_else() {
    let house = House::new().await;
    let mut client = house.categories(Way::Unix);
    let known_to = known(client.delete_category(DeleteCategoryRequest::default()).await);
    assert_eq!(known_to["service"], "operator");

    // on behalf of a user the operator is no more than the user
    let (_, token) = house.token(&[]);
    let call = client.delete_category(DeleteCategoryRequest::default());
    let answer = scope(context(Some(&token), "r"), call).await;
    assert_eq!(failure(answer).kind, Kind::Forbidden);
}

#[tokio::test]
async fn a_caller_cannot_choose_its_identity_by_headers() {
    let house = House::new().await;
    for way in SERVICE_WAYS {
        let mut request = Request::new(ask("facts"));
        let operator = house.stack.tokens.issue("operator", "catalog");
        for (name, value) in [
            ("souk-service-token", operator.as_str()),
            ("souk-target", "front"),
            ("x-request-id", "x"),
        ] {
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
        let mut client = house.categories(way);
        let known = known(scope(context(None, "r"), client.create_category(request)).await);
        assert_eq!(known["service"], "gateway", "{way:?}");
        assert_eq!(known["request_id"], "r", "the context's id wins");
    }
}

#[tokio::test]
async fn the_context_s_token_wins_over_one_in_the_headers() {
    let house = House::new().await;
    let (of_context, in_context) = house.token(&[]);
    let (of_header, in_header) = house.token(&[]);
    for way in SERVICE_WAYS {
        let request = || {
            let mut request = Request::new(ask("facts"));
            let bearer = format!("Bearer {in_header}").parse().unwrap();
            request.metadata_mut().insert("authorization", bearer);
            request
        };
        let mut client = house.categories(way);
        let call = client.create_category(request());
        let both = known(scope(context(Some(&in_context), "r"), call).await);
        assert_eq!(both["user"], of_context.to_string(), "{way:?}");
        let header_only = known(client.create_category(request()).await);
        assert_eq!(header_only["user"], of_header.to_string(), "{way:?}");
    }
}
