//! How long a connection may keep its server waiting: little inside of a head, long between two requests.
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// For the whole head of a request (slow-loris).
    pub(super) head: Duration,
    /// Between two requests, and to take anything of an answer.
    pub(super) idle: Duration,
}

/// Told by the server when it has a whole request, and when it has answered it.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Turn {
    /// The client waits for us.
    pub(super) fn ours(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// We wait for the client, who has sent everything of the last request.
    pub(super) fn theirs(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn is_ours(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that ends, as if its client had closed it, when the patience with it is over.
pub(super) struct Patient<IO> {
    io: IO,
    turn: Turn,
    times: Times,
    /// A part of a head has come.
    in_head: bool,
    /// It is the client's turn since a while; the end of that while.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<IO> Patient<IO> {
    pub(super) fn new(io: IO, turn: Turn, times: Times) -> Self {
        Self { io, turn, times, in_head: true, waiting: None }
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let patience = if self.in_head { self.times.head } else { self.times.idle };
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        waiting.as_mut().poll(context).is_ready()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Patient<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(context, buffer);
        if this.turn.is_ours() {
            (this.in_head, this.waiting) = (false, None);
            return read;
        }
        match read {
            Poll::Ready(read) => {
                if buffer.filled().len() > before && !this.in_head {
                    (this.in_head, this.waiting) = (true, None);
                }
                Poll::Ready(read)
            }
            // Nothing was read: an end.
            Poll::Pending if this.is_over(context) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Patient<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        this.took(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(context, slices);
        this.took(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

impl<IO> Patient<IO> {
    /// A client that takes its answer is not idle; one that sends a head meanwhile has only its head's time.
    fn took(&mut self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) && !self.in_head {
            self.waiting = None;
        }
    }
}

#[cfg(test)]
mod tests;
