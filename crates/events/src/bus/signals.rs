//! The listening end of a temporary subscription: a bounded buffer that tells when it overflowed.
use futures::stream::{BoxStream, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};

use super::Signal;

/// Signals kept for a listener that is slow; then the oldest go, and it hears a [`Signal::Gap`].
pub(super) const KEPT: usize = 1024;

/// Ends when the sending end is gone.
pub(super) fn stream(heard: broadcast::Receiver<Signal>) -> BoxStream<'static, Signal> {
    futures::stream::unfold(heard, |mut heard| async move {
        match heard.recv().await {
            Ok(signal) => Some((signal, heard)),
            Err(RecvError::Lagged(_)) => Some((Signal::Gap, heard)),
            Err(RecvError::Closed) => None,
        }
    })
    .boxed()
}
