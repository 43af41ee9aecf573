//! What the writer can be asked for.
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, oneshot, watch};

use super::ticket::Ticket;
use crate::Envelope;
use crate::bus::{BusError, Signal};

pub(super) type Done<T> = oneshot::Sender<Result<T, BusError>>;
pub(super) type Writer = mpsc::UnboundedSender<Command>;

/// The channel has no bound of its own: publishing is bounded by permits, settling by what was
/// claimed.
pub(super) enum Command {
    /// Names with their bindings; the bindings replace earlier ones.
    Declare {
        queues: Vec<(String, Vec<String>)>,
        done: Done<()>,
    },
    Publish {
        events: Vec<Outgoing>,
        done: oneshot::Sender<Vec<Result<(), BusError>>>,
        permit: OwnedSemaphorePermit,
    },
    SendTo {
        queue: String,
        event: Box<Outgoing>,
        done: Done<()>,
    },
    /// A queue by its name, for consuming.
    Find {
        queue: String,
        done: Done<Found>,
    },
    Claim {
        queue: usize,
        most: usize,
        done: Done<Claims>,
    },
    Settle(Settlement),
    Subscribe {
        bindings: Vec<String>,
        done: Done<broadcast::Receiver<Signal>>,
    },
    Depth {
        queue: String,
        done: Done<(u64, u64)>,
    },
    Ping {
        done: Done<()>,
    },
}

/// An event with its headers as they are stored.
pub(super) struct Outgoing {
    pub(super) event: Envelope,
    pub(super) headers: String,
}

pub(super) struct Found {
    /// Place of the queue in the writer's list.
    pub(super) queue: usize,
    /// Changes when there may be something to take.
    pub(super) wake: watch::Receiver<()>,
}

pub(super) struct Claims {
    pub(super) rows: Vec<Claimed>,
    /// When the next delayed message is due, if all that was ready was taken.
    pub(super) next_due_us: Option<i64>,
}

/// A message that was taken.
pub(super) struct Claimed {
    pub(super) headers: String,
    pub(super) payload: Vec<u8>,
    pub(super) attempt: u32,
    pub(super) note: Option<String>,
    pub(super) ticket: Ticket,
}

/// What becomes of a claimed message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Ack,
    /// Again from this microsecond on.
    Retry(i64),
    /// With the note (JSON) that stands beside it in the dead letters.
    Park(String),
    /// As if never taken.
    Release,
    /// Again at once; the attempt counts.
    Return,
}

pub(super) struct Settlement {
    pub(super) queue: usize,
    pub(super) message: i64,
    pub(super) outcome: Outcome,
    pub(super) credit: Option<OwnedSemaphorePermit>,
    /// None: nobody waits for it, and it need not hurry.
    pub(super) done: Option<Done<()>>,
}
