//! The postman's day: as many letters at once as there are slots, so that a slow one delays no
//! other.
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Postman;
use crate::error::Error;
use crate::store::letter;

/// Without any wake-up a letter waits no longer than that.
const POLL: Duration = Duration::from_secs(1);

/// How long letters on their way may take when the process stops; an attempt is shorter.
const LAST_LETTERS: Duration = Duration::from_secs(12);

impl Postman {
    /// Until `stop`; what is on its way is finished.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        if let Err(error) = self.take_over().await {
            tracing::error!(error = ?error, "letters of the last run not released");
        }
        let mut on_their_way = JoinSet::new();
        let mut hurry = true;
        while !stop.is_cancelled() {
            let free = self.slots.saturating_sub(on_their_way.len());
            let taken = self.take(free, hurry).await;
            let all_taken = taken.len() == free;
            for letter in taken {
                let postman = Arc::clone(&self);
                on_their_way.spawn(async move { postman.carry(letter).await });
            }
            hurry = tokio::select! {
                () = stop.cancelled() => false,
                // while every slot was filled there may be more to take
                Some(_) = on_their_way.join_next(), if all_taken => true,
                () = self.app.woken(), if !all_taken => true,
                () = tokio::time::sleep(POLL), if !all_taken => false,
            };
            while on_their_way.try_join_next().is_some() {}
        }
        let last = async { while on_their_way.join_next().await.is_some() {} };
        if tokio::time::timeout(LAST_LETTERS, last).await.is_err() {
            tracing::warn!("letters on their way were left");
        }
    }

    /// Letters that are due. Without `hurry` it looks before it writes: an idle postman writes
    /// nothing.
    async fn take(&self, free: usize, hurry: bool) -> Vec<letter::Model> {
        let taken = async {
            if free == 0 || !(hurry || self.is_due().await?) {
                return Ok(Vec::new());
            }
            self.claim(free).await
        };
        taken.await.unwrap_or_else(|error: Error| {
            tracing::error!(error = ?error, "letters cannot be taken");
            Vec::new()
        })
    }

    async fn is_due(&self) -> Result<bool, Error> {
        let next = letter::next_due(self.app.db.read()).await?;
        Ok(next.is_some_and(|at| at <= self.app.clock.now()))
    }

    /// At the start of the only process there is, letters of the one before can go at once, if a
    /// repeat cannot double them.
    pub async fn take_over(&self) -> Result<(), Error> {
        if self.mail.repeats_safely() && !self.app.db.is_postgres() {
            let letters = letter::release(self.app.db.write(), self.app.clock.now()).await?;
            if letters > 0 {
                tracing::info!(letters, "letters of the last run released");
            }
        }
        Ok(())
    }
}
