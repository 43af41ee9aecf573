//! Who else is at work in this process while an event is tried. When a process dies it is not said
//! of which event: only one that had no company can be blamed.
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Attempts of all consumers of the process, whatever their service and queue.
static AT_WORK: RwLock<()> = RwLock::const_new(());

/// Held for the time of an attempt.
pub(super) enum Company {
    Some { _with_others: RwLockReadGuard<'static, ()> },
    None { _before_others: RwLockWriteGuard<'static, ()> },
}

impl Company {
    /// Beside the attempts of other consumers.
    pub(super) async fn some() -> Self {
        Self::Some { _with_others: AT_WORK.read().await }
    }

    /// Waits until the attempts of other consumers have ended; the next ones wait.
    pub(super) async fn none() -> Self {
        Self::None { _before_others: AT_WORK.write().await }
    }
}
