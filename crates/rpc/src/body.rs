//! The body of an answer: a stream that goes on after its handler has returned, still within the
//! call.
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Span;

use crate::context::{self, CallContext};
use crate::failure::{Failure, fresh_id};
use crate::method::{Method, is_fault};

/// A call that has not ended: counted when it does, also when the caller has gone away.
pub(crate) struct Running {
    pub(crate) method: Arc<Method>,
    pub(crate) span: Span,
    pub(crate) started: Instant,
    ended: bool,
}

impl Running {
    pub(crate) fn new(method: Arc<Method>, span: Span, started: Instant) -> Self {
        Self { method, span, started, ended: false }
    }

    pub(crate) fn end(&mut self, code: Code) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.method.count(code, self.started);
        if code != Code::Ok {
            self.span.record("rpc.grpc.status_code", code as i32);
            if souk_telemetry::is_exporting() && is_fault(code) {
                self.span.record("otel.status_code", "ERROR");
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

/// Polls the handler's stream in the call's context and span; a panic ends this stream and nothing
/// else.
pub(crate) struct GuardedBody {
    pub(crate) body: Body,
    pub(crate) context: Arc<CallContext>,
    pub(crate) running: Running,
    /// Given back when the stream has ended.
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let body = Pin::new(&mut this.body);
        let poll = AssertUnwindSafe(|| context::enter(&this.context, || body.poll_frame(cx)));
        let polled = this.running.span.in_scope(|| catch_unwind(poll));
        match polled {
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                if let Some(code) = frame.trailers_ref().and_then(code_of) {
                    this.running.end(code);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Ok(Poll::Ready(Some(Err(status)))) => {
                this.running.end(status.code());
                Poll::Ready(Some(Err(status)))
            }
            Ok(other) => other,
            Err(panic) => {
                let status = this.running.span.in_scope(|| panicked(panic.as_ref()));
                this.running.end(status.code());
                this.body = Body::empty();
                Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The `grpc-status` of headers or trailers.
pub(crate) fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // only metadata could fail, and there is none
    let _ = status.add_header(&mut headers);
    headers
}

/// Logs a panic once; the caller learns an id.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Status {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let id = fresh_id();
    tracing::error!(id, panic = text.unwrap_or("of another type"), "handler panicked");
    Failure::internal_with(&id).into()
}
