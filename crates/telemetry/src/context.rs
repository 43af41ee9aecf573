//! W3C trace context of spans, with and without an exporter.
//!
//! With one, ids are OpenTelemetry's. Without one they are made when somebody asks for them and
//! kept in the span's extensions, so that a span which nobody asks costs nothing more.
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// The W3C `traceparent` of the current span, if it is part of a trace.
pub fn traceparent() -> Option<String> {
    current().map(|ids| ids.to_string())
}

/// Makes the span of a remote caller the parent of `span`. Text that is no `traceparent` changes
/// nothing.
pub fn set_parent(span: &Span, traceparent: &str) {
    let Some(ids) = Ids::parse(traceparent) else { return };
    let context = Context::new().with_remote_span_context(ids.into());
    if span.set_parent(context).is_err() {
        with_registered(span, |span| {
            span.extensions_mut().replace(Parent(ids));
        });
    }
}

/// Links `span` to the trace that caused it (events: a letter retried for hours must not stretch
/// the request's trace).
pub fn link(span: &Span, traceparent: &str) {
    if let Some(ids) = Ids::parse(traceparent) {
        span.add_link(ids.into());
    }
}

/// The trace id of the current span, 32 hexadecimal digits; for problem+json and letters.
pub fn trace_id() -> Option<String> {
    current().map(|ids| ids.trace.to_string())
}

/// Whether spans leave this process. Facts that only a collector wants need not be recorded
/// otherwise.
pub fn is_exporting() -> bool {
    EXPORTING.load(Ordering::Relaxed)
}

pub(crate) static EXPORTING: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    trace: TraceId,
    span: SpanId,
    flags: TraceFlags,
}

/// In a span's extensions: the ids of its parent in another process, and its own.
struct Parent(Ids);
struct Own(Ids);

fn current() -> Option<Ids> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let exported = context.span().span_context().clone();
    if exported.is_valid() {
        let (trace, span, flags) =
            (exported.trace_id(), exported.span_id(), exported.trace_flags());
        return Some(Ids { trace, span, flags });
    }
    with_registered(&span, own)
}

/// The ids of a span, made on demand: the trace is that of the nearest ancestor which has one, else
/// a new one, which the outermost span keeps for all below it.
fn own(span: SpanRef<'_, Registry>) -> Ids {
    if let Some(Own(ids)) = span.extensions().get() {
        return *ids;
    }
    let inherited = span.extensions().get().map(|Parent(ids)| *ids);
    let made = RandomIdGenerator::default();
    let (trace, flags) = match (inherited, span.parent()) {
        (Some(parent), _) => (parent.trace, parent.flags),
        (None, Some(parent)) => {
            let parent = own(parent);
            (parent.trace, parent.flags)
        }
        (None, None) => (made.new_trace_id(), TraceFlags::default()),
    };
    let ids = Ids { trace, span: made.new_span_id(), flags };
    let mut extensions = span.extensions_mut();
    match extensions.get_mut() {
        // another thread was faster
        Some(Own(ids)) => *ids,
        None => {
            extensions.insert(Own(ids));
            ids
        }
    }
}

fn with_registered<R>(span: &Span, run: impl FnOnce(SpanRef<'_, Registry>) -> R) -> Option<R> {
    let found = span.with_subscriber(|(id, subscriber)| {
        subscriber.downcast_ref::<Registry>()?.span(id).map(run)
    });
    found.flatten()
}

impl Ids {
    /// Version 00 exactly; of later versions the part that is as in 00.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sizes = (version.len(), trace.len(), span.len(), flags.len()) == (2, 32, 16, 2);
        let lower_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        let hex = [version, trace, span, flags].iter().all(|p| p.bytes().all(lower_hex));
        let known = version == "00" && parts.next().is_none() || version > "00" && version != "ff";
        if !sizes || !hex || !known {
            return None;
        }
        let ids = Self {
            trace: TraceId::from_hex(trace).ok()?,
            span: SpanId::from_hex(span).ok()?,
            flags: TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
        };
        (ids.trace != TraceId::INVALID && ids.span != SpanId::INVALID).then_some(ids)
    }
}

impl From<Ids> for SpanContext {
    fn from(ids: Ids) -> Self {
        Self::new(ids.trace, ids.span, ids.flags, true, TraceState::default())
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, self.flags)
    }
}

#[cfg(test)]
mod tests;
