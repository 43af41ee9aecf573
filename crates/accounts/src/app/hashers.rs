//! The threads that compute password hashes: one per core, and behind everything else that wants
//! one. Two hundred people who log in at once wait for one another, and the shop does not wait for
//! them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::Error;

/// Who waits longer for a core is told to come again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How far behind others they stand, as `nice` counts it: with a core to themselves they lose
/// nothing.
#[cfg(target_os = "linux")]
const BEHIND: i32 = 10;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that live as long as this.
pub(crate) struct Hashers {
    work: Sender<Work>,
    free: Arc<Semaphore>,
}

impl Hashers {
    pub(crate) fn start() -> io::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (work, ahead) = channel();
        let ahead = Arc::new(Mutex::new(ahead));
        for _ in 0..cores {
            let ahead = ahead.clone();
            thread::Builder::new().name("hasher".to_owned()).spawn(move || go_on(&ahead))?;
        }
        Ok(Self { work, free: Arc::new(Semaphore::new(cores)) })
    }

    /// Runs `work` when a thread is free.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let free = timeout(PATIENCE, self.free.clone().acquire_owned()).await;
        let free = free.map_err(|_| Error::Busy)?.map_err(|e| Error::Hashing(e.into()))?;
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
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn no_more_run_at_once_than_there_are_cores() {
        let hashers = Hashers::start().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs = (0..100).map(|number| {
            let (now, most) = (now.clone(), most.clone());
            hashers.run(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(number)
            })
        });
        let done: Vec<usize> = join_all(jobs).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
        let cores = thread::available_parallelism().map_or(1, usize::from);
        assert!(most.load(Ordering::SeqCst) <= cores);
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_its_thread_goes_on() {
        let hashers = Hashers::start().unwrap();
        for _ in 0..50 {
            let broken = hashers.run(|| -> Result<(), Error> { panic!("a bug") }).await;
            assert!(matches!(broken, Err(Error::Hashing(_))));
        }
        assert_eq!(hashers.run(|| Ok(7)).await.unwrap(), 7);
    }
}
