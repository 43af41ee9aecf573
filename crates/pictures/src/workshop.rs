//! Where pictures are made anew, one after the other.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{MAX_BYTES, Picture, PictureError, pixels};

/// Makes one picture at a time: each may take a second of a core and 256 MiB. Cheap to clone; the
/// clones share the bench.
#[derive(Clone)]
pub struct Workshop {
    bench: Arc<Semaphore>,
}

impl Default for Workshop {
    fn default() -> Self {
        Self { bench: Arc::new(Semaphore::new(1)) }
    }
}

impl Workshop {
    /// The same picture in the same size.
    ///
    /// # Errors
    /// What it must be and is not.
    pub async fn remake(&self, content: Vec<u8>) -> Result<Picture, PictureError> {
        self.work(content, pixels::remake).await
    }

    /// The middle of the picture as a square of so many pixels a side.
    ///
    /// # Errors
    /// What it must be and is not.
    pub async fn square(&self, content: Vec<u8>, side: u32) -> Result<Picture, PictureError> {
        self.work(content, move |content| pixels::square(content, side)).await
    }

    async fn work(
        &self,
        content: Vec<u8>,
        make: impl FnOnce(&[u8]) -> Result<Picture, PictureError> + Send + 'static,
    ) -> Result<Picture, PictureError> {
        if content.len() > MAX_BYTES {
            return Err(PictureError::TooLarge);
        }
        // what is no picture does not wait for those that are
        pixels::kind(&content)?;
        let bench = Arc::clone(&self.bench).acquire_owned().await;
        let bench = bench.map_err(|_| PictureError::Failed)?;
        // who gives up waiting leaves the work running: the bench is free when it has ended
        let work = tokio::task::spawn_blocking(move || {
            let made = make(&content);
            drop(bench);
            made
        });
        work.await.unwrap_or_else(|error| {
            // a decoder that panicked over a broken file: the file is to blame
            tracing::warn!(%error, "a picture could not be decoded");
            Err(PictureError::Broken)
        })
    }
}
