//! The right of one runner to work on one job, and the reasons to stop.
use souk_values::JobId;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Every write about a running job names its lease, so that a runner that lost it changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) job: JobId,
    /// New for each claim.
    pub(crate) claim: Uuid,
    /// An admin cancelled the job.
    pub(crate) cancelled: CancellationToken,
    /// Somebody else owns the job, or it is gone.
    pub(crate) lost: CancellationToken,
    /// The process is stopping.
    pub(crate) stop: CancellationToken,
}

/// Why [`JobContext::stopped`](crate::JobContext::stopped) asks for another run that is no retry.
#[derive(Debug, thiserror::Error)]
#[error("the process stopped; the job goes on after the restart")]
pub(crate) struct Interrupted;
