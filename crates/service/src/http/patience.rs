//! How long a connection may keep its server waiting: little inside of a head, long between two requests.
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::HttpBounds;

/// Of what still comes from a client whose head was refused, so much is read after the answer, for so long: an unread
/// byte would make the kernel take the answer back.
const MOST_AFTER: usize = 1024 * 1024;
const LONGEST_AFTER: Duration = Duration::from_secs(2);

/// Told by the server when it has a whole request, and when it has answered it. Counts both: odd is our turn.
#[derive(Clone, Default)]
pub(super) struct Turn(Arc<AtomicU64>);

impl Turn {
    /// The client waits for us.
    pub(super) fn ours(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// We wait for the client, who has sent everything of the last request.
    pub(super) fn theirs(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that ends, as if its client had closed it, when the patience with it is over.
pub(super) struct Patient<IO> {
    io: IO,
    turn: Turn,
    bounds: HttpBounds,
    /// As far as the turns were seen.
    turns: u64,
    /// A part of a head has come.
    in_head: bool,
    /// It is the client's turn since a while; the end of that while.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Something was said to a head that never became a request.
    refused: bool,
    /// Read after the end of our side.
    after: usize,
}

impl<IO> Patient<IO> {
    pub(super) fn new(io: IO, turn: Turn, bounds: HttpBounds) -> Self {
        let (turns, in_head, waiting) = (0, true, None);
        Self { io, turn, bounds, turns, in_head, waiting, refused: false, after: 0 }
    }

    fn is_ours(&mut self) -> bool {
        let turns = self.turn.0.load(Ordering::Relaxed);
        if turns != self.turns {
            (self.turns, self.in_head, self.waiting) = (turns, false, None);
        }
        !turns.is_multiple_of(2)
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let patience = if self.in_head { self.bounds.head_time } else { self.bounds.idle_time };
        self.has_waited(patience, context)
    }

    fn has_waited(&mut self, patience: Duration, context: &mut Context<'_>) -> bool {
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + patience)));
        waiting.as_mut().poll(context).is_ready()
    }

    /// A client that takes its answer is not idle; one that sends a head meanwhile has only its head's time.
    fn took(&mut self, written: &Poll<io::Result<usize>>, context: &mut Context<'_>) {
        if !matches!(written, Poll::Ready(Ok(1..))) || self.is_ours() {
            return;
        }
        if self.in_head {
            self.refused = true;
            return;
        }
        self.waiting = None;
        // a server that has asked for bytes before does not ask again until it is woken
        let _ = self.is_over(context);
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
        if this.is_ours() {
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

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(context, bytes);
        this.took(&written, context);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(context, slices);
        this.took(&written, context);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.refused {
            return Pin::new(&mut this.io).poll_shutdown(context);
        }
        if this.after == 0 {
            ready!(Pin::new(&mut this.io).poll_shutdown(context))?;
            (this.after, this.waiting) = (1, None);
        }
        this.poll_hear_out(context)
    }
}

impl<IO: AsyncRead + Unpin> Patient<IO> {
    fn poll_hear_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut unwanted = [MaybeUninit::uninit(); 8 * 1024];
        loop {
            let mut buffer = ReadBuf::uninit(&mut unwanted);
            if self.has_waited(LONGEST_AFTER, context) {
                return Poll::Ready(Ok(()));
            }
            // who reset the connection wants nothing of us either
            let Ok(()) = ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer)) else {
                return Poll::Ready(Ok(()));
            };
            let read = buffer.filled().len();
            self.after += read;
            if read == 0 || self.after > MOST_AFTER {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
