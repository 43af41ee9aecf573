//! The threads that compute password hashes: one per core, and behind everything else that wants
//! one. Two hundred people who log in at once wait for one another, and the shop does not wait for
//! them. A crowd that could not be served in time is told so at once.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::Error;

/// Who waits longer for a core is told to come again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// For each core so many wait: a hash takes some 20 ms, so whoever came behind them would wait longer
/// than [`PATIENCE`].
const ROOM: usize = 100;

/// How far behind others they stand, as `nice` counts it: with a core to themselves they lose
/// nothing.
#[cfg(target_os = "linux")]
const BEHIND: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that live as long as this.
pub(crate) struct Hashers {
    work: Sender<Work>,
    free: Arc<Semaphore>,
    /// Places to wait in.
    room: Semaphore,
    patience: Duration,
}

impl Hashers {
    pub(crate) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::with(cores, cores * ROOM, PATIENCE)
    }

    /// So many threads; so many wait for one, and so long.
    pub(crate) fn with(threads: usize, room: usize, patience: Duration) -> io::Result<Self> {
        let (work, ahead) = channel();
        let ahead = Arc::new(Mutex::new(ahead));
        for _ in 0..threads {
            let ahead = ahead.clone();
            thread::Builder::new().name("hasher".to_owned()).spawn(move || go_on(&ahead))?;
        }
        let (free, room) = (Arc::new(Semaphore::new(threads)), Semaphore::new(room));
        Ok(Self { work, free, room, patience })
    }

    /// Runs `work` when a thread is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let free = self.free_thread().await?;
        let (tell, told) = oneshot::channel();
        let work = move || {
            // kept by the work itself: a caller who goes away does not free a thread that still
            // computes
            let _free = free;
            // the caller may have gone
            let _ = tell.send(work());
        };
        self.work.send(Box::new(work)).map_err(|e| Error::Hashing(e.to_string().into()))?;
        told.await.map_err(|e| Error::Hashing(e.into()))?
    }

    /// Whoever comes now finds no place to wait: to be asked before anything else is done for them.
    pub(crate) fn is_full(&self) -> bool {
        self.free.available_permits() == 0 && self.room.available_permits() == 0
    }

    async fn free_thread(&self) -> Result<OwnedSemaphorePermit, Error> {
        if let Ok(free) = self.free.clone().try_acquire_owned() {
            return Ok(free);
        }
        let _place = self.room.try_acquire().map_err(|_| Error::Busy)?;
        let free = timeout(self.patience, self.free.clone().acquire_owned()).await;
        free.map_err(|_| Error::Busy)?.map_err(|e| Error::Hashing(e.into()))
    }
}

fn go_on(ahead: &Mutex<Receiver<Work>>) {
    step_back();
    loop {
        // in a statement of its own: the next thread may look while this one computes
        let next = ahead.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // who waits for it hears that nobody answers any more
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

/// Elsewhere a priority is the whole process's.
#[cfg(not(target_os = "linux"))]
fn step_back() {}

/// On Linux a thread has a priority of its own.
#[cfg(target_os = "linux")]
fn step_back() {
    if let Err(error) = rustix::process::nice(BEHIND) {
        tracing::debug!(%error, "hashes are computed at the priority of everything else");
    }
}

#[cfg(test)]
mod tests;
