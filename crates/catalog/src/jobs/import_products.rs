//! Importing a stored file: read and staged, problems reported, products written. Each part resumes
//! after a crash.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use souk_audit::NewEntry;
use souk_jobs::{ItemResult, Job, JobContext, JobError, JobHandler, Progress};
use souk_storage::Tx;
use souk_values::Currency;

use crate::app::App;
use crate::app::product::{Item, Outcome, Told, write_batch};
use crate::app::transfer::{ImportParams, KIND, Scratch, Source};
use crate::domain::import::{Fields, Refused, product};
use crate::error::Error;

const ROWS_AT_ONCE: usize = 1_000;
const PRODUCTS_AT_ONCE: u32 = 1_000;
/// How often the job says how far the reading is.
const TELL_EVERY: Duration = Duration::from_millis(250);

pub(crate) struct ImportProducts {
    pub(crate) app: App,
}

/// How far the last attempt came. Nothing: reading has not ended.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Checkpoint {
    staged: bool,
    problems: i64,
    written: i64,
    /// The audit has its entry.
    told: bool,
}

#[async_trait::async_trait]
impl JobHandler for ImportProducts {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn run(&self, ctx: &JobContext, job: &Job) -> Result<(), JobError> {
        let params: ImportParams = serde_json::from_value(job.params.clone())
            .map_err(|e| JobError::Fatal(e.to_string()))?;
        let currency: Currency =
            params.currency.parse().map_err(|_| JobError::Fatal("unknown currency".into()))?;
        let mut at: Checkpoint = serde_json::from_value(ctx.checkpoint()).unwrap_or_default();
        let import = Import { app: &self.app, ctx, params: &params, currency };
        let scratch = if at.staged {
            Scratch::open(&params.file).await.map_err(retry)?
        } else {
            let scratch = Scratch::create(&params.file).await.map_err(retry)?;
            import.stage(&scratch).await?;
            at.staged = true;
            scratch
        };
        let mut counts = job.counts.clone();
        import.report(&scratch, &mut at, &mut counts).await?;
        import.write(&scratch, &mut at, &mut counts, &job.id.to_string()).await?;
        if !at.told && !params.dry_run {
            at.told = true;
            import.tell(&scratch, at, &counts, &job.id.to_string()).await?;
        }
        scratch.remove().await.map_err(retry)?;
        let _ = tokio::fs::remove_file(&params.file).await;
        Ok(())
    }
}

struct Import<'a> {
    app: &'a App,
    ctx: &'a JobContext,
    params: &'a ImportParams,
    currency: Currency,
}

