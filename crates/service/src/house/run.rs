//! What a process does besides answering, and how it ends.
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::BoxFuture;
use souk_audit::Audit;
use souk_events::{Bus, QueueSpec, Relay};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::build::Prepared;
use super::{House, Phases, Tasks};
use crate::Schedule;

/// Declares the topology; when the broker is away, goes on trying beside the start.
pub(super) async fn declare(
    bus: &Arc<dyn Bus>,
    queues: &'static [QueueSpec],
    tasks: &Tasks,
    phases: &Phases,
) {
    let Err(error) = bus.declare(queues).await else { return };
    tracing::warn!(%error, "bus away at start, declaring later");
    let (bus, stop) = (bus.clone(), phases.work.clone());
    tasks.work.spawn(async move {
        let mut wait = Duration::from_millis(200);
        while bus.declare(queues).await.is_err() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(Duration::from_secs(2)),
            }
        }
        tracing::info!("bus is back, queues declared");
    });
}

/// Starts relays, consumers, jobs, schedules and tasks of all services.
pub(super) fn begin(prepared: Vec<Prepared>, bus: &Arc<dyn Bus>, phases: &Phases, tasks: &Tasks) {
    for Prepared { name, parts, frame, dead_letters } in prepared {
        if let (Some(db), Some(jobs)) = (frame.inner.db.clone(), frame.inner.jobs.clone()) {
            let relay = Relay::new(db.clone(), bus.clone(), frame.outbox());
            tasks.relays.spawn(relay.run(phases.relays.clone()));
            let queues: Vec<&'static str> = parts.consumers.iter().map(|c| c.queue).collect();
            for consumer in parts.consumers {
                tasks.work.spawn(consumer.run(db.clone(), bus.clone(), phases.work.clone()));
            }
            if let Some(dead_letters) = dead_letters {
                tasks.work.spawn(dead_letters.run(queues, phases.work.clone()));
            }
            tasks.work.spawn(jobs.run(parts.jobs, phases.work.clone()));
        }
        if let Some(audit) = frame.inner.audit.clone() {
            let days = frame.settings().audit.retention_days;
            tasks.work.spawn(repeat(name, retention(audit.clone(), days), phases.work.clone()));
            tasks.audits.spawn(audit.run(phases.audits.clone()));
        }
        for schedule in parts.schedules {
            tasks.work.spawn(repeat(name, schedule, phases.work.clone()));
        }
        for (_, task) in parts.tasks {
            tasks.work.spawn(task(phases.work.clone()));
        }
    }
}

/// Old entries of the audit go a while after their time, not at once.
fn retention(audit: Audit, days: u32) -> Schedule {
    let run = move || -> BoxFuture<'static, anyhow::Result<()>> {
        let audit = audit.clone();
        Box::pin(async move { Ok(audit.trim(days).await.map(drop)?) })
    };
    Schedule { name: "audit retention", every: Duration::from_secs(3600), run: Arc::new(run) }
}

async fn repeat(service: &'static str, schedule: Schedule, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(schedule.every) => {}
        }
        if let Err(error) = (schedule.run)().await {
            tracing::error!(service, schedule = schedule.name, %error, "scheduled work failed");
        }
    }
}

impl House {
    /// Works until `signal` completes, then stops in order. Answers whether everything ended by
    /// itself in time.
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> bool {
        signal.await;
        self.stop().await
    }

    /// Stops in order: nothing that was accepted is lost.
    pub async fn stop(self) -> bool {
        self.ready.stopping.store(true, Ordering::SeqCst);
        tokio::time::sleep(self.delay).await;
        self.phases.doors.cancel();
        let mut clean = ended("doors", &self.tasks.doors, self.drain).await;
        self.phases.work.cancel();
        clean &= ended("work", &self.tasks.work, Duration::from_secs(5)).await;
        // what the work still did is sealed, what was refused is written
        self.phases.audits.cancel();
        clean &= ended("audits", &self.tasks.audits, Duration::from_secs(6)).await;
        self.phases.relays.cancel();
        clean &= ended("relays", &self.tasks.relays, Duration::from_secs(6)).await;
        for built in self.built.into_values() {
            if let Some(db) = built.db {
                // statements still running keep their connection; the file is consistent either way
                let _ = tokio::time::timeout(Duration::from_secs(2), db.close()).await;
            }
        }
        clean
    }
}

async fn ended(phase: &'static str, tasks: &TaskTracker, limit: Duration) -> bool {
    tasks.close();
    let ended = tokio::time::timeout(limit, tasks.wait()).await.is_ok();
    if !ended {
        tracing::warn!(phase, left = tasks.len(), "did not end in time");
    }
    ended
}
