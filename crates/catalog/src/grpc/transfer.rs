//! `TransferService`: files in and out.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;

use futures::Stream;
use souk_proto::catalog::v1::import_products_request::Part;
use souk_proto::catalog::v1::transfer_service_server::TransferService;
use souk_proto::catalog::v1::{
    ExportProductsRequest, FileChunk, ImportOptions, ImportProductsRequest, ImportProductsResponse,
    LoadDemoShopRequest, LoadDemoShopResponse,
};
use souk_rpc::caller;
use tonic::{Request, Response, Status, Streaming};

use crate::app::transfer::{self, ImportParams, Upload};
use crate::app::{App, demo};
use crate::error::Error;

pub(super) struct Transfers {
    pub(super) app: App,
}

#[tonic::async_trait]
impl TransferService for Transfers {
    async fn import_products(
        &self,
        request: Request<Streaming<ImportProductsRequest>>,
    ) -> Result<Response<ImportProductsResponse>, Status> {
        let actor = caller(&request).actor();
        let mut parts = request.into_inner();
        let first = parts.message().await?.and_then(|message| message.part);
        let Some(Part::Options(options)) = first else {
            return Err(Error::field("options", "must come first").into());
        };
        let key = options.idempotency_key.clone();
        let params = self.params(options, actor);
        let mut upload = Upload::begin(&self.app).await?;
        let received = receive(&mut parts, &mut upload).await;
        if let Err(status) = received {
            upload.give_up().await;
            return Err(status);
        }
        let id = upload.finish(&self.app, params, &key).await?;
        Ok(Response::new(ImportProductsResponse { job_id: id.to_string() }))
    }

    type ExportProductsStream = Pin<Box<dyn Stream<Item = Result<FileChunk, Status>> + Send>>;

    async fn export_products(
        &self,
        request: Request<ExportProductsRequest>,
    ) -> Result<Response<Self::ExportProductsStream>, Status> {
        let hidden = request.into_inner().include_hidden;
        let header = transfer::header()?;
        let app = self.app.clone();
        let start = futures::stream::once(async move { Ok(FileChunk { content: header }) });
        let rest = futures::stream::try_unfold(None, move |after| {
            let app = app.clone();
            async move {
                let part = transfer::export(&app, after, hidden).await?;
                Ok::<_, Status>(part.map(|(content, last)| (FileChunk { content }, Some(last))))
            }
        });
        Ok(Response::new(Box::pin(futures::StreamExt::chain(start, rest))))
    }

    async fn load_demo_shop(
        &self,
        request: Request<LoadDemoShopRequest>,
    ) -> Result<Response<LoadDemoShopResponse>, Status> {
        let actor = caller(&request).actor();
        let loaded = demo::load(&self.app, &actor).await?;
        let products = u32::try_from(loaded).unwrap_or(u32::MAX);
        Ok(Response::new(LoadDemoShopResponse { products }))
    }
}

impl Transfers {
    fn params(&self, options: ImportOptions, actor: String) -> ImportParams {
        let currency = if options.currency.is_empty() {
            self.app.currency.to_string()
        } else {
            options.currency
        };
        ImportParams {
            file: PathBuf::new(),
            file_name: options.file_name.chars().filter(|c| !c.is_control()).take(200).collect(),
            mapping: options.mapping.into_iter().collect::<BTreeMap<_, _>>(),
            currency,
            dry_run: options.dry_run,
            actor,
        }
    }
}

async fn receive(
    parts: &mut Streaming<ImportProductsRequest>,
    upload: &mut Upload,
) -> Result<(), Status> {
    while let Some(message) = parts.message().await? {
        match message.part {
            Some(Part::Chunk(chunk)) => upload.write(&chunk).await?,
            _ => return Err(Error::field("options", "must come once").into()),
        }
    }
    Ok(())
}
