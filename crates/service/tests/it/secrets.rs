//! The installation's own secrets.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::tenants::{Stage, desk};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_made_once_for_their_owner_alone() {
    let stage = Stage::new();
    let dir = stage.data_dir().join("secrets");
    let read = || ["service_token", "signing_key"].map(|n| std::fs::read(dir.join(n)).unwrap());
    assert!(stage.start(&[desk()], &[]).await.unwrap().stop().await);
    let made = read();
    assert_ne!(made[0], made[1]);
    assert_eq!(mode(&dir), 0o700);
    for name in ["service_token", "signing_key"] {
        assert_eq!((mode(&dir.join(name)), made[0].len()), (0o600, 43), "{name}");
    }
    assert!(stage.start(&[desk()], &[]).await.unwrap().stop().await);
    assert_eq!(read(), made);
    let left = std::fs::read_dir(&dir).unwrap().count();
    assert_eq!(left, 2, "half-written files were left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_are_set_are_not_written_down() {
    let stage = Stage::new();
    let given = "0123456789abcdef0123456789abcdef0123456789a";
    let flags = [("secrets.service_token", given), ("secrets.signing_key", given)];
    assert!(stage.start(&[desk()], &flags).await.unwrap().stop().await);
    assert!(!stage.data_dir().join("secrets").exists());
}
