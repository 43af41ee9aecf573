//! Files in and out: what comes in is stored and becomes a job; what goes out is written part by
//! part.
mod export;
mod scratch;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use souk_audit::NewEntry;
use souk_jobs::NewJob;
use souk_rpc::Violation;
use souk_storage::OnConstraint;
use souk_values::{Currency, JobId};
use tokio::io::AsyncWriteExt;

pub(crate) use export::{export, header};
pub(crate) use scratch::Scratch;
pub(crate) use source::Source;

use crate::app::App;
use crate::domain::import::layout;
use crate::error::Error;
use crate::store;

/// Kind of the import job.
pub(crate) const KIND: &str = "catalog.import_products";
/// 2 GiB: a million products of two kilobytes each.
const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// What an import job is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ImportParams {
    pub(crate) file: PathBuf,
    pub(crate) file_name: String,
    pub(crate) mapping: BTreeMap<String, String>,
    pub(crate) currency: String,
    pub(crate) dry_run: bool,
    pub(crate) actor: String,
}

/// What became of an upload.
enum New {
    Job,
    /// It repeated one that was taken before.
    Nothing,
}

/// A file on its way in.
pub(crate) struct Upload {
    file: tokio::fs::File,
    path: PathBuf,
    bytes: u64,
    hash: Sha256,
}

impl Upload {
    pub(crate) async fn begin(app: &App) -> Result<Self, Error> {
        let dir = app.files.join("imports");
        tokio::fs::create_dir_all(&dir).await?;
        let path = dir.join(format!("{}.csv", uuid::Uuid::now_v7()));
        let file = tokio::fs::File::create(&path).await?;
        Ok(Self { file, path, bytes: 0, hash: Sha256::new() })
    }

    pub(crate) async fn write(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.bytes += chunk.len() as u64;
        if self.bytes > MAX_BYTES {
            return Err(Error::field("file", "must be at most 2 GiB"));
        }
        self.hash.update(chunk);
        Ok(self.file.write_all(chunk).await?)
    }

    /// Makes the file and the job durable; checks at once what can be checked without reading on:
    /// currency, header, mapping. The same key with the same file and options answers the same job
    /// again.
    pub(crate) async fn finish(
        mut self,
        app: &App,
        params: ImportParams,
        key: &str,
    ) -> Result<JobId, Error> {
        let taken = self.accept(app, params, key).await;
        if !matches!(taken, Ok((_, New::Job))) {
            // a file of which no job was made is nobody's
            self.give_up().await;
        }
        taken.map(|(id, _)| id)
    }

    async fn accept(
        &mut self,
        app: &App,
        params: ImportParams,
        key: &str,
    ) -> Result<(JobId, New), Error> {
        let options = (&params.mapping, &params.currency, params.dry_run);
        self.hash.update(format!("{options:?}"));
        let hash = self.hash.finalize_reset().to_vec();
        self.file.sync_all().await?;
        let params = ImportParams { file: self.path.clone(), ..params };
        self.check(&params).await?;
        let (actor, now) = (params.actor.clone(), app.clock.now());
        let (file, dry_run) = (params.file_name.clone(), params.dry_run);
        let params = serde_json::to_value(&params).map_err(std::io::Error::other)?;
        let tx = app.db.begin().await?;
        if !key.is_empty()
            && let Some((seen, answer)) = store::answer::find(&tx, &actor, key, now).await?
        {
            if seen != hash {
                return Err(Error::KeyReused);
            }
            let job = String::from_utf8_lossy(&answer).parse().map_err(std::io::Error::other)?;
            return Ok((job, New::Nothing));
        }
        let job = NewJob { kind: KIND, params, created_by: actor.clone(), run_at: None };
        let id = app.jobs.create(&tx, job).await?;
        // one entry for the file, one for what became of it: not one for each of a million products
        let entry = NewEntry::new("import.begun", format!("job/{id}"));
        let entry = entry.change("file", "", file).change("dry_run", "", dry_run);
        app.audit.record(&tx, entry).await?;
        if !key.is_empty() {
            let answer = id.to_string().into_bytes();
            store::answer::keep(&tx, &actor, key, hash, answer, now)
                .await
                .on_constraint("kept_answer", Error::KeyRaced)?;
        }
        tx.commit().await?;
        app.jobs.wake();
        Ok((id, New::Job))
    }

    async fn check(&self, params: &ImportParams) -> Result<(), Error> {
        let (path, mapping) = (self.path.clone(), params.mapping.clone());
        let open = move || Source::open(&path, &mapping).map(|_| ());
        let header = tokio::task::spawn_blocking(open).await.map_err(std::io::Error::other)?;
        let mut broken: Vec<Violation> = Vec::new();
        if let Err(sentence) = layout::check(&params.mapping) {
            broken.push(Violation::new("map", sentence));
        } else if let Err(sentence) = header {
            broken.push(Violation::new("file", sentence));
        }
        if let Err(e) = params.currency.parse::<Currency>() {
            broken.push(Violation::new("currency", e));
        }
        if broken.is_empty() { Ok(()) } else { Err(Error::Invalid(broken)) }
    }

    /// Throws the file away.
    pub(crate) async fn give_up(self) {
        let _ = tokio::fs::remove_file(&self.path).await;
    }
}