impl Import<'_> {
    /// Reads the whole file once; good rows are staged by SKU, the others noted. The next rows are
    /// read while these are staged.
    async fn stage(&self, scratch: &Scratch) -> Result<(), JobError> {
        let (path, mapping) = (self.params.file.clone(), self.params.mapping.clone());
        let source = blocking(move || Source::open(&path, &mapping)).await?;
        let currency = self.currency;
        let mut reading = tokio::task::spawn_blocking(move || read(source, currency));
        let (mut lines, mut saved) = (0, None::<Instant>);
        loop {
            if self.ctx.stopping() {
                return Err(self.ctx.stopped());
            }
            let (source, rows, problems) = reading.await.map_err(|e| JobError::Retry(e.into()))?;
            if rows.is_empty() && problems.is_empty() {
                return Ok(());
            }
            reading = tokio::task::spawn_blocking(move || read(source, currency));
            lines += (rows.len() + problems.len()) as u64;
            scratch.stage(&rows).await.map_err(retry)?;
            scratch.report(&problems).await.map_err(retry)?;
            // each is a flush of the disk: as often as anybody looks
            if saved.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                saved = Some(Instant::now());
                let message = format!("reading {}: {lines} rows", self.params.file_name);
                let progress = Progress { done: lines, message, ..Progress::default() };
                self.ctx.save_now(progress).await.map_err(|e| JobError::Retry(e.into()))?;
            }
        }
    }

    /// Hands the noted problems to the job's results.
    async fn report(
        &self,
        scratch: &Scratch,
        at: &mut Checkpoint,
        counts: &mut BTreeMap<String, u64>,
    ) -> Result<(), JobError> {
        loop {
            let some = scratch.problems_after(at.problems, 500).await.map_err(retry)?;
            let Some((last, _)) = some.last() else { return Ok(()) };
            at.problems = *last;
            let results: Vec<ItemResult> = some.into_iter().map(|(_, result)| result).collect();
            for result in &results {
                *counts.entry(result.outcome.clone()).or_default() += 1;
            }
            let progress = Progress {
                message: "reporting rows that make no product".to_owned(),
                counts: counts.clone(),
                checkpoint: json(at),
                results,
                ..Progress::default()
            };
            self.ctx.save_now(progress).await.map_err(|e| JobError::Retry(e.into()))?;
        }
    }

    /// Writes the staged products, some hundreds in a transaction, each with its events and the
    /// job's progress.
    async fn write(
        &self,
        scratch: &Scratch,
        at: &mut Checkpoint,
        counts: &mut BTreeMap<String, u64>,
        batch: &str,
    ) -> Result<(), JobError> {
        let (total, _) = scratch.counts().await.map_err(retry)?;
        let mut done: u64 = OUTCOMES.iter().filter_map(|outcome| counts.get(*outcome)).sum();
        let mut part = self.part(scratch, at.written).await?;
        while let Some(Part { last, rows, items, lines, mut results }) = part {
            if self.ctx.stopping() {
                return Err(self.ctx.stopped());
            }
            at.written = last;
            let (at, counts) = (&*at, &mut *counts);
            done += rows;
            let write = async {
                let tx = self.app.db.begin().await.map_err(|e| JobError::Retry(e.into()))?;
                let actor = &self.params.actor;
                let told = Told { actor, batch, quiet: false, audited: false };
                let written = write_batch(self.app, &tx, &items, &told, true).await;
                for ((item, line), outcome) in items.iter().zip(lines).zip(written.map_err(retry)?)
                {
                    let (outcome, detail) = match outcome {
                        Ok((Outcome::Unchanged, _)) => {
                            *counts.entry("unchanged".to_owned()).or_default() += 1;
                            continue;
                        }
                        Ok((outcome, product)) => (outcome.as_str(), product.id.to_string()),
                        Err(error) => ("failed", explain(&error)),
                    };
                    let (key, outcome) = (item.sku.to_string(), outcome.to_owned());
                    results.push(ItemResult { position: line, key, outcome, detail });
                }
                for result in &results {
                    *counts.entry(result.outcome.clone()).or_default() += 1;
                }
                self.close(tx, at, counts, results, done, total).await
            };
            // the next ones are made ready while these are written
            ((), part) = futures::try_join!(write, self.part(scratch, last))?;
        }
        Ok(())
    }

    /// Ends a transaction with the job's progress in it; a dry run takes its products back.
    async fn close(
        &self,
        tx: Tx,
        at: &Checkpoint,
        counts: &BTreeMap<String, u64>,
        results: Vec<ItemResult>,
        done: u64,
        total: u64,
    ) -> Result<(), JobError> {
        let message = if self.params.dry_run { "trying products" } else { "writing products" };
        let progress = Progress {
            done,
            total,
            message: message.to_owned(),
            counts: counts.clone(),
            checkpoint: json(at),
            results,
        };
        if self.params.dry_run {
            drop(tx);
            self.ctx.save_now(progress).await.map_err(|e| JobError::Retry(e.into()))?;
        } else {
            self.ctx.save(&tx, progress).await.map_err(|e| JobError::Retry(e.into()))?;
            tx.commit().await.map_err(|e| JobError::Retry(e.into()))?;
            self.app.outbox.wake();
        }
        Ok(())
    }

    /// One entry of the audit for the whole file, by whoever sent it.
    async fn tell(
        &self,
        scratch: &Scratch,
        at: Checkpoint,
        counts: &BTreeMap<String, u64>,
        id: &str,
    ) -> Result<(), JobError> {
        let (total, _) = scratch.counts().await.map_err(retry)?;
        let entry = NewEntry::by_service("catalog", "import.done", format!("job/{id}"));
        let entry = entry.actor(&self.params.actor);
        let entry = counts.iter().fold(entry, |entry, (outcome, n)| entry.change(outcome, 0, n));
        let tx = self.app.db.begin().await.map_err(|e| JobError::Retry(e.into()))?;
        self.app.audit.record(&tx, entry).await?;
        let done = OUTCOMES.iter().filter_map(|outcome| counts.get(*outcome)).sum();
        self.close(tx, &at, counts, Vec::new(), done, total).await
    }

    /// The staged products after a place, ready to be written.
    async fn part(&self, scratch: &Scratch, after: i64) -> Result<Option<Part>, JobError> {
        let staged = scratch.staged_after(after, PRODUCTS_AT_ONCE).await.map_err(retry)?;
        let Some(last) = staged.last().map(|row| row.seq) else { return Ok(None) };
        let mut part = Part { last, rows: staged.len() as u64, ..Part::default() };
        for row in &staged {
            match product(&row.fields, self.currency) {
                Ok((sku, patch)) => {
                    part.items.push(Item { sku, patch: clean(patch) });
                    part.lines.push(row.line);
                }
                Err(refused) => part.results.push(problem(row.line, &row.fields, refused)),
            }
        }
        Ok(Some(part))
    }
}

