//! Bodies that do not come: a client has some seconds, and one more for each piece that it sent.
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// So many bytes a second are quick enough.
const PIECE: u64 = 16 * 1024;

/// Whether a body was cut for being slow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that breaks off when waiting for it took too long. Time that nobody asked for more does not count.
struct Timed {
    body: Body,
    patience: Duration,
    came: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    cut: Cut,
}

/// The client was too slow.
#[derive(Debug)]
struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body came too slowly")
    }
}

impl std::error::Error for TooSlow {}

/// The body within its time.
pub(crate) fn timed(body: Body, patience: Duration) -> (Body, Cut) {
    let cut = Cut::default();
    if http_body::Body::is_end_stream(&body) {
        return (body, cut);
    }
    let timed =
        Timed { body, patience, came: 0, waited: Duration::ZERO, waiting: None, cut: cut.clone() };
    (Body::new(timed), cut)
}

impl Timed {
    /// What is left of the time for waiting.
    fn left(&self) -> Duration {
        let earned = Duration::from_secs(self.came / PIECE);
        (self.patience + earned).saturating_sub(self.waited)
    }
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            if let Some((since, _)) = this.waiting.take() {
                this.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame {
                this.came += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            return Poll::Ready(frame);
        }
        let left = this.left();
        let start = || (Instant::now(), Box::pin(tokio::time::sleep(left)));
        let (_, sleep) = this.waiting.get_or_insert_with(start);
        ready!(sleep.as_mut().poll(cx));
        this.cut.0.store(true, Ordering::Relaxed);
        Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::StreamExt;

    use super::*;

    /// Pieces of so many bytes, one every so often.
    fn dripping(pieces: usize, bytes: usize, every: Duration) -> Body {
        let drops = futures::stream::iter(0..pieces).then(move |_| async move {
            tokio::time::sleep(every).await;
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; bytes]))
        });
        Body::from_stream(drops)
    }

    async fn read(body: Body, patience: u64) -> (Option<usize>, bool) {
        let (body, cut) = timed(body, Duration::from_secs(patience));
        let bytes = axum::body::to_bytes(body, usize::MAX).await;
        (bytes.ok().map(|bytes| bytes.len()), cut.happened())
    }

    #[tokio::test(start_paused = true)]
    async fn one_byte_a_second_is_cut_in_the_end() {
        let started = Instant::now();
        let body = dripping(60, 1, Duration::from_secs(1));
        assert_eq!(read(body, 10).await, (None, true));
        assert_eq!(started.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_cut_and_haste_is_not() {
        let silent = Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(read(silent, 10).await, (None, true));
        assert_eq!(read(Body::from("at once"), 10).await, (Some(7), false));
        assert_eq!(read(Body::empty(), 10).await, (Some(0), false));
        // a large file over a slow line
        let long = dripping(100, 20_000, Duration::from_secs(1));
        assert_eq!(read(long, 10).await, (Some(2_000_000), false));
    }
}
