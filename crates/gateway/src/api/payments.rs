//! Ways to pay, the second step, and what payment providers say.
use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use souk_proto::orders::v1::{
    CompleteActionRequest, CreatePaymentMethodRequest, DeletePaymentMethodRequest, Difference,
    ListDifferencesRequest, ListPaymentMethodsRequest, PaymentMethod, ReceiveWebhookRequest,
};
use utoipa::ToSchema;

use super::{Answer, idempotency_key, maybe, time};
use crate::http::Site;
use crate::http::json::{self, Fields};
use crate::http::problem::Problem;
use crate::http::session::{OrdersReader, Session};

/// A card as its owner types it. Only with the test provider: other providers take cards
/// themselves and answer with a token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct CardBody {
    /// 13 to 19 digits; blanks and dashes between them are fine.
    #[schema(example = "4242 4242 4242 4242")]
    number: String,
    #[schema(minimum = 1, maximum = 12)]
    exp_month: i32,
    #[schema(example = 2035)]
    exp_year: i32,
    #[schema(example = "123")]
    cvc: String,
}

/// All that is kept of a card.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentMethodView {
    /// For `payment_method` of an order.
    #[schema(example = "pm_0b6cf6e3b8a84a5f8f1f0e5f6f5f4f3f")]
    token: String,
    #[schema(example = "visa")]
    brand: String,
    #[schema(example = "4242")]
    last4: String,
    exp_month: u32,
    exp_year: u32,
}

impl From<PaymentMethod> for PaymentMethodView {
    fn from(m: PaymentMethod) -> Self {
        Self {
            token: m.token,
            brand: m.brand,
            last4: m.last4,
            exp_month: m.exp_month,
            exp_year: m.exp_year,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentMethodList {
    items: Vec<PaymentMethodView>,
}

/// Keeps a card behind a token. The number is checked and forgotten.
#[utoipa::path(post, path = "/api/payment-methods", tag = "payments", request_body = CardBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "the same key with the same card gets the same answer; another card: 422")),
    responses((status = 201, body = PaymentMethodView)), security(("bearer" = [])))]
pub(crate) async fn create(
    State(site): State<Site>,
    _who: Session,
    headers: HeaderMap,
    mut body: Fields,
) -> Answer<Response> {
    let idempotency_key = idempotency_key(&headers)?;
    let number = body.required("number");
    let exp_month = small(&mut body, "exp_month");
    let exp_year = small(&mut body, "exp_year");
    let cvc = body.required("cvc");
    body.finish()?;
    let request = CreatePaymentMethodRequest { number, exp_month, exp_year, cvc, idempotency_key };
    let made = site.clients.payments.clone().create_payment_method(request).await?.into_inner();
    let location = format!("/api/payment-methods/{}", made.token);
    Ok(super::created(&location, None, &PaymentMethodView::from(made)))
}

fn small(body: &mut Fields, name: &'static str) -> u32 {
    let Some(number) = body.integer(name) else {
        // one that is broken has its sentence already
        body.breaks(name, "is required");
        return 0;
    };
    // what does not fit is no month and no year
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The cards of whoever asks, newest first.
#[utoipa::path(get, path = "/api/payment-methods", tag = "payments",
    responses((status = 200, body = PaymentMethodList)), security(("bearer" = [])))]
pub(crate) async fn list(
    State(site): State<Site>,
    _who: Session,
) -> Answer<Json<PaymentMethodList>> {
    let mut client = site.clients.payments.clone();
    let found = client.list_payment_methods(ListPaymentMethodsRequest {}).await?.into_inner();
    let items = found.items.into_iter().map(PaymentMethodView::from).collect();
    Ok(Json(PaymentMethodList { items }))
}

/// Forgets a card.
#[utoipa::path(delete, path = "/api/payment-methods/{token}", tag = "payments",
    params(("token" = String, Path)),
    responses((status = 200, body = PaymentMethodView)), security(("bearer" = [])))]
