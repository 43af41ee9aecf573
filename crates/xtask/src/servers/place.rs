//! The folder of one set of servers, and the user they run as.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{process, workspace};

/// Prefix of our folders in the system's temporary folder.
const PREFIX: &str = "souk-servers-";
/// Held locked by the keeper as long as it lives; an unlocked one marks a folder left behind.
const LOCK: &str = "keeper.lock";

/// A folder for servers that only they and we can write; removed with this value.
pub(crate) struct Place {
    dir: PathBuf,
    user: Option<User>,
    _lock: File,
}

/// An unprivileged user of the system.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    uid: u32,
    gid: u32,
}

impl Place {
    /// Makes the folder below `target/servers`, or in the temporary folder of the system when the
    /// servers' user cannot enter there.
    pub(crate) fn prepare() -> Result<Self> {
        let user = User::for_servers()?;
        let home = workspace::target().join("servers");
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        sweep(&home, "");
        let place = Self::new(&home, "", user.clone())?;
        if place.enterable() {
            return Ok(place);
        }
        let temp = std::env::temp_dir();
        eprintln!(
            "xtask: the user of the servers cannot enter {}; their data goes to {}",
            home.display(),
            temp.display()
        );
        sweep(&temp, PREFIX);
        let place = Self::new(&temp, PREFIX, user)?;
        if !place.enterable() {
            bail!("the user of the servers can enter neither {} nor /tmp", home.display());
        }
        Ok(place)
    }

    fn new(home: &Path, prefix: &str, user: Option<User>) -> Result<Self> {
        let name = format!("{prefix}{}-{}", std::process::id(), super::ports::word()?);
        let dir = home.join(name);
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let lock = File::create(dir.join(LOCK))?;
        lock.try_lock().context("a fresh folder is locked")?;
        let place = Self { dir, user, _lock: lock };
        place.give(&place.dir)?;
        Ok(place)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// An empty folder in the place, owned by the servers' user. What was there is removed.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
        self.give(&path)?;
        Ok(path)
    }

    /// A file in a folder of the place that only the servers' user reads.
    pub(crate) fn file(&self, path: &Path, text: &str) -> Result<()> {
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o400))?;
        self.give(path)
    }

    /// A command that runs as the servers' user, in the place, and is killed with the thread that
    /// starts it, so that a killed keeper leaves no server behind.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let lowered = self.user.as_ref().map(User::words).unwrap_or_default();
        let mut command = process::tied(program, "KILL", &lowered);
        command.current_dir(&self.dir).env("HOME", &self.dir);
        command
    }

    fn enterable(&self) -> bool {
        let mut test = self.command(Path::new("test"));
        // The check must say no by itself, so it may not start inside the folder it checks.
        test.current_dir("/").arg("-w").arg(&self.dir).stderr(Stdio::null());
        test.status().is_ok_and(|status| status.success())
    }

    fn give(&self, path: &Path) -> Result<()> {
        if let Some(User { uid, gid, .. }) = &self.user {
            chown(path, Some(*uid), Some(*gid))
                .with_context(|| format!("cannot give {} away", path.display()))?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl User {
    /// PostgreSQL refuses to run as root, so root lends the servers another user.
    fn for_servers() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        if workspace::on_path("setpriv").is_none() {
            bail!("as root the servers need `setpriv` of util-linux; or run as another user");
        }
        let accounts = fs::read_to_string("/etc/passwd")?;
        let known = |name: &str| accounts.lines().find_map(|line| Self::parse(line, name));
        known("postgres").or_else(|| known("nobody")).map(Some).context(
            "PostgreSQL refuses root, and neither `postgres` nor `nobody` is a user of this system",
        )
    }

    /// What makes `setpriv` this user.
    fn words(&self) -> Vec<String> {
        let (uid, gid) = (self.uid.to_string(), self.gid.to_string());
        ["--reuid", &uid, "--regid", &gid, "--clear-groups"].map(str::to_owned).to_vec()
    }

    fn parse(line: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            [found, _, uid, gid, ..] if *found == name => {
                Some(Self { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? })
            }
            _ => None,
        }
    }
}

/// Removes folders whose keeper was killed. Best effort: another of us may do the same.
fn sweep(home: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(home) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let abandoned = File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_living_keeper_is_swept_and_others_stay() {
        let home = tempfile::tempdir().expect("temp dir");
        let [dead, alive, foreign] = ["x-dead", "x-alive", "x-foreign"].map(|name| {
            let dir = home.path().join(name);
            fs::create_dir(&dir).expect("dir");
            dir
        });
        File::create(dead.join(LOCK)).expect("lock file");
        let held = File::create(alive.join(LOCK)).expect("lock file");
        held.lock().expect("lock");

        sweep(home.path(), "x-");

        assert!(!dead.exists() && alive.exists() && foreign.exists());
    }

    #[test]
    fn a_user_is_read_from_the_account_list() {
        let user = User::parse("postgres:x:101:103:,,,:/var/lib:/bin/bash", "postgres");
        assert!(user.is_some_and(|user| (user.uid, user.gid) == (101, 103)));
        assert!(User::parse("postgresql:x:1:1::/:/bin/sh", "postgres").is_none());
    }
}
