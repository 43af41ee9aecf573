//! `OrderService`: decode, call, encode.
mod convert;
mod staff;

use prost::Message;
use souk_audit::NewEntry;
use souk_auth::{Caller, Permission};
use souk_proto::orders::v1::order_service_server::{OrderService, OrderServiceServer};
use souk_proto::orders::v1::{
    AddNoteRequest, CancelOrderRequest, CheckoutRequest, DeliverOrderRequest, GetOrderRequest,
    ListOrdersRequest, ListOrdersResponse, ListPurchasesRequest, ListPurchasesResponse, Order,
    PlaceOrderRequest, PlaceOrderResponse, QuoteResponse, RefundOrderRequest, ResumeOrderRequest,
    SearchOrdersRequest, ShipOrderRequest,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Failure, Violation, caller};
use souk_values::{Cursor, Page, UserId};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::quote as wire;
use crate::app::App;
use crate::app::order::{self, Encode, EncodeWhole, Once};
use crate::app::{cart, quote};
use crate::domain;
use crate::domain::address::check_text;
use crate::domain::order::CancelWish;
use crate::error::Error;
use crate::store::order::{Filter, Position, Sort};
use crate::store::{self};

/// How the answer to a placed order is kept.
pub(crate) const ENCODE: Encode = |placed| convert::placed(placed).encode_to_vec();
/// How the answer to a refund is kept.
const ENCODE_WHOLE: EncodeWhole = |whole| convert::whole(whole, true).encode_to_vec();

/// Longest reason, in characters.
const REASON_MAX: usize = 500;

struct Orders {
    app: App,
}

pub(super) fn add(routes: Routes, app: &App) -> Routes {
    routes.add_service(OrderServiceServer::new(Orders { app: app.clone() }))
}

#[tonic::async_trait]
impl OrderService for Orders {
    async fn quote(
        &self,
        request: Request<CheckoutRequest>,
    ) -> Result<Response<QuoteResponse>, Status> {
        let user = user(&caller(&request));
        let checkout = wire::checkout(request.into_inner())?;
        if user.is_some() && !checkout.guest_secret.is_empty() {
            cart::owner(&self.app, user, &checkout.guest_secret).await?;
        }
        let priced = quote::quote(&self.app, user, &checkout).await?;
        Ok(Response::new(wire::to_response(&priced)))
    }

    async fn place_order(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        let user = user(&caller(&request)).ok_or(Error::NoCart)?;
        let request = request.into_inner();
        let checkout = wire::checkout(request.checkout.unwrap_or_default())?;
        if !checkout.guest_secret.is_empty() {
            cart::owner(&self.app, Some(user), &checkout.guest_secret).await?;
        }
        let once = once(request.idempotency_key, request.fingerprint);
        let answer = order::place(&self.app, user, &checkout, once, ENCODE).await?;
        let answer =
            PlaceOrderResponse::decode(answer.as_slice()).map_err(|e| Failure::internal(&e))?;
        Ok(Response::new(answer))
    }

    async fn get_order(
        &self,
        request: Request<GetOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let caller = caller(&request);
        let GetOrderRequest { id, as_staff } = request.into_inner();
        let as_staff = as_staff && caller.may(Permission::OrdersRead);
        let found = self.visible(&caller, &id, as_staff).await?;
        if as_staff && user(&caller) != Some(found.user_id) {
            // who looked at whose address and purchases
            self.app.audit.note_some(NewEntry::new("order.read", format!("order/{}", found.id)));
        }
        self.answer(found, as_staff).await
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let user = user(&caller(&request)).ok_or(Error::OrderNotFound)?;
        let filter = Filter { user: Some(user), ..Filter::default() };
        self.list(filter, Some(Sort::NEWEST), request.into_inner().page, Vec::new()).await
    }

