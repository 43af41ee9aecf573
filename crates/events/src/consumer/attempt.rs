//! One attempt at a batch: prepare, then inbox and effect in one transaction.
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use souk_storage::{Database, Tx};

use super::inbox::Inbox;
use super::{HandleError, Handler};
use crate::{Envelope, crash};

/// A handler that has not answered by then has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A [`Handler`] without its type.
#[async_trait::async_trait]
pub(super) trait Attempt: Send + Sync {
    /// Answers how many of the events were new. After an error nothing of it has happened.
    async fn attempt(
        &self,
        db: &Database,
        inbox: &Inbox,
        events: &[Envelope],
    ) -> Result<usize, HandleError>;
}

#[async_trait::async_trait]
impl<H: Handler> Attempt for H {
    async fn attempt(
        &self,
        db: &Database,
        inbox: &Inbox,
        events: &[Envelope],
    ) -> Result<usize, HandleError> {
        let ready = guarded(self.prepare(events)).await?;
        let tx = db.begin().await?;
        let effect = effect(self, &tx, inbox, events, ready).await;
        let new = match effect {
            Ok(new) => new,
            Err(error) => {
                if let Err(error) = tx.rollback().await {
                    tracing::debug!(error = %error, "rollback failed");
                }
                return Err(error);
            }
        };
        crash::point("consumer.handled");
        tx.commit().await?;
        crash::point("consumer.committed");
        if new > 0
            && let Err(error) = guarded(async {
                self.committed();
                Ok(())
            })
            .await
        {
            tracing::error!(error = %error, "work after the commit failed");
        }
        Ok(new)
    }
}

async fn effect<H: Handler>(
    handler: &H,
    tx: &Tx,
    inbox: &Inbox,
    events: &[Envelope],
    ready: H::Ready,
) -> Result<usize, HandleError> {
    let new = inbox.claim(tx, events).await?;
    if !new.is_empty() {
        guarded(handler.handle(tx, &new, ready)).await?;
    }
    Ok(new.len())
}

/// A panic or a hang of the handler as its failure.
async fn guarded<T>(work: impl Future<Output = Result<T, HandleError>>) -> Result<T, HandleError> {
    let work = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(HandleError::Failed(anyhow::anyhow!("panic: {}", said(&*panic)))),
        Err(_) => Err(HandleError::Failed(anyhow::anyhow!("no answer within {PATIENCE:?}"))),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a word")
}
