//! `ProductService`: decode, call, encode.
mod convert;
mod items;

use prost::Message;
use souk_auth::{Caller, Permission};
use souk_proto::catalog::v1::product_service_server::ProductService;
use souk_proto::catalog::v1::{
    AddImageRequest, CreateProductRequest, DeleteProductRequest, GetImageRequest,
    GetProductRequest, GetProductsRequest, GetProductsResponse, Image, ListProductsRequest,
    ListProductsResponse, Product, RestoreProductRequest, UpdateProductRequest,
    WriteProductsRequest, WriteProductsResponse,
};
use souk_rpc::{Failure, Violation, caller};
use souk_values::{Cursor, Page, Sku};
use tonic::{Request, Response, Status};

use self::convert::Wish;

use crate::app::product::Idempotency;
use crate::app::{App, image, product};
use crate::domain::product::Patch;
use crate::error::Error;
use crate::store;
use crate::store::product::{Position, Sort};

pub(super) struct Products {
    pub(super) app: App,
}

/// Items of one bulk request.
const MAX_ITEMS: usize = 500;

#[tonic::async_trait]
impl ProductService for Products {
    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let hidden = sees_hidden(&caller(&request), request.get_ref().include_hidden);
        let key = request.into_inner().key;
        let found = store::product::find(self.app.db.read(), &key).await.map_err(Error::from)?;
        let found = found.filter(|p| p.active || hidden).ok_or(Error::ProductNotFound)?;
        Ok(Response::new(convert::to_proto(&found)))
    }

    async fn get_products(
        &self,
        request: Request<GetProductsRequest>,
    ) -> Result<Response<GetProductsResponse>, Status> {
        let ids = request.into_inner().ids;
        if ids.len() > MAX_ITEMS {
            return Err(Error::field("ids", format!("must be at most {MAX_ITEMS}")).into());
        }
        let ids = ids.iter().filter_map(|id| id.parse().ok()).collect();
        let found =
            store::product::find_active(self.app.db.read(), ids).await.map_err(Error::from)?;
        let items = found.iter().map(convert::to_proto).collect();
        Ok(Response::new(GetProductsResponse { items }))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let hidden = sees_hidden(&caller(&request), true);
        let request = request.into_inner();
        let mut broken = Vec::new();
        let filter = convert::filter(&request, hidden, &mut broken);
        let sort = Sort::parse(&request.sort).unwrap_or_else(|| {
            let sentence = format!("must be one of {}, with or without \"-\"", Sort::WORDS);
            broken.push(Violation::new("sort", sentence));
            Sort::NEWEST
        });
        let wish = request.page.unwrap_or_default();
        let page = Page::new(wish.limit, &wish.cursor)
            .map_err(|e| broken.push(Violation::new("limit", e)));
        let after = page.as_ref().ok().and_then(|p| p.cursor.as_ref());
        let after = after.map(|cursor| {
            let position = cursor.decode::<Position>().ok().filter(|p| p.fits(sort));
            if position.is_none() {
                broken.push(Violation::new("cursor", "is not a cursor of this list"));
            }
            position
        });
        let (Ok(page), true) = (page, broken.is_empty()) else {
            return Err(Failure::invalid(broken).into());
        };
        let (items, next) =
            store::product::list(&self.app.db, &filter, sort, &page, after.flatten())
                .await
                .map_err(Error::from)?;
        Ok(Response::new(ListProductsResponse {
            items: items.iter().map(convert::to_proto).collect(),
            next_cursor: next.map_or_else(String::new, |p| Cursor::encode(&p).as_str().to_owned()),
        }))
    }

    async fn create_product(
        &self,
        request: Request<CreateProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let actor = caller(&request).actor();
        let request = request.into_inner();
        let once = (!request.idempotency_key.is_empty()).then(|| Idempotency {
            key: &request.idempotency_key,
            request: convert::canonical(&request.fields),
        });
        let fields = request.fields.clone().unwrap_or_default();
        let wish = convert::from_proto(fields, self.app.currency).complete();
        let (sku, patch) = self.checked(wish, request.check_only).await?;
        if request.check_only {
            return Ok(Response::new(Product::default()));
        }
        let encode = |p: &crate::domain::product::Product| convert::to_proto(p).encode_to_vec();
        let answer = product::create_one(&self.app, &actor, sku, &patch, once, encode).await?;
        let answer = Product::decode(answer.as_slice()).map_err(|e| Failure::internal(&e))?;
        Ok(Response::new(answer))
    }

    async fn update_product(
        &self,
        request: Request<UpdateProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let actor = caller(&request).actor();
        let request = request.into_inner();
        let found = store::product::find(self.app.db.write(), &request.key).await;
        let current = found.map_err(Error::from)?.ok_or(Error::ProductNotFound)?;
        // a price without a currency is in the product's own
        let fields = request.fields.unwrap_or_default();
        let mut wish = convert::from_proto(fields, current.price.currency);
        if wish.sku.as_ref().is_some_and(|sku| *sku != current.sku) {
            wish.broken.push(Violation::new("sku", "cannot be changed"));
        }
        let (_, patch) = self.checked(wish, request.check_only).await?;
        if request.check_only {
            return Ok(Response::new(Product::default()));
        }
        let expected = request.expected_version;
        let changed =
            product::update_one(&self.app, &actor, &request.key, &patch, expected).await?;
        Ok(Response::new(convert::to_proto(&changed)))
    }

    async fn delete_product(
        &self,
        request: Request<DeleteProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let actor = caller(&request).actor();
        let DeleteProductRequest { key, expected_version } = request.into_inner();
        let gone = product::delete_one(&self.app, &actor, &key, expected_version).await?;
        Ok(Response::new(convert::to_proto(&gone)))
    }

    async fn restore_product(
        &self,
        request: Request<RestoreProductRequest>,
    ) -> Result<Response<Product>, Status> {
        let actor = caller(&request).actor();
        let RestoreProductRequest { key, expected_version } = request.into_inner();
        let back = product::restore_one(&self.app, &actor, &key, expected_version).await?;
        Ok(Response::new(convert::to_proto(&back)))
    }

    async fn write_products(
        &self,
        request: Request<WriteProductsRequest>,
    ) -> Result<Response<WriteProductsResponse>, Status> {
        let actor = caller(&request).actor();
        let WriteProductsRequest { items, check_only } = request.into_inner();
        if items.is_empty() || items.len() > MAX_ITEMS {
            return Err(Error::field("items", format!("must be 1 to {MAX_ITEMS}")).into());
        }
        let results = self.write(&actor, items, &check_only).await?;
        Ok(Response::new(WriteProductsResponse { results }))
    }

    async fn add_image(
        &self,
        request: Request<AddImageRequest>,
    ) -> Result<Response<Product>, Status> {
        let actor = caller(&request).actor();
        let request = request.into_inner();
        let expected = request.expected_version;
        let product =
            image::add(&self.app, &actor, &request.key, request.content, expected).await?;
        Ok(Response::new(convert::to_proto(&product)))
    }

    async fn get_image(
        &self,
        request: Request<GetImageRequest>,
    ) -> Result<Response<Image>, Status> {
        let (content, media_type) = image::read(&self.app, &request.into_inner().name).await?;
        Ok(Response::new(Image { content, content_type: media_type.to_owned() }))
    }
}

impl Products {
    /// What a request wants, or everything that is broken in it. Of a request that is in order the
    /// write itself looks for the category, inside of its transaction.
    async fn checked(
        &self,
        mut wish: Wish,
        check_only: bool,
    ) -> Result<(Option<Sku>, Patch), Error> {
        if (check_only || !wish.broken.is_empty())
            && let Some(Some(path)) = &wish.patch.category
            && store::category::find(self.app.db.read(), path).await?.is_none()
        {
            wish.broken.push(Violation::new("category", "there is no such category"));
        }
        wish.fine()
    }
}

/// Hidden products are for those who may change them, and for services that act for themselves.
fn sees_hidden(caller: &Caller, asked: bool) -> bool {
    asked && (caller.may(Permission::ProductsWrite) || is_neighbour(caller))
}

fn is_neighbour(caller: &Caller) -> bool {
    caller.user.is_none() && caller.service.as_deref().is_some_and(|s| s != "gateway")
}
