//! The installation's own secrets: generated into the data directory by default, given by settings
//! in production.
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Secret, Settings};

/// The secrets in use.
pub(crate) struct Secrets {
    pub(crate) service_token: Vec<u8>,
    pub(crate) signing_key: Secret,
}

impl Secrets {
    /// Takes what the settings say; what they leave out is read from, or made in, `DATA/secrets/`
    /// (mode 0600).
    pub(crate) fn take(settings: &Settings) -> anyhow::Result<Self> {
        let dir = settings.data_dir.join("secrets");
        let of = |name: &str, set: &Secret| -> anyhow::Result<Secret> {
            if set.is_empty() { generated(&dir, name) } else { Ok(set.clone()) }
        };
        Ok(Self {
            service_token: of("service_token", &settings.secrets.service_token)?.reveal().into(),
            signing_key: of("signing_key", &settings.secrets.signing_key)?,
        })
    }
}

fn generated(dir: &Path, name: &str) -> anyhow::Result<Secret> {
    let path = dir.join(name);
    if let Ok(text) = fs::read_to_string(&path) {
        return Ok(Secret::new(text.trim()));
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make {}", dir.display()))?;
    let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    // written beside and renamed: a crash never leaves half a key
    let fresh = dir.join(format!("{name}.new"));
    let mut file =
        fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, &path)?;
    Ok(Secret::new(text))
}
