//! `CartService`: decode, call, encode.
use souk_proto::orders::v1::cart_service_server::{CartService, CartServiceServer};
use souk_proto::orders::v1::{
    AddItemRequest, Cart, CartLine, ClearCartRequest, CreateGuestCartRequest, GetCartRequest,
    GuestCart, MergeGuestCartRequest, MergeGuestCartResponse, RemoveItemRequest,
    SetQuantityRequest,
};
use souk_proto::types::v1::Money as WireMoney;
use souk_rpc::caller;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::app::cart::{self, Shown};
use crate::domain::cart::{Change, LineNow, Owner};
use crate::error::Error;

struct Carts {
    app: App,
}

pub(super) fn add(routes: Routes, app: &App) -> Routes {
    routes.add_service(CartServiceServer::new(Carts { app: app.clone() }))
}

impl Carts {
    /// Whose cart the request is about.
    async fn owner<T>(&self, request: &Request<T>, secret: &str) -> Result<Owner, Error> {
        let user = caller(request).user.as_ref().map(|user| user.id);
        cart::owner(&self.app, user, secret).await
    }
}

#[tonic::async_trait]
impl CartService for Carts {
    async fn create_guest_cart(
        &self,
        _request: Request<CreateGuestCartRequest>,
    ) -> Result<Response<GuestCart>, Status> {
        let (id, secret) = cart::create_guest(&self.app).await?;
        Ok(Response::new(GuestCart { cart_id: id.to_string(), secret }))
    }

    async fn get_cart(&self, request: Request<GetCartRequest>) -> Result<Response<Cart>, Status> {
        let owner = self.owner(&request, &request.get_ref().guest_secret).await?;
        Ok(answer(cart::show(&self.app, owner).await?))
    }

    async fn add_item(&self, request: Request<AddItemRequest>) -> Result<Response<Cart>, Status> {
        let owner = self.owner(&request, &request.get_ref().guest_secret).await?;
        let AddItemRequest { product, quantity, .. } = request.into_inner();
        Ok(answer(cart::add_item(&self.app, owner, &product, quantity).await?))
    }

    async fn set_quantity(
        &self,
        request: Request<SetQuantityRequest>,
    ) -> Result<Response<Cart>, Status> {
        let owner = self.owner(&request, &request.get_ref().guest_secret).await?;
        let SetQuantityRequest { product, quantity, expected_version, .. } = request.into_inner();
        let shown =
            cart::set_quantity(&self.app, owner, &product, quantity, expected_version).await?;
        Ok(answer(shown))
    }

    async fn remove_item(
        &self,
        request: Request<RemoveItemRequest>,
    ) -> Result<Response<Cart>, Status> {
        let owner = self.owner(&request, &request.get_ref().guest_secret).await?;
        let product = request.into_inner().product;
        Ok(answer(cart::remove_item(&self.app, owner, &product).await?))
    }

    async fn clear_cart(
        &self,
        request: Request<ClearCartRequest>,
    ) -> Result<Response<Cart>, Status> {
        let owner = self.owner(&request, &request.get_ref().guest_secret).await?;
        Ok(answer(cart::clear(&self.app, owner).await?))
    }

    async fn merge_guest_cart(
        &self,
        request: Request<MergeGuestCartRequest>,
    ) -> Result<Response<MergeGuestCartResponse>, Status> {
        self.owner(&request, &request.get_ref().guest_secret).await?;
        Ok(Response::new(MergeGuestCartResponse {}))
    }
}

fn answer(shown: Shown) -> Response<Cart> {
    let changed = shown.look.changed();
    let currency = shown.look.currency.to_string();
    Response::new(Cart {
        id: shown.id.map(|id| id.to_string()).unwrap_or_default(),
        items: shown.look.lines.into_iter().map(to_proto).collect(),
        total_minor: shown.look.total,
        currency,
        version: shown.version.unsigned_abs(),
        changed,
    })
}

fn to_proto(now: LineNow) -> CartLine {
    let old_unit_price_minor = now.changes.iter().find_map(|change| match change {
        Change::Price { old } => Some(*old),
        Change::Unavailable | Change::Short => None,
    });
    let word = |change: &Change| match change {
        Change::Price { .. } => "price".to_owned(),
        Change::Unavailable => "unavailable".to_owned(),
        Change::Short => "short".to_owned(),
    };
    let line = now.line;
    CartLine {
        product_id: line.product_id.to_string(),
        quantity: line.quantity,
        unit_price: Some(WireMoney {
            minor: line.seen_price,
            currency: line.seen_currency.to_string(),
        }),
        line_total_minor: now.total,
        available: now.available,
        changes: now.changes.iter().map(word).collect(),
        old_unit_price_minor,
        sku: line.sku,
        name: line.name,
        slug: line.slug,
        image: line.image,
        kind: line.kind.as_str().to_owned(),
    }
}
