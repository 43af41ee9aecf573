//! One owner of a data directory: SQLite files have one owning process.
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// Held while the process lives; the kernel gives it back when it dies.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "{0} is in use by another souk process; stop it, or give this one its own with --data-dir"
    )]
    Held(PathBuf),
    #[error("cannot use {path} as data directory: {source}")]
    Io { path: PathBuf, source: std::io::Error },
}

impl DataLock {
    /// Makes the directory if it is missing and takes its lock, without waiting.
    pub fn take(data_dir: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: data_dir.to_owned(), source };
        std::fs::create_dir_all(data_dir).map_err(io)?;
        let path = data_dir.join("souk.lock");
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held(data_dir.to_owned())),
            Err(error) => Err(io(error.into())),
        }
    }
}
