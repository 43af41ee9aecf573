//! The first words of a connection: who opens one and says nothing does not keep it.
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// For the words that begin HTTP/2, not for more.
const PATIENCE: Duration = Duration::from_secs(5);
/// As long as `PRI * HTTP/2.0 …`.
const WORDS: usize = 24;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A connection that breaks when its first words do not come in time. We speak meanwhile: callers
/// may wait for that before they say anything.
pub(crate) struct Greeted {
    stream: Box<dyn Stream>,
    /// Until they have come.
    waiting: Option<Waiting>,
}

struct Waiting {
    missing: usize,
    until: Pin<Box<Sleep>>,
}

impl Greeted {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        let until = Box::pin(tokio::time::sleep(PATIENCE));
        Self { stream, waiting: Some(Waiting { missing: WORDS, until }) }
    }
}

impl AsyncRead for Greeted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, waiting } = &mut *self;
        let before = buf.filled().len();
        let read = Pin::new(stream).poll_read(cx, buf);
        let Some(first) = waiting else { return read };
        first.missing = first.missing.saturating_sub(buf.filled().len() - before);
        if first.missing == 0 {
            *waiting = None;
        } else if read.is_pending() && first.until.as_mut().poll(cx).is_ready() {
            let silent = io::Error::new(io::ErrorKind::TimedOut, "said nothing for 5 s");
            return Poll::Ready(Err(silent));
        }
        read
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
