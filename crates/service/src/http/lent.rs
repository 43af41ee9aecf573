//! A request's body that its server gets back.
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::timeout;

/// Of a body that nobody wanted, so much is read for the sake of the answer.
const MOST_UNWANTED: usize = 8 * 1024 * 1024;
/// And for so long.
const LONGEST: Duration = Duration::from_secs(5);

/// A request's body, lent to a service.
pub struct Lent {
    /// Nothing: there is no body.
    body: Option<Arc<Mutex<State<Incoming>>>>,
}

/// The server's side of a [`Lent`].
pub(super) struct Lender<B = Incoming> {
    state: Arc<Mutex<State<B>>>,
    /// The client sends the body only when somebody begins to read it (`Expect: 100-continue`).
    waits: bool,
}

struct State<B> {
    body: B,
    is_begun: bool,
    is_over: bool,
}

impl Lent {
    pub(super) fn new(body: Incoming, waits: bool) -> (Self, Option<Lender>) {
        if body.is_end_stream() {
            return (Self { body: None }, None);
        }
        let state = Arc::new(Mutex::new(State { body, is_begun: false, is_over: false }));
        (Self { body: Some(state.clone()) }, Some(Lender { state, waits }))
    }
}

impl<B: Body<Data = Bytes> + Unpin> State<B> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.is_begun = true;
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.is_over |= matches!(frame, Poll::Ready(None | Some(Err(_))));
        frame
    }
}

impl<B: Body<Data = Bytes> + Unpin> Lender<B> {
    /// Reads what is left. False: it is too much, or comes too slowly, or was never asked for.
    pub(super) async fn finish(self) -> bool {
        let mut left = MOST_UNWANTED;
        let rest = std::future::poll_fn(|cx| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if state.is_over || state.body.is_end_stream() {
                    return Poll::Ready(true);
                }
                if self.waits && !state.is_begun {
                    return Poll::Ready(false);
                }
                match state.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(Ok(frame))) => {
                        let size = frame.data_ref().map_or(0, Bytes::len);
                        match left.checked_sub(size) {
                            Some(less) => left = less,
                            None => return Poll::Ready(false),
                        }
                    }
                    Poll::Ready(None | Some(Err(_))) => return Poll::Ready(true),
                }
            }
        });
        timeout(LONGEST, rest).await.unwrap_or(false)
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &self.body {
            None => Poll::Ready(None),
            Some(state) => state.lock().unwrap_or_else(PoisonError::into_inner).poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|state| {
            state.lock().unwrap_or_else(PoisonError::into_inner).body.is_end_stream()
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(
            || SizeHint::with_exact(0),
            |state| state.lock().unwrap_or_else(PoisonError::into_inner).body.size_hint(),
        )
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn lender(body: Vec<u8>, waits: bool, is_begun: bool) -> Lender<Full<Bytes>> {
        let body = Full::new(Bytes::from(body));
        let state = Arc::new(Mutex::new(State { body, is_begun, is_over: false }));
        Lender { state, waits }
    }

    #[tokio::test]
    async fn what_is_left_is_read_up_to_a_bound() {
        assert!(lender(vec![0; 100], false, false).finish().await);
        assert!(lender(vec![0; MOST_UNWANTED], false, true).finish().await);
        assert!(!lender(vec![0; MOST_UNWANTED + 1], false, true).finish().await);
    }

    #[tokio::test]
    async fn a_client_that_waits_for_a_word_is_not_told_to_send() {
        assert!(!lender(vec![0; 100], true, false).finish().await);
        assert!(lender(vec![0; 100], true, true).finish().await);
    }
}
