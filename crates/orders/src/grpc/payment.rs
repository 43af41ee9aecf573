//! `PaymentService`.
use prost::Message;
use souk_proto::orders::v1::payment_service_server::{PaymentService, PaymentServiceServer};
use souk_proto::orders::v1::{
    CompleteActionRequest, CompleteActionResponse, CreatePaymentMethodRequest,
    DeletePaymentMethodRequest, Difference, ListDifferencesRequest, ListDifferencesResponse,
    ListPaymentMethodsRequest, ListPaymentMethodsResponse, PaymentMethod, ReceiveWebhookRequest,
    ReceiveWebhookResponse,
};
use souk_rpc::Failure;
use souk_values::UserId;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::app::payment::card::{self, Encode, Typed};
use crate::app::payment::{complete, receive};
use crate::domain::payment;
use crate::domain::payment::book::Card;
use crate::error::Error;
use crate::store;

pub(super) fn add(routes: Routes, app: &App) -> Routes {
    routes.add_service(PaymentServiceServer::new(Payments { app: app.clone() }))
}

/// How the answer to a new card is kept.
const ENCODE: Encode = |card| method(card.clone()).encode_to_vec();

struct Payments {
    app: App,
}

/// The user on whose behalf the call is.
fn user<T>(request: &Request<T>) -> Result<UserId, Error> {
    let caller = souk_rpc::caller(request);
    caller.user.map(|user| user.id).ok_or(Error::NotFound("payment method"))
}

#[tonic::async_trait]
impl PaymentService for Payments {
    async fn create_payment_method(
        &self,
        request: Request<CreatePaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let user = user(&request)?;
        let CreatePaymentMethodRequest { number, exp_month, exp_year, cvc, idempotency_key } =
            request.into_inner();
        let typed = Typed { number, exp_month, exp_year, cvc };
        let kept = card::create(&self.app, user, typed, idempotency_key, ENCODE).await?;
        let kept = PaymentMethod::decode(kept.as_slice()).map_err(|e| Failure::internal(&e))?;
        Ok(Response::new(kept))
    }

    async fn list_payment_methods(
        &self,
        request: Request<ListPaymentMethodsRequest>,
    ) -> Result<Response<ListPaymentMethodsResponse>, Status> {
        let cards = card::list(&self.app, user(&request)?).await?;
        let items = cards.into_iter().map(method).collect();
        Ok(Response::new(ListPaymentMethodsResponse { items }))
    }

    async fn delete_payment_method(
        &self,
        request: Request<DeletePaymentMethodRequest>,
    ) -> Result<Response<PaymentMethod>, Status> {
        let user = user(&request)?;
        let gone = card::delete(&self.app, user, &request.into_inner().token).await?;
        Ok(Response::new(method(gone)))
    }

    async fn complete_action(
        &self,
        request: Request<CompleteActionRequest>,
    ) -> Result<Response<CompleteActionResponse>, Status> {
        let user = user(&request)?;
        let CompleteActionRequest { order_id, approve } = request.into_inner();
        let fact = complete(&self.app, user, &order_id, approve).await?;
        let payment_state = fact.state.as_str().to_owned();
        Ok(Response::new(CompleteActionResponse { payment_state }))
    }

    async fn receive_webhook(
        &self,
        request: Request<ReceiveWebhookRequest>,
    ) -> Result<Response<ReceiveWebhookResponse>, Status> {
        let ReceiveWebhookRequest { provider, body, headers } = request.into_inner();
        let headers = headers.into_iter().collect();
        let known = receive(&self.app, &provider, &headers, &body).await?;
        Ok(Response::new(ReceiveWebhookResponse { known }))
    }

    async fn list_differences(
        &self,
        _request: Request<ListDifferencesRequest>,
    ) -> Result<Response<ListDifferencesResponse>, Status> {
        let all = store::payment::differences(&self.app.db, false).await.map_err(Error::from)?;
        let items = all.into_iter().map(difference).collect();
        Ok(Response::new(ListDifferencesResponse { items }))
    }
}

fn method(card: Card) -> PaymentMethod {
    PaymentMethod {
        token: card.token,
        brand: card.brand,
        last4: card.last4,
        exp_month: card.exp_month,
        exp_year: card.exp_year,
    }
}

fn difference(difference: payment::Difference) -> Difference {
    Difference {
        order_id: difference.order_id,
        reference: difference.reference,
        kind: difference.kind.as_str().to_owned(),
        detail: difference.detail,
        action: difference.action.as_str().to_owned(),
        found_at_us: difference.found_at.timestamp_micros(),
        open: difference.open,
    }
}
