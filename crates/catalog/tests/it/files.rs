//! Sending files in, following the job, getting files out.

use std::collections::BTreeMap;

use futures::StreamExt;
use souk_proto::catalog::v1::import_products_request::Part;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::catalog::v1::{ExportProductsRequest, ImportOptions, ImportProductsRequest};
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{GetJobRequest, Job, JobResult, ListJobResultsRequest};
use souk_proto::types::v1::PageRequest;
use souk_rpc::Failure;

use crate::shop::{Shop, answer, answer_as, eventually};

impl Shop {
    /// Stores a file for import; answers the job's id.
    pub(crate) async fn upload(
        &self,
        options: ImportOptions,
        file: &[u8],
    ) -> Result<String, Failure> {
        let mut parts = vec![Part::Options(options)];
        // odd chunks: rows and characters are cut anywhere
        parts.extend(file.chunks(4_097).map(|chunk| Part::Chunk(chunk.to_vec())));
        let stream =
            futures::stream::iter(parts).map(|part| ImportProductsRequest { part: Some(part) });
        let mut client = TransferServiceClient::new(self.operator());
        Ok(answer(client.import_products(stream)).await?.job_id)
    }

    /// The same by somebody who is logged in.
    pub(crate) async fn upload_as(&self, token: &str, file: &[u8]) -> Result<String, Failure> {
        let parts = [Part::Options(ImportOptions::default()), Part::Chunk(file.to_vec())];
        let stream =
            futures::stream::iter(parts).map(|part| ImportProductsRequest { part: Some(part) });
        let mut client = TransferServiceClient::new(self.neighbor("gateway"));
        Ok(answer_as(token, client.import_products(stream)).await?.job_id)
    }

    /// Imports a file to its end.
    pub(crate) async fn import_as(&self, options: ImportOptions, file: &[u8]) -> Job {
        let id = self.upload(options, file).await.unwrap();
        self.ended(&id).await
    }

    pub(crate) async fn import(&self, file: &str) -> Job {
        self.import_as(ImportOptions::default(), file.as_bytes()).await
    }

    pub(crate) async fn job(&self, id: &str) -> Job {
        let mut client = OperationsServiceClient::new(self.operator());
        answer(client.get_job(GetJobRequest { id: id.to_owned() })).await.unwrap()
    }

    pub(crate) async fn ended(&self, id: &str) -> Job {
        eventually("the import ended", || async {
            let job = self.job(id).await;
            ["succeeded", "failed", "cancelled"].contains(&job.status.as_str()).then_some(job)
        })
        .await
    }

    /// Every row's result, by line.
    pub(crate) async fn results(&self, job: &Job) -> Vec<JobResult> {
        let mut client = OperationsServiceClient::new(self.operator());
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = Some(PageRequest { limit: 100, cursor });
            let request = ListJobResultsRequest { id: job.id.clone(), page };
            let part = answer(client.list_job_results(request)).await.unwrap();
            all.extend(part.items);
            cursor = part.next_cursor;
            if cursor.is_empty() {
                return all;
            }
        }
    }

    pub(crate) async fn export(&self, include_hidden: bool) -> String {
        let mut client = TransferServiceClient::new(self.operator());
        let mut chunks =
            answer(client.export_products(ExportProductsRequest { include_hidden })).await.unwrap();
        let mut file = Vec::new();
        while let Some(chunk) = chunks.message().await.unwrap() {
            file.extend(chunk.content);
        }
        String::from_utf8(file).unwrap()
    }
}

pub(crate) fn mapping(pairs: &[(&str, &str)]) -> ImportOptions {
    let mapping = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    ImportOptions { mapping, file_name: "goods.csv".into(), ..Default::default() }
}

pub(crate) fn counts(job: &Job) -> BTreeMap<&str, u64> {
    job.counts.iter().map(|(outcome, n)| (outcome.as_str(), *n)).collect()
}
