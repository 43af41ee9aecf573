//! Argon2id, at most one hash per core at a time and never on a thread that serves calls
//! ([`Hashers`]). Hashes of bcrypt, brought along from elsewhere, are checked and made anew at the
//! next login.

use std::ops::RangeInclusive;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::seq::IndexedRandom;

use super::hashers::Hashers;
use crate::Error;
use crate::config::Argon2Config;

/// Letters and digits that nobody confuses: no 0 O, 1 I l.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Costs of bcrypt that are taken from elsewhere; each one more doubles the time.
const BCRYPT_COSTS: RangeInclusive<u32> = 4..=14;

/// Makes and checks password hashes.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    pub(super) hashers: Hashers,
    /// The hash that is checked when there is no account: the answer takes as long.
    nobody: String,
}

/// What a check of a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Wrong,
    Right,
    /// Right, but the hash was made at another cost than today's, or in another way.
    RightButDated,
}

impl Passwords {
    pub(crate) fn new(config: &Argon2Config) -> anyhow::Result<Self> {
        let params = Params::new(config.memory_kib, config.iterations, config.parallelism, None)
            .map_err(|error| anyhow::anyhow!("accounts.argon2: {error}"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, &random())?;
        Ok(Self { argon2, hashers: Hashers::start()?, nobody })
    }

    /// There is no place left to wait for a hash.
    pub(crate) fn is_full(&self) -> bool {
        self.hashers.is_full()
    }

    /// The PHC string of a password with a fresh salt.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        self.hashers.run(move || hash(&argon2, &password)).await
    }

    /// Checks a password against a hash. Without a hash there is nobody: the same work, and wrong.
    pub(crate) async fn check(&self, password: &str, stored: Option<&str>) -> Result<Check, Error> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).to_owned();
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        let check = self.hashers.run(move || check(&argon2, &password, &stored)).await?;
        Ok(if known { check } else { Check::Wrong })
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

/// Whether a hash from elsewhere can be stored: it is one, and a login with it costs bearably.
pub(crate) fn is_importable(stored: &str) -> bool {
    if is_bcrypt(stored) {
        let parts = stored.parse::<bcrypt::HashParts>();
        return parts.is_ok_and(|parts| BCRYPT_COSTS.contains(&parts.get_cost()));
    }
    let Ok(parsed) = PasswordHash::new(stored) else { return false };
    let is_whole =
        parsed.algorithm.as_str() == "argon2id" && parsed.salt.is_some() && parsed.hash.is_some();
    let costs = Params::try_from(&parsed).map(|p| (p.m_cost(), p.t_cost(), p.p_cost()));
    is_whole
        && costs
            .is_ok_and(|(memory, passes, lanes)| memory <= 262_144 && passes <= 16 && lanes <= 16)
}

/// `$2x$` marks hashes of a broken implementation, which nobody can check.
fn is_bcrypt(stored: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|version| stored.starts_with(version))
}

fn check(argon2: &Argon2<'_>, password: &str, stored: &str) -> Result<Check, Error> {
    use argon2::password_hash::Error as HashError;
    if is_bcrypt(stored) {
        // bcrypt reads 72 bytes, and so did whoever made this hash
        let right = bcrypt::verify(password, stored).map_err(|e| Error::Hashing(Box::new(e)))?;
        return Ok(if right { Check::RightButDated } else { Check::Wrong });
    }
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

    /// Of "correct horse", made elsewhere.
    const BCRYPT: &str = "$2b$04$VnU.Gog9OnEEI4xC1dsQmOPp1BhCHbw/x4hWxFnaA/bt401G4u3Ju";

    #[tokio::test]
    async fn a_hash_of_bcrypt_is_right_but_dated() {
        let passwords = passwords(1);
        for version in ["$2a$", "$2b$", "$2y$"] {
            let stored = BCRYPT.replace("$2b$", version);
            let check = |password: &'static str| passwords.check(password, Some(&stored));
            assert_eq!(check("correct horse").await.unwrap(), Check::RightButDated, "{version}");
            assert_eq!(check("correct hors").await.unwrap(), Check::Wrong, "{version}");
        }
    }

    #[test]
    fn only_hashes_that_can_be_checked_are_taken() {
        let cost = |cost: &str| BCRYPT.replace("$04$", cost);
        let argon2 = "$argon2id$v=19$m=19456,t=2,p=1$TOVKddHVlqiignNqJiw7Ng$syGrF/d/5+VycVkKuRvbFZGjgKL49VnNQPOY7vlpA9s";
        for good in [BCRYPT, &BCRYPT.replace("$2b$", "$2y$"), &cost("$14$"), argon2] {
            assert!(is_importable(good), "{good}");
        }
        for bad in [
            "",
            "secret",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IGhlcmU",
            &argon2.replace("argon2id", "argon2i"),
            &argon2.replace("m=19456", "m=1048576"),
            &argon2.replace("t=2", "t=60"),
            &BCRYPT.replace("$2b$", "$2x$"),
            &cost("$15$"),
            &cost("$31$"),
            &BCRYPT[..59],
        ] {
            assert!(!is_importable(bad), "{bad}");
        }
    }

    #[test]
    fn random_passwords_are_long_and_plain() {
        let (one, other) = (random(), random());
        assert_eq!(one.len(), 20);
        assert_ne!(one, other);
        assert!(!one.contains(['0', 'O', '1', 'I', 'l']));
    }
}
