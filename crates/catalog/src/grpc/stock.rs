//! `StockService`: decode, call, encode.
mod convert;

use prost::Message;
use souk_proto::catalog::v1::stock_service_server::StockService;
use souk_proto::catalog::v1::{
    CommitRequest, CommitResponse, GetOrderStockRequest, GetOrderStockResponse, GetStockRequest,
    ListMovementsRequest, ListMovementsResponse, MoveStockRequest, OrderStock, ReleaseRequest,
    ReleaseResponse, ReserveRequest, ReserveResponse, ReturnToStockRequest, ReturnToStockResponse,
    Stock,
};
use souk_rpc::{Failure, Violation, caller};
use souk_values::{Cursor, OrderId, Page};
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::app::stock::{Storeroom, Wish, move_one};
use crate::domain::stock::{Done, MovementKind, What, quantity};
use crate::error::Error;
use crate::store;
use crate::store::movement::{Filter, Position};

pub(super) struct Stocks {
    pub(super) app: App,
    pub(super) storeroom: Storeroom,
}

/// Orders of one look.
const MAX_ORDERS: usize = 500;

#[tonic::async_trait]
impl StockService for Stocks {
    async fn reserve(
        &self,
        request: Request<ReserveRequest>,
    ) -> Result<Response<ReserveResponse>, Status> {
        let actor = caller(&request).actor();
        let (order, what) = convert::reserve(request.into_inner(), self.app.stock.ttl)?;
        Ok(Response::new(match self.storeroom.ask(order, actor, what).await? {
            Done::Refused(lines) => ReserveResponse {
                refused: lines.into_iter().map(convert::refused).collect(),
                ..ReserveResponse::default()
            },
            Done::Held { expires_at } => ReserveResponse {
                held: true,
                expires_at_us: expires_at.timestamp_micros(),
                refused: Vec::new(),
            },
            Done::Committed | Done::Ended => ReserveResponse::default(),
        }))
    }

    async fn commit(
        &self,
        request: Request<CommitRequest>,
    ) -> Result<Response<CommitResponse>, Status> {
        let actor = caller(&request).actor();
        let order = convert::order(&request.get_ref().order_id)?;
        let done = self.storeroom.ask(order, actor, What::Commit).await?;
        let committed = done == Done::Committed;
        let refused = match done {
            Done::Refused(lines) => lines.into_iter().map(convert::refused).collect(),
            _ => Vec::new(),
        };
        Ok(Response::new(CommitResponse { committed, refused }))
    }

    async fn release(
        &self,
        request: Request<ReleaseRequest>,
    ) -> Result<Response<ReleaseResponse>, Status> {
        let actor = caller(&request).actor();
        let order = convert::order(&request.get_ref().order_id)?;
        self.storeroom.ask(order, actor, What::Release).await?;
        Ok(Response::new(ReleaseResponse {}))
    }

    async fn return_to_stock(
        &self,
        request: Request<ReturnToStockRequest>,
    ) -> Result<Response<ReturnToStockResponse>, Status> {
        let actor = caller(&request).actor();
        let (order, what) = convert::take_back(request.into_inner())?;
        self.storeroom.ask(order, actor, what).await?;
        Ok(Response::new(ReturnToStockResponse {}))
    }

    async fn get_order_stock(
        &self,
        request: Request<GetOrderStockRequest>,
    ) -> Result<Response<GetOrderStockResponse>, Status> {
        let ids = request.into_inner().order_ids;
        if ids.len() > MAX_ORDERS {
            return Err(Error::field("order_ids", format!("must be at most {MAX_ORDERS}")).into());
        }
        let orders: Vec<OrderId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let db = &self.app.db;
        let (holds, _) =
            store::reservation::of_orders(db.write(), &orders).await.map_err(Error::from)?;
        let gone = store::movement::gone(db, &orders).await.map_err(Error::from)?;
        let items = holds.iter().flat_map(|(order, holds)| holds.iter().map(move |h| (order, h)));
        let items = items.map(|(order, hold)| {
            let gone = gone.get(&(*order, hold.product_id)).copied().unwrap_or_default();
            OrderStock {
                order_id: order.to_string(),
                product_id: hold.product_id.to_string(),
                state: hold.state.as_str().to_owned(),
                quantity: hold.quantity,
                sold: gone.sold,
                returned: gone.returned,
            }
        });
        Ok(Response::new(GetOrderStockResponse { items: items.collect() }))
    }

