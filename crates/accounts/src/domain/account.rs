//! What a person's fields may be.

use std::cmp::Reverse;
use std::fmt;

use souk_values::{EmailAddress, fold};

use super::common_password::is_common;
use super::word::{check_address, check_username};

/// What everybody knows who knows the shop.
const SHOP: &str = "souk";
/// Characters of a password that nobody could guess from the account.
const PASSWORD_LEAST: usize = 8;

/// 3 to 32 letters, digits and `._-`. Two that look alike (case, Unicode form) are the same person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Username(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum UsernameError {
    #[error("must have 3 to 32 characters")]
    Length,
    #[error("may contain letters, digits, dots, underscores and hyphens only")]
    Characters,
}

impl Username {
    pub(crate) fn parse(text: &str) -> Result<Self, UsernameError> {
        let text = text.trim();
        // a decomposed letter is a letter too: the folded form has it in one piece
        let plain = |s: &str| s.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
        let folded = fold(text);
        if !(3..=32).contains(&text.chars().count()) || folded.chars().count() < 3 {
            return Err(UsernameError::Length);
        }
        if !plain(text) && !plain(&folded) {
            return Err(UsernameError::Characters);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that must be unique.
    pub(crate) fn folded(&self) -> String {
        fold(&self.0)
    }
}

/// Up to 200 characters, none of them a control character; may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FullName(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FullNameError {
    #[error("must have at most 200 characters")]
    TooLong,
    #[error("must not contain control characters")]
    Control,
}

impl FullName {
    pub(crate) fn parse(text: &str) -> Result<Self, FullNameError> {
        let text = text.trim();
        if text.chars().count() > 200 {
            return Err(FullNameError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(FullNameError::Control);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// 8 to 256 characters of any kind, and none that everybody tries. Length is the rule, composition
/// is not (NIST SP 800-63B 3.1.1.2).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Password(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PasswordError {
    #[error("must have at least 8 characters")]
    TooShort,
    #[error("must have at most 256 characters")]
    TooLong,
    #[error("is one of the passwords that are used most")]
    Common,
    #[error("must have 8 characters besides the username, the e-mail address and the shop's name")]
    Told,
}

impl Password {
    pub(crate) fn parse(text: &str) -> Result<Self, PasswordError> {
        match text.chars().count() {
            0..PASSWORD_LEAST => Err(PasswordError::TooShort),
            PASSWORD_LEAST..=256 if is_common(&fold(text)) => Err(PasswordError::Common),
            PASSWORD_LEAST..=256 => Ok(Self(text.to_owned())),
            _ => Err(PasswordError::TooLong),
        }
    }

    /// Refuses what everybody guesses who knows the account: words of its own do not count, and
    /// what is left must be a password.
    pub(crate) fn check_against(&self, username: &str, email: &str) -> Result<(), PasswordError> {
        let local = email.rsplit_once('@').map_or(email, |(local, _)| local);
        let mut words = [username, email, local, SHOP].map(fold);
        // one may be part of another
        words.sort_by_key(|word| Reverse(word.chars().count()));
        let whole = fold(&self.0);
        let mut rest = whole.clone();
        for word in words.iter().filter(|word| word.chars().count() >= 3) {
            rest = rest.replace(word.as_str(), "");
        }
        let guessable = rest.chars().count() < PASSWORD_LEAST || is_common(&rest);
        if rest != whole && guessable { Err(PasswordError::Told) } else { Ok(()) }
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a caller wishes, as written; `None` leaves a field alone.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) full_name: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) active: Option<bool>,
    /// Of a password that nobody here knows: from the operator only.
    pub(crate) password_hash: Option<String>,
}

/// What a caller wishes, as far as fields can tell by themselves.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) username: Option<Username>,
    pub(crate) email: Option<EmailAddress>,
    pub(crate) full_name: Option<FullName>,
    pub(crate) password: Option<Password>,
    /// The name of a role that exists.
    pub(crate) role: Option<String>,
    pub(crate) active: Option<bool>,
}

impl Changes {
    /// A new password that says who it belongs to: under the new names, or those that stay.
    pub(crate) fn told(&self, username: &str, email: &str) -> Option<Broken> {
        let username = self.username.as_ref().map_or(username, Username::as_str);
        let email = self.email.as_ref().map_or(email, EmailAddress::as_str);
        let error = self.password.as_ref()?.check_against(username, email).err()?;
        Some(Broken::new("password", error))
    }

    /// Names that nobody gives themselves. Whom somebody else called so may stay it: `username` and
    /// `email` are what they are called now.
    pub(crate) fn not_to_be_taken(&self, username: &str, email: &str) -> Vec<Broken> {
        let name = self.username.as_ref().filter(|new| new.folded() != fold(username));
        let address = self.email.as_ref().filter(|new| new.folded() != fold(email));
        let name = name.and_then(|name| check_username(name.as_str()).err());
        let address = address.and_then(|address| check_address(address.as_str()).err());
        let broken = [("username", name), ("email", address)].into_iter();
        broken.filter_map(|(field, error)| Some(Broken::new(field, error?))).collect()
    }
}

/// A field and the rule that it breaks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl Broken {
    pub(crate) fn new(field: &'static str, message: impl ToString) -> Self {
        Self { field, message: message.to_string() }
    }
}

impl Fields {
    /// Reads every field, and reports every broken one. `role` finds the name of the role that a
    /// text means.
    pub(crate) fn parse(&self, role: impl Fn(&str) -> Option<String>) -> (Changes, Vec<Broken>) {
        let mut broken = Vec::new();
        let changes = Changes {
            username: read("username", &self.username, Username::parse, &mut broken),
            email: read("email", &self.email, EmailAddress::parse, &mut broken),
            full_name: read("full_name", &self.full_name, FullName::parse, &mut broken),
            password: read("password", &self.password, Password::parse, &mut broken),
            role: read("role", &self.role, |t| role(t).ok_or("is not a role"), &mut broken),
            active: self.active,
        };
        (changes, broken)
    }
}

fn read<T, E: ToString>(
    field: &'static str,
    text: &Option<String>,
    parse: impl Fn(&str) -> Result<T, E>,
    broken: &mut Vec<Broken>,
) -> Option<T> {
    let parsed = parse(text.as_deref()?);
    parsed.map_err(|error| broken.push(Broken::new(field, error))).ok()
}

#[cfg(test)]
mod tests;
