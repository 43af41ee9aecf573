//! Letters of accounts in words.
use askama::Template;
use chrono::{DateTime, Utc};

use super::{SUBJECT_LIMIT, Shop, lines, render};
use crate::domain::letter::Words;
use crate::domain::request::{Kind, Mail, good_for, time_in_words};
use crate::domain::text::one_line;

/// What every letter of a kind says.
struct Told {
    headline: &'static str,
    sentence: &'static str,
    /// What stands on the link, if there is one.
    button: &'static str,
    /// What to do if it was not you.
    warning: &'static str,
}

/// A letter as templates see it.
struct View<'a> {
    told: Told,
    greeting: String,
    code: &'a str,
    link: String,
    /// Names and values.
    facts: Vec<(String, String)>,
    expiry: String,
}

#[derive(Template)]
#[template(path = "account.txt")]
struct AccountText<'a> {
    shop: &'a Shop,
    view: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountHtml<'a> {
    shop: &'a Shop,
    view: &'a View<'a>,
}

/// The letter that accounts asked for at `since`.
pub fn request(shop: &Shop, kind: Kind, mail: &Mail, since: DateTime<Utc>) -> Words {
    let view = &view(shop, kind, mail, since);
    Words {
        subject: subject(shop, kind),
        text: lines(&AccountText { shop, view }),
        html: render(&AccountHtml { shop, view }),
    }
}

/// The same for all letters of the kind: it holds nothing secret.
pub fn subject(shop: &Shop, kind: Kind) -> String {
    one_line(&format!("[{}] {}", shop.name, told(kind).headline), SUBJECT_LIMIT)
}

/// What stands in the place of words that are nowhere any more.
pub fn not_kept(subject: String) -> Words {
    Words {
        subject,
        text: "What this letter says is not kept.\n".to_owned(),
        html: "<!doctype html><title>Not kept</title><p>What this letter says is not kept.</p>\n"
            .to_owned(),
    }
}

fn view<'a>(shop: &Shop, kind: Kind, mail: &'a Mail, since: DateTime<Utc>) -> View<'a> {
    let is_named = !kind.is_to_unproven() && !mail.name.is_empty();
    let link = &mail.link;
    let what = if mail.code.is_empty() { "link" } else { "code" };
    let is_secret = !(mail.code.is_empty() && link.is_empty());
    let expiry = mail.expires_at.filter(|_| is_secret);
    View {
        told: told(kind),
        greeting: if is_named { format!("Hello {},", mail.name) } else { "Hello,".to_owned() },
        code: &mail.code,
        link: if link.is_empty() { String::new() } else { format!("{}{link}", shop.public_url) },
        facts: mail.facts.iter().filter_map(|(name, value)| fact(kind, name, value)).collect(),
        expiry: expiry
            .map(|end| format!("The {what} is good for {}.", good_for(since, end)))
            .unwrap_or_default(),
    }
}

/// A fact with the name that people know it by.
fn fact(kind: Kind, name: &str, value: &str) -> Option<(String, String)> {
    if value.is_empty() {
        return None;
    }
    let (label, value) = match name {
        "at" => ("When".to_owned(), time_in_words(value)),
        "until" => ("Until".to_owned(), time_in_words(value)),
        "change" => ("What changed".to_owned(), plain(value)),
        "new_email" => ("New address".to_owned(), value.to_owned()),
        "revoked_api_keys" => ("API keys".to_owned(), format!("{value} revoked")),
        "reason" if kind == Kind::SessionEnded => ("Why".to_owned(), why_ended(value)),
        "reason" => ("Why".to_owned(), plain(value)),
        other => (plain(other), value.to_owned()),
    };
    Some((label, value))
}

/// A code as words: `recovery_codes` becomes `Recovery codes`; what people wrote stays as it is.
fn plain(text: &str) -> String {
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return text.to_owned();
    }
    let words = text.replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// The reasons of `souk.events.v1.SessionEnded`.
fn why_ended(reason: &str) -> String {
    let sentence = match reason {
        "logout" => "You signed out",
        "ended" => "It was signed out from another device",
        "evicted" => "Another device signed in, and only so many may be signed in at once",
        "reused" => "Its key was used twice, as if somebody had a copy of it",
        "password" => "The password was changed",
        "email" => "The e-mail address was changed",
        "role" => "What the account may do was changed",
        "blocked" => "The account was blocked",
        "second_factor" => "The second factor was changed",
        other => return plain(other),
    };
    sentence.to_owned()
}

