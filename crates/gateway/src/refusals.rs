//! What the gateway refuses before any service is asked: told to accounts, which keeps the security
//! log. Never waits for it, and never keeps much.
use std::time::Duration;

use http::StatusCode;
use souk_proto::operations::v1::operations_service_client::OperationsServiceClient;
use souk_proto::operations::v1::{NoteRefusalsRequest, RefusedRequest};
use souk_rpc::{CallContext, Transport};
use souk_values::UserId;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::http::request_id;

/// Refusals that may wait.
const ROOM: usize = 1_000;
/// Refusals of one call.
const TOGETHER: usize = 500;
/// Others that come meanwhile share the call.
const GATHER: Duration = Duration::from_millis(100);

/// Where refusals are put. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Refusals {
    sender: mpsc::Sender<RefusedRequest>,
}

/// The other end.
pub(crate) struct Refused {
    receiver: mpsc::Receiver<RefusedRequest>,
}

/// Where they are put, and where they come out.
pub(crate) fn channel() -> (Refusals, Refused) {
    let (sender, receiver) = mpsc::channel(ROOM);
    (Refusals { sender }, Refused { receiver })
}

impl Refusals {
    /// Somebody who may not (403), or whose proof is none (401). `route` is "GET /api/orders/{id}".
    pub(crate) fn tell(
        &self,
        context: &CallContext,
        user: Option<UserId>,
        route: String,
        status: StatusCode,
    ) {
        let reason = match status {
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::UNAUTHORIZED => "unauthenticated",
            _ => return,
        };
        let refused = RefusedRequest {
            actor: user.map(|id| id.to_string()).unwrap_or_default(),
            address: context.client.as_deref().unwrap_or_default().to_owned(),
            route,
            reason: reason.to_owned(),
            trace_id: request_id::trace_of(context),
        };
        if self.sender.try_send(refused).is_err() {
            metrics::counter!("http_refusals_lost_total").increment(1);
        }
    }
}

impl Refused {
    /// Hands them over until `stop`, and what is left then.
    pub(crate) async fn run(
        mut self,
        mut accounts: OperationsServiceClient<Transport>,
        stop: CancellationToken,
    ) {
        loop {
            let mut items = Vec::new();
            tokio::select! {
                () = stop.cancelled() => {}
                first = self.receiver.recv() => {
                    items.extend(first);
                    tokio::time::sleep(GATHER).await;
                }
            }
            while items.len() < TOGETHER
                && let Ok(next) = self.receiver.try_recv()
            {
                items.push(next);
            }
            let n = items.len();
            if n > 0
                && let Err(status) = accounts.note_refusals(NoteRefusalsRequest { items }).await
            {
                // a service that is away must not make the gateway keep everything
                metrics::counter!("http_refusals_lost_total").increment(n as u64);
                tracing::warn!(code = ?status.code(), n, "refusals could not be told");
            }
            if stop.is_cancelled() && n < TOGETHER {
                return;
            }
        }
    }
}
