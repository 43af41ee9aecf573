//! Makes the file. An attempt that breaks off leaves nothing: the next begins anew.

use std::sync::Arc;

use chrono::TimeDelta;
use souk_jobs::{ItemResult, Job, JobContext, JobError, JobHandler, Progress};
use souk_service::personal::{Keeper, Person};
use souk_storage::Tx;

use super::{failed, not_yet, retry, user};
use crate::App;
use crate::app::data_request::{self, export, file::Writer};
use crate::clients::keeper::Export;
use crate::domain::data_request::Kind;

pub(crate) struct ExportPerson {
    pub(crate) app: Arc<App>,
}

/// How far it is.
struct Stand {
    done: u64,
    total: u64,
}

#[async_trait::async_trait]
impl JobHandler for ExportPerson {
    fn kind(&self) -> &'static str {
        Kind::Export.job()
    }

    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        let app = &self.app;
        let owner = user(job)?;
        let keepers = data_request::keepers(app);
        if keepers.is_empty() {
            return Err(not_yet());
        }
        let mut stand = Stand { done: 0, total: keepers.len() as u64 };
        let person = data_request::person(app, owner).await.map_err(retry)?;
        let tx = app.db().begin().await?;
        let request = export::of_job(&tx, job.id).await.map_err(retry)?;
        let Some(request) = request else {
            return Err(JobError::Fatal("the request is gone".to_owned()));
        };
        let mut file = Writer::begin(app, &tx, request).await.map_err(retry)?;
        save(ctx, tx, &stand, None).await?;
        for keeper in &keepers {
            if ctx.stopping() {
                return Err(ctx.stopped());
            }
            let before = file.records();
            self.one(ctx, keeper, &person, &mut file, &stand).await?;
            let result = ItemResult {
                position: stand.done,
                key: keeper.name.to_owned(),
                outcome: "exported".to_owned(),
                detail: format!("{} records", file.records() - before),
            };
            stand.done += 1;
            let tx = app.db().begin().await?;
            file.flush(app, &tx).await.map_err(retry)?;
            save(ctx, tx, &stand, Some(result)).await?;
        }
        let kept = TimeDelta::days(i64::from(app.export_kept_days()));
        let tx = app.db().begin().await?;
        export::finish(app, &tx, job.id, owner, file, kept).await.map_err(retry)?;
        save(ctx, tx, &stand, None).await?;
        app.wake_outbox();
        Ok(())
    }
}

impl ExportPerson {
    async fn one(
        &self,
        ctx: &JobContext,
        keeper: &Keeper,
        person: &Person,
        file: &mut Writer,
        stand: &Stand,
    ) -> Result<(), JobError> {
        let told = |failure: souk_rpc::Failure| failed(keeper, &failure);
        let mut export = Export::begin(keeper, person).await.map_err(told)?;
        file.begin_service(keeper.name);
        while let Some((section, record)) = export.next().await.map_err(told)? {
            file.put(&section, &record);
            if !file.is_full() {
                continue;
            }
            if ctx.stopping() {
                return Err(ctx.stopped());
            }
            let tx = self.app.db().begin().await?;
            file.flush(&self.app, &tx).await.map_err(retry)?;
            save(ctx, tx, stand, None).await?;
        }
        file.end_service();
        Ok(())
    }
}

/// Commits what was written, unless somebody else makes the file by now.
async fn save(
    ctx: &JobContext,
    tx: Tx,
    stand: &Stand,
    result: Option<ItemResult>,
) -> Result<(), JobError> {
    let progress = Progress {
        done: stand.done,
        total: stand.total,
        results: result.into_iter().collect(),
        ..Progress::default()
    };
    ctx.save(&tx, progress).await?;
    Ok(tx.commit().await?)
}
