//! Argon2id, at most one hash per core at a time and never on a thread that serves calls.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::seq::IndexedRandom;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::Error;
use crate::config::Argon2Config;

/// Who waits longer for a core is told to come again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Letters and digits that nobody confuses: no 0 O, 1 I l.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Makes and checks password hashes.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    cores: Arc<Semaphore>,
    /// The hash that is checked when there is no account: the answer takes as long.
    nobody: String,
}

/// What a check of a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Wrong,
    Right,
    /// Right, but the hash was made at another cost than today's.
    RightButDated,
}

impl Passwords {
    pub(crate) fn new(config: &Argon2Config) -> anyhow::Result<Self> {
        let params = Params::new(config.memory_kib, config.iterations, config.parallelism, None)
            .map_err(|error| anyhow::anyhow!("accounts.argon2: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, &random())?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { argon2, cores: Arc::new(Semaphore::new(cores)), nobody })
    }

    /// The PHC string of a password with a fresh salt.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        self.on_a_core(move || hash(&argon2, &password)).await
    }

    /// Checks a password against a hash. Without a hash there is nobody: the same work, and wrong.
    pub(crate) async fn check(&self, password: &str, stored: Option<&str>) -> Result<Check, Error> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).to_owned();
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        let check = self.on_a_core(move || check(&argon2, &password, &stored)).await?;
        Ok(if known { check } else { Check::Wrong })
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let core = timeout(PATIENCE, self.cores.clone().acquire_owned()).await;
        let core = core.map_err(|_| Error::Busy)?.map_err(|e| Error::Hashing(e.into()))?;
        let done = spawn_blocking(move || {
            // kept by the work itself: a caller who goes away does not free a core that still
            // computes
            let _core = core;
            work()
        });
        done.await.map_err(|e| Error::Hashing(e.into()))?
    }
}

/// A password of 20 characters that a person can copy from a screen: 115 bits.
pub(crate) fn random() -> String {
    let mut rng = rand::rng();
    (0..20).filter_map(|_| ALPHABET.choose(&mut rng)).map(|&letter| char::from(letter)).collect()
}

fn hash(argon2: &Argon2<'_>, password: &str) -> Result<String, Error> {
    let hash = argon2.hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|e| Error::Hashing(Box::new(e)))
}

fn check(argon2: &Argon2<'_>, password: &str, stored: &str) -> Result<Check, Error> {
    use argon2::password_hash::Error as HashError;
    let parsed = PasswordHash::new(stored).map_err(|e| Error::Hashing(Box::new(e)))?;
    match argon2.verify_password(password.as_bytes(), &parsed) {
        Err(HashError::PasswordInvalid) => Ok(Check::Wrong),
        Err(error) => Err(Error::Hashing(Box::new(error))),
        Ok(()) => {
            let made = Params::try_from(&parsed).map_err(|e| Error::Hashing(Box::new(e)))?;
            let cost = |p: &Params| (p.m_cost(), p.t_cost(), p.p_cost());
            let dated = cost(&made) != cost(argon2.params());
            Ok(if dated { Check::RightButDated } else { Check::Right })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(iterations: u32) -> Passwords {
        let config = Argon2Config { memory_kib: 64, iterations, parallelism: 1 };
        Passwords::new(&config).unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_salted_and_names_its_cost() {
        let passwords = passwords(1);
        let one = passwords.hash("correct horse").await.unwrap();
        let other = passwords.hash("correct horse").await.unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{one}");
        assert_ne!(one, other);
        assert_eq!(passwords.check("correct horse", Some(&one)).await.unwrap(), Check::Right);
        assert_eq!(passwords.check("correct hors", Some(&one)).await.unwrap(), Check::Wrong);
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let passwords = passwords(1);
        assert_eq!(passwords.check("", None).await.unwrap(), Check::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_right_but_dated() {
        let hash = passwords(1).hash("correct horse").await.unwrap();
        let later = passwords(2).check("correct horse", Some(&hash)).await.unwrap();
        assert_eq!(later, Check::RightButDated);
    }

    #[tokio::test]
    async fn rubbish_in_the_table_is_an_error_and_no_entry() {
        assert!(matches!(passwords(1).check("x", Some("x")).await, Err(Error::Hashing(_))));
    }

    #[test]
    fn random_passwords_are_long_and_plain() {
        let (one, other) = (random(), random());
        assert_eq!(one.len(), 20);
        assert_ne!(one, other);
        assert!(!one.contains(['0', 'O', '1', 'I', 'l']));
    }
}