/// Staged products of one transaction.
#[derive(Default)]
struct Part {
    /// The place of the last one.
    last: i64,
    rows: u64,
    items: Vec<Item>,
    /// Of each item.
    lines: Vec<u64>,
    /// Of those that make no item.
    results: Vec<ItemResult>,
}

const OUTCOMES: [&str; 4] = ["created", "updated", "unchanged", "failed"];

type Rows = Vec<(u64, String, Fields)>;

/// The next thousand rows or so.
fn read(mut source: Source, currency: Currency) -> (Source, Rows, Vec<ItemResult>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    while rows.len() + problems.len() < ROWS_AT_ONCE {
        let Some(some) = source.next() else { break };
        for (line, fields) in some {
            match fields {
                Err(refused) => problems.push(problem(line, &Fields::new(), refused)),
                Ok(fields) => match product(&fields, currency) {
                    Err(refused) => problems.push(problem(line, &fields, refused)),
                    Ok((sku, _)) => rows.push((line, sku.to_string(), said(fields))),
                },
            }
        }
    }
    (source, rows, problems)
}

/// Only what a line really says: an empty cell must not wipe out what an earlier line said of the
/// same SKU.
fn said(mut fields: Fields) -> Fields {
    fields.retain(|name, text| name == "old_price" || !text.trim().is_empty());
    fields
}

fn problem(line: u64, fields: &Fields, refused: Refused) -> ItemResult {
    let (outcome, detail) = match refused {
        Refused::Skipped(why) => ("skipped", why),
        Refused::Bad(why) => ("rejected", why),
    };
    let key: String = fields.get("sku").map(|s| s.chars().take(200).collect()).unwrap_or_default();
    ItemResult { position: line, key, outcome: outcome.to_owned(), detail }
}

/// Descriptions of files may hold HTML: only what formats text is kept.
fn clean(mut patch: crate::domain::product::Patch) -> crate::domain::product::Patch {
    if let Some(description) = &mut patch.description
        && description.contains('<')
    {
        *description = ammonia::clean(description);
    }
    patch
}

fn explain(error: &Error) -> String {
    match error {
        Error::Invalid(violations) => violations
            .iter()
            .map(|v| format!("{} {}", v.field, v.message))
            .collect::<Vec<_>>()
            .join("; "),
        other => other.to_string(),
    }
}

fn json(at: &Checkpoint) -> serde_json::Value {
    serde_json::to_value(at).unwrap_or_default()
}

fn retry(error: Error) -> JobError {
    JobError::Retry(error.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, JobError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| JobError::Retry(e.into()))?;
    done.map_err(JobError::Fatal)
}