fn told(kind: Kind) -> Told {
    let (headline, sentence, button, warning) = match kind {
        Kind::RegistrationCode => (
            "Your code to register",
            "enter this code where you began to register, and your account is ready.",
            "",
            "If you did not ask for an account, do nothing: without the code there will be none.",
        ),
        Kind::Welcome => (
            "Welcome",
            "your account is ready. It is good to have you here.",
            "",
            "If it was not you who made it, ask for a new password: then the account is yours \
             alone.",
        ),
        Kind::AddressInUse => (
            "You have an account already",
            "somebody tried to register with your address. You have an account already, so \
             nothing was made and nothing changed.",
            "",
            "If it was you, just sign in, or ask for a new password. If it was not you, do \
             nothing.",
        ),
        Kind::PasswordReset => (
            "Choose a new password",
            "somebody asked for a new password for your account. Follow the link to choose one; \
             after that all your devices must sign in again, and your API keys are revoked.",
            "Choose a new password",
            "If it was not you, do nothing: your password stays as it is.",
        ),
        Kind::PasswordChanged => (
            "Your password was changed",
            "the password of your account was changed, and all other devices were signed out.",
            "",
            "If it was not you, ask for a new password at once: that signs everybody else out.",
        ),
        Kind::EmailChangeCode => (
            "Your code for the new address",
            "enter this code to use this address for your account from now on.",
            "",
            "If you did not ask for it, do nothing: without the code nothing changes.",
        ),
        Kind::EmailChangeNotice => (
            "A new address was asked for",
            "somebody who is signed in to your account asked to change its e-mail address. Until \
             the new one is confirmed, this one counts.",
            "",
            "If it was not you, change your password at once.",
        ),
        Kind::EmailChanged => (
            "Your address was changed",
            "the e-mail address of your account was changed, and all other devices were signed \
             out. Letters no longer come to this one.",
            "",
            "If it was not you, get in touch with the shop at once.",
        ),
        Kind::NewDevice => (
            "A new device signed in",
            "a device that we had not seen before signed in to your account.",
            "",
            "If it was not you, change your password at once.",
        ),
        Kind::SessionEnded => (
            "A device was signed out",
            "one of your devices was signed out. It can sign in again at any time.",
            "",
            "If you do not know the device, or did not expect this, change your password.",
        ),
        Kind::Blocked => (
            "Your account is blocked",
            "for now nobody can sign in to your account. Your orders go on.",
            "",
            "If you think that this is a mistake, get in touch with the shop.",
        ),
        Kind::Unblocked => (
            "Your account is open again",
            "you can sign in as before. Thank you for your patience.",
            "",
            "",
        ),
        Kind::SecondFactorChanged => (
            "Your second factor was changed",
            "what your account asks for besides the password was changed.",
            "",
            "If it was not you, change your password at once and get in touch with the shop.",
        ),
        Kind::NewsletterConfirm => (
            "Do you want our newsletter?",
            "somebody asked for our newsletter to this address. It comes only if you say yes.",
            "Yes, send me the newsletter",
            "If it was not you, do nothing: no newsletter will come.",
        ),
        Kind::ExportReady => (
            "Your data is ready",
            "the file with everything that we keep of you is there. Sign in and get it in your \
             account; after the time below it is deleted.",
            "",
            "If you did not ask for it, change your password at once: nobody gets the file \
             without signing in.",
        ),
        Kind::ErasureRequested => (
            "Your account will be erased",
            "at the time below your account and everything that names you will be erased. Until \
             then you can sign in and take it back. Orders that are still open come first. No \
             letter will follow this one.",
            "",
            "If it was not you, sign in, take it back and change your password at once.",
        ),
        Kind::ErasureCancelled => (
            "Your account stays",
            "your account will not be erased. Everything is as before.",
            "",
            "If it was not you, change your password at once.",
        ),
        Kind::Test => (
            "A test letter",
            "this letter was sent to see whether letters reach you. They do.",
            "",
            "",
        ),
    };
    Told { headline, sentence, button, warning }
}

#[cfg(test)]
mod tests;
