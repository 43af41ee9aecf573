//! Letters as `.eml` files in a folder. The letter's id names the file, so a repeat cannot double.
use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;

use super::{Mail, MailError, Outgoing};

/// A folder of this machine.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Creates the folder; only its owner may look into it.
    pub async fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path).await?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).await?;
        }
        Ok(Self { path: path.to_owned() })
    }

    /// A letter is there whole or not at all, also after a power cut.
    async fn put(&self, outgoing: &Outgoing) -> io::Result<()> {
        let name = outgoing.letter.to_string();
        // dots hide the half-written from whoever lists letters; attempts may overlap
        let half = self.path.join(format!(".{name}.{}.half", uuid::Uuid::new_v4()));
        let written = async {
            let mut file = fs::File::create_new(&half).await?;
            file.write_all(&outgoing.mime).await?;
            file.sync_all().await?;
            fs::rename(&half, self.path.join(format!("{name}.eml"))).await?;
            fs::File::open(&self.path).await?.sync_all().await
        };
        let outcome = written.await;
        if outcome.is_err() {
            // the disk may be full: nothing half-written may stay
            let _ = fs::remove_file(&half).await;
        }
        outcome
    }
}

#[async_trait::async_trait]
impl Mail for Folder {
    async fn send(&self, outgoing: &Outgoing) -> Result<String, MailError> {
        match self.put(outgoing).await {
            Ok(()) => Ok(format!("{}.eml", outgoing.letter)),
            Err(error) => Err(MailError::Failed(format!("the folder: {}", error.kind()))),
        }
    }

    fn repeats_safely(&self) -> bool {
        true
    }
}
