//! `BlockService` on the wire.

use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::block_service_server::BlockService;
use souk_rpc::{Violation, caller};
use souk_values::{BlockId, Page};
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::block as app;
use crate::store::block::Model;
use crate::store::{self, newest};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl BlockService for Door {
    async fn create_block(&self, request: Request<pb::CreateBlockRequest>) -> Answer<pb::Block> {
        let caller = caller(&request);
        let wish = from_proto(request.into_inner());
        let made = app::create(&self.app, &caller, wish).await.map_err(status)?;
        Ok(Response::new(to_proto(made)))
    }

    async fn list_blocks(
        &self,
        request: Request<pb::ListBlocksRequest>,
    ) -> Answer<pb::ListBlocksResponse> {
        self.app.admit(&caller(&request)).await.map_err(status)?;
        let pb::ListBlocksRequest { page, ended } = request.into_inner();
        let (page, after) = wanted(page.unwrap_or_default()).map_err(status)?;
        let (db, now) = (newest(self.app.db()), self.app.now());
        let found = store::block::list(db, ended, now, &page, after).await.map_err(status)?;
        Ok(Response::new(pb::ListBlocksResponse {
            items: found.0.into_iter().map(to_proto).collect(),
            next_cursor: found.1.map(|c| c.as_str().to_owned()).unwrap_or_default(),
        }))
    }

    async fn lift_block(&self, request: Request<pb::LiftBlockRequest>) -> Answer<pb::Block> {
        let caller = caller(&request);
        // what is no id names nothing
        let id = request.into_inner().id.parse();
        let id: BlockId = id.map_err(|_| Error::BlockNotFound).map_err(status)?;
        let lifted = app::lift(&self.app, &caller, id).await.map_err(status)?;
        Ok(Response::new(to_proto(lifted)))
    }

    async fn list_network_blocks(
        &self,
        _request: Request<pb::ListNetworkBlocksRequest>,
    ) -> Answer<pb::ListNetworkBlocksResponse> {
        let (db, now) = (newest(self.app.db()), self.app.now());
        let networks = store::block::networks(db, now).await.map_err(status)?;
        let items = networks.into_iter().map(|(network, until)| pb::NetworkBlock {
            network,
            until_us: until.map_or(0, |until| until.timestamp_micros()),
        });
        Ok(Response::new(pb::ListNetworkBlocksResponse { items: items.collect() }))
    }
}

fn wanted(wish: souk_proto::types::v1::PageRequest) -> Result<(Page, Option<BlockId>), Error> {
    let mut broken = Vec::new();
    let page = Page::new(wish.limit, &wish.cursor)
        .map_err(|error| broken.push(Violation::new("limit", error)))
        .ok();
    let after = page.as_ref().and_then(|page| page.cursor.as_ref()).and_then(|cursor| {
        cursor.decode::<BlockId>().map_err(|e| broken.push(Violation::new("cursor", e))).ok()
    });
    match page {
        Some(page) if broken.is_empty() => Ok((page, after)),
        _ => Err(Error::Invalid(broken)),
    }
}

fn from_proto(request: pb::CreateBlockRequest) -> app::Wish {
    let pb::CreateBlockRequest { user_id, network, reason, until_us, caller_address } = request;
    app::Wish { user_id, network, reason, until_us, caller_address }
}

fn to_proto(block: Model) -> pb::Block {
    pb::Block {
        id: block.id.to_string(),
        user_id: block.account_id.map(|id| id.to_string()).unwrap_or_default(),
        network: block.network.unwrap_or_default(),
        reason: block.reason,
        created_at_us: block.created_at.timestamp_micros(),
        until_us: block.until.map_or(0, |until| until.timestamp_micros()),
        created_by: block.created_by,
        lifted_at_us: block.lifted_at.map_or(0, |at| at.timestamp_micros()),
        lifted_by: block.lifted_by.unwrap_or_default(),
    }
}