    async fn list_purchases(
        &self,
        request: Request<ListPurchasesRequest>,
    ) -> Result<Response<ListPurchasesResponse>, Status> {
        let user = user(&caller(&request)).ok_or(Error::OrderNotFound)?;
        let mut broken = Vec::new();
        let (page, after) = page(request.into_inner().page, &mut broken);
        let (Some(page), true) = (page, broken.is_empty()) else {
            return Err(Failure::invalid(broken).into());
        };
        let db = store::order::fresh(&self.app.db);
        let (items, next) =
            store::order::purchases(db, user, &page, after).await.map_err(Error::from)?;
        Ok(Response::new(ListPurchasesResponse {
            items: items.into_iter().map(convert::purchase).collect(),
            next_cursor: next.map_or_else(String::new, |p| Cursor::encode(&p).as_str().to_owned()),
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<CancelOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let as_staff = request.as_staff && caller.may(Permission::OrdersWrite);
        let reason = request.reason.trim().to_owned();
        check_text(&reason, REASON_MAX).map_err(|must| Error::field("reason", must))?;
        let found = self.visible(&caller, &request.id, as_staff).await?;
        // a buyer takes back what they bought; staff give money back as with a refund
        let may_refund = !as_staff || caller.is_fresh(self.app.clock.now().timestamp());
        let wish = CancelWish { actor: caller.actor(), reason };
        let expected = request.expected_version;
        let after = order::cancel(&self.app, found.id, wish, expected, may_refund).await?;
        self.answer(after, as_staff).await
    }

    async fn search_orders(
        &self,
        request: Request<SearchOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let request = request.into_inner();
        let mut broken = Vec::new();
        let filter = convert::filter(&request, &mut broken);
        let sort = Sort::parse(&request.sort);
        if sort.is_none() {
            let sentence = "must be created_at or total, with or without \"-\"";
            broken.push(Violation::new("sort", sentence));
        }
        self.list(filter, sort, request.page, broken).await
    }

    async fn ship_order(
        &self,
        request: Request<ShipOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        self.ship(request).await
    }

    async fn deliver_order(
        &self,
        request: Request<DeliverOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        self.deliver(request).await
    }

    async fn refund_order(
        &self,
        request: Request<RefundOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        self.refund(request).await
    }

    async fn add_note(&self, request: Request<AddNoteRequest>) -> Result<Response<Order>, Status> {
        self.note(request).await
    }

    async fn resume_order(
        &self,
        request: Request<ResumeOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        self.resume(request).await
    }
}

impl Orders {
    /// The order, if it is the caller's or the caller is staff; else it does not exist. What is its
    /// buyer's own is no program's of theirs.
    async fn visible(
        &self,
        caller: &Caller,
        key: &str,
        as_staff: bool,
    ) -> Result<domain::order::Order, Error> {
        let found = store::order::find_by_key(store::order::fresh(&self.app.db), key).await?;
        let own = |order: &domain::order::Order| caller.person() == Some(order.user_id);
        found.filter(|order| as_staff || own(order)).ok_or(Error::OrderNotFound)
    }

    async fn answer(
        &self,
        found: domain::order::Order,
        as_staff: bool,
    ) -> Result<Response<Order>, Status> {
        let whole = order::whole(&self.app, found, as_staff).await.map_err(Error::from)?;
        Ok(Response::new(convert::whole(&whole, as_staff)))
    }

    async fn list(
        &self,
        filter: Filter,
        sort: Option<Sort>,
        wish: Option<PageRequest>,
        mut broken: Vec<Violation>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let sort = sort.unwrap_or(Sort::NEWEST);
        let (page, after) = page::<Position>(wish, &mut broken);
        if after.as_ref().is_some_and(|position| !position.fits(sort)) {
            broken.push(Violation::new("cursor", "is not a cursor of this list"));
        }
        let (Some(page), true) = (page, broken.is_empty()) else {
            return Err(Failure::invalid(broken).into());
        };
        let db = store::order::fresh(&self.app.db);
        let (items, next) =
            store::order::list(db, &filter, sort, &page, after).await.map_err(Error::from)?;
        Ok(Response::new(ListOrdersResponse {
            items: items.into_iter().map(convert::summary).collect(),
            next_cursor: next.map_or_else(String::new, |p| Cursor::encode(&p).as_str().to_owned()),
        }))
    }
}

fn user(caller: &Caller) -> Option<UserId> {
    caller.user.as_ref().map(|user| user.id)
}

fn once(key: String, fingerprint: Vec<u8>) -> Option<Once> {
    (!key.is_empty()).then_some(Once { key, fingerprint })
}

fn page<T: serde::de::DeserializeOwned>(
    wish: Option<PageRequest>,
    broken: &mut Vec<Violation>,
) -> (Option<Page>, Option<T>) {
    let wish = wish.unwrap_or_default();
    let page = Page::new(wish.limit, &wish.cursor);
    let page = page.map_err(|e| broken.push(Violation::new("limit", e))).ok();
    let cursor = page.as_ref().and_then(|page| page.cursor.as_ref());
    let after = cursor.map(Cursor::decode::<T>).transpose();
    let after = after.map_err(|e| broken.push(Violation::new("cursor", e))).ok().flatten();
    (page, after)
}