    async fn get_stock(
        &self,
        request: Request<GetStockRequest>,
    ) -> Result<Response<Stock>, Status> {
        let key = request.into_inner().key;
        let db = self.app.db.read();
        let product = store::product::find(db, &key).await.map_err(Error::from)?;
        let product = product.ok_or(Error::ProductNotFound)?;
        let shelf = store::stock::find(db, product.id).await.map_err(Error::from)?;
        Ok(Response::new(convert::stock(&shelf.ok_or(Error::ProductNotFound)?)))
    }

    async fn move_stock(
        &self,
        request: Request<MoveStockRequest>,
    ) -> Result<Response<Stock>, Status> {
        let actor = caller(&request).actor();
        let request = request.into_inner();
        let mut broken = Vec::new();
        let kind = MovementKind::parse(&request.kind).filter(|kind| kind.by_hand());
        if kind.is_none() {
            broken.push(Violation::new("kind", "must be receive, adjust or count"));
        }
        if let Err(sentence) = convert::reason(&request.reason) {
            broken.push(Violation::new("reason", sentence));
        }
        let said = kind.map_or(Ok(()), |kind| quantity(kind, request.quantity));
        if let Err(sentence) = said {
            broken.push(Violation::new("quantity", sentence));
        }
        let (Some(kind), true) = (kind, broken.is_empty()) else {
            return Err(Failure::invalid(broken).into());
        };
        if request.check_only {
            return Ok(Response::new(Stock::default()));
        }
        let wish = Wish {
            product: &request.key,
            kind,
            quantity: request.quantity,
            reason: request.reason.trim(),
            key: &request.idempotency_key,
        };
        let encode = |shelf: &_| convert::stock(shelf).encode_to_vec();
        let answer = move_one(&self.app, &actor, &wish, encode).await?;
        let answer = Stock::decode(answer.as_slice()).map_err(|e| Failure::internal(&e))?;
        Ok(Response::new(answer))
    }

    async fn list_movements(
        &self,
        request: Request<ListMovementsRequest>,
    ) -> Result<Response<ListMovementsResponse>, Status> {
        let request = request.into_inner();
        let mut broken = Vec::new();
        let mut filter = Filter::default();
        if !request.kind.is_empty() {
            filter.kind = MovementKind::parse(&request.kind);
            if filter.kind.is_none() {
                let sentence = format!("must be one of {}", MovementKind::WORDS);
                broken.push(Violation::new("kind", sentence));
            }
        }
        if !request.order_id.is_empty() {
            filter.order = request.order_id.parse().ok();
            if filter.order.is_none() {
                broken.push(Violation::new("order_id", "is not the id of an order"));
            }
        }
        let wish = request.page.unwrap_or_default();
        let page = Page::new(wish.limit, &wish.cursor)
            .map_err(|e| broken.push(Violation::new("limit", e)));
        let after = page.as_ref().ok().and_then(|p| p.cursor.as_ref());
        let after = after.map(|cursor| {
            cursor.decode::<Position>().map_err(|e| broken.push(Violation::new("cursor", e))).ok()
        });
        let (Ok(page), true) = (page, broken.is_empty()) else {
            return Err(Failure::invalid(broken).into());
        };
        let db = &self.app.db;
        if !request.key.is_empty() {
            let found = store::product::find(db.read(), &request.key).await.map_err(Error::from)?;
            filter.product = Some(found.ok_or(Error::ProductNotFound)?.id);
        }
        let (items, next) = store::movement::list(db, &filter, &page, after.flatten())
            .await
            .map_err(Error::from)?;
        Ok(Response::new(ListMovementsResponse {
            items: items.into_iter().map(convert::movement).collect(),
            next_cursor: next.map_or_else(String::new, |p| Cursor::encode(&p).as_str().to_owned()),
        }))
    }
}