pub(crate) async fn delete(
    State(site): State<Site>,
    _who: Session,
    Path(token): Path<String>,
) -> Answer<Json<PaymentMethodView>> {
    let mut client = site.clients.payments.clone();
    let gone = client.delete_payment_method(DeletePaymentMethodRequest { token }).await?;
    Ok(Json(gone.into_inner().into()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "describes the body; http::json reads it field by field")]
pub(crate) struct SecondStepBody {
    /// `false`: the buyer refuses, and the order fails.
    approve: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SecondStepView {
    order_id: String,
    /// `authorised`, `captured` or `declined`.
    #[schema(example = "authorised")]
    payment_state: String,
}

/// The second step of a payment with the test provider. The order goes on by itself.
#[utoipa::path(post, path = "/api/orders/{id}/payment/complete", tag = "payments",
    params(("id" = String, Path, description = "id or number of the order")),
    request_body = SecondStepBody,
    responses((status = 200, body = SecondStepView)), security(("bearer" = [])))]
pub(crate) async fn complete(
    State(site): State<Site>,
    _who: Session,
    Path(id): Path<String>,
    mut body: Fields,
) -> Answer<Json<SecondStepView>> {
    let approve = body.boolean("approve");
    if approve.is_none() {
        body.breaks("approve", "is required");
    }
    body.finish()?;
    let approve = approve.unwrap_or_default();
    let request = CompleteActionRequest { order_id: id.clone(), approve };
    let done = site.clients.payments.clone().complete_action(request).await?.into_inner();
    Ok(Json(SecondStepView { order_id: id, payment_state: done.payment_state }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookView {
    /// It came before.
    known: bool,
}

/// What a payment provider tells of its own accord, signed by it. Answered as soon as it is kept.
#[utoipa::path(post, path = "/api/webhooks/payments/{provider}", tag = "payments",
    params(("provider" = String, Path, description = "`stripe`"),
        ("Stripe-Signature" = Option<String>, Header)),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = WebhookView),
        (status = 401, description = "`bad_signature`: it is not the provider's, or too old")))]
pub(crate) async fn webhook(
    State(site): State<Site>,
    Path(provider): Path<String>,
    request: Request,
) -> Answer<Json<WebhookView>> {
    let headers = signatures(request.headers());
    let body = json::body(request, &site).await?.to_vec();
    let request = ReceiveWebhookRequest { provider, body, headers };
    let answer = site.clients.payments.clone().receive_webhook(request).await;
    let answer = answer.map_err(Problem::from)?.into_inner();
    Ok(Json(WebhookView { known: answer.known }))
}

/// Headers that prove who sent it; nobody needs the others.
fn signatures(headers: &HeaderMap) -> HashMap<String, String> {
    headers
        .iter()
        .filter(|(name, _)| name.as_str().ends_with("signature"))
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}

/// Something in the provider's books that does not fit ours.
#[derive(Serialize, ToSchema)]
pub(crate) struct DifferenceView {
    order_id: Option<String>,
    reference: Option<String>,
    /// `captured_without_order`, `confirmed_without_capture`, `open_authorisation`,
    /// `amount_differs` or `second_payment`.
    #[schema(example = "captured_without_order")]
    kind: String,
    detail: String,
    /// `repaired`, `proposed_refund` or `alarm`.
    action: String,
    found_at: String,
    /// It is still there.
    open: bool,
}

impl From<Difference> for DifferenceView {
    fn from(d: Difference) -> Self {
        Self {
            order_id: maybe(d.order_id),
            reference: maybe(d.reference),
            kind: d.kind,
            detail: d.detail,
            action: d.action,
            found_at: time(d.found_at_us),
            open: d.open,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DifferenceList {
    items: Vec<DifferenceView>,
}

/// Differences between the payment provider's books and the shop's: open ones first, then the
/// newest.
#[utoipa::path(get, path = "/api/admin/payments/differences", tag = "payments",
    responses((status = 200, body = DifferenceList)), security(("bearer" = [])))]
pub(crate) async fn differences(
    State(site): State<Site>,
    _may: OrdersReader,
) -> Answer<Json<DifferenceList>> {
    let mut client = site.clients.payments.clone();
    let found = client.list_differences(ListDifferencesRequest {}).await?.into_inner();
    let items = found.items.into_iter().map(DifferenceView::from).collect();
    Ok(Json(DifferenceList { items }))
}
