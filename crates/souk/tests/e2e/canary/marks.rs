//! Words that nobody else uses, put where secrets and people's data go in; and the few places where
//! each may be found again.
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A marked text and what it is.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) what: &'static str,
    pub(super) text: String,
}

/// Where something was looked for: "log", "accounts: account.email", "file: bus.db", "letter to …".
pub(super) struct Place {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// What may be where, and why. A place ends the pattern, or goes on behind a `*`. What is not
/// listed may be nowhere.
const ALLOWED: [(&str, &str, &str); 33] = [
    ("email", "accounts: account.email", "it is the account's"),
    ("email", "accounts: account.email_folded", "to find it whatever its case"),
    ("email", "accounts: account.search", "admins look for people"),
    ("email", "accounts: registration.email*", "until the code is given, and a day longer"),
    ("email", "accounts: email_change.email*", "until the code is given"),
    ("email", "accounts: mail_request.email", "to whom the letter goes, also after a change"),
    ("email", "accounts: mail_request.facts", "the letter names the new address"),
    ("email", "accounts: newsletter_subscriber.email*", "to whom the newsletter goes"),
    ("email", "accounts: audit_entry.changes", "what was changed; erasable"),
    ("email", "notifier: letter.recipient", "to whom the letter goes; shortened with time"),
    ("email", "notifier: notification.recipient", "the ledger says who was told"),
    ("email", "letter to *", "the address on the envelope; a change names the new one"),
    ("name", "accounts: account.full_name", "it is the account's"),
    ("name", "accounts: account.search", "admins look for people"),
    ("name", "accounts: registration.full_name", "until the code is given, and a day longer"),
    ("name", "accounts: mail_request.name", "how the letter begins"),
    ("name", "accounts: audit_entry.changes", "what was changed; erasable"),
    ("name", "accounts: address.name", "the address book"),
    ("name", "orders: orders.*_address", "where the goods go"),
    ("name", "orders: orders.search_text", "staff look for orders by name"),
    ("name", "orders: kept_answer.answer", "the answer that a repeated request gets"),
    ("name", "notifier: letter.text", "how the letter begins"),
    ("name", "notifier: letter.html", "how the letter begins"),
    ("name", "letter to *", "how the letter begins"),
    ("street", "accounts: address.line1", "the address book"),
    ("street", "orders: orders.*_address", "where the goods go"),
    ("street", "orders: kept_answer.answer", "the answer that a repeated request gets"),
    ("note", "orders: orders.note", "what the buyer wants to say"),
    ("note", "orders: kept_answer.answer", "the answer that a repeated request gets"),
    ("idempotency key", "orders: kept_answer.key", "what a repeated request is known by"),
    ("card token", "orders: *", "what stands for the card; worth nothing outside of its account"),
    ("code", "letter to *", "it is sent to whoever can read it there"),
    ("reset link", "letter to *", "it is sent to whoever can read it there"),
];

impl Mark {
    pub(super) fn new(what: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        assert!(text.len() >= 8, "{what}: {text:?} could be found by chance");
        Self { what, text }
    }

    /// As it is, and as it looks in hexadecimal, in base64 at any offset, and in a query string.
    fn forms(&self) -> Vec<String> {
        let bytes = self.text.as_bytes();
        let mut forms = vec![self.text.clone(), self.text.replace('@', "%40")];
        let lower: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        forms.push(lower.to_uppercase());
        forms.push(lower);
        for before in 0..3 {
            let shifted = [&vec![0; before][..], bytes].concat();
            // what the bytes before and behind it have a part in is left out
            let from = (before * 8).div_ceil(6);
            let to = shifted.len() * 8 / 6;
            for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
                forms.push(encoded[from..to].to_owned());
            }
        }
        forms.sort();
        forms.dedup();
        forms
    }

    fn may_be_at(&self, place: &str) -> bool {
        let allowed = ALLOWED.iter().filter(|(what, ..)| *what == self.what);
        allowed.into_iter().any(|(_, pattern, _)| fits(place, pattern))
    }
}

/// `*` stands for anything, also for nothing.
fn fits(place: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => place == pattern,
        Some((before, behind)) => {
            place.len() >= before.len() + behind.len()
                && place.starts_with(before)
                && place.ends_with(behind)
        }
    }
}

/// What was found.
pub(super) struct Found {
    /// "email at log", where nobody allows it.
    pub(super) leaks: Vec<String>,
    /// The same where it is allowed.
    pub(super) known: Vec<String>,
}

/// Looks for all marks at all places.
pub(super) fn search(marks: &[Mark], places: &[Place]) -> Found {
    let mut found = Found { leaks: Vec::new(), known: Vec::new() };
    let forms: Vec<(&Mark, Vec<String>)> = marks.iter().map(|mark| (mark, mark.forms())).collect();
    for place in places {
        let text = String::from_utf8_lossy(&place.bytes);
        for (mark, forms) in &forms {
            let Some(at) = forms.iter().find_map(|form| text.find(form.as_str())) else { continue };
            let what = format!("{} at {}", mark.what, place.name);
            if mark.may_be_at(&place.name) {
                found.known.push(what);
            } else {
                let from = text.floor_char_boundary(at.saturating_sub(120));
                let to = text.ceil_char_boundary((at + 120).min(text.len()));
                found.leaks.push(format!("{what}: …{}…", text[from..to].escape_debug()));
            }
        }
    }
    found.leaks.sort();
    found.leaks.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str, bytes: impl Into<Vec<u8>>) -> Place {
        Place { name: name.to_owned(), bytes: bytes.into() }
    }

    #[test]
    fn s60_a_planted_mark_is_found_in_every_form() {
        let marks = [Mark::new("password", "canary-0123456789")];
        let hex: String = marks[0].text.bytes().map(|b| format!("{b:02x}")).collect();
        let mut planted = vec![
            b"xx canary-0123456789 yy".to_vec(),
            b"\xff\x00canary-0123456789\xfe".to_vec(),
            format!("\\x00{hex}ff").into_bytes(),
            hex.to_uppercase().into_bytes(),
        ];
        for before in ["", "a", "ab", "abc"] {
            let text = format!("{before}canary-0123456789 and more");
            planted.push(STANDARD_NO_PAD.encode(&text).into_bytes());
            planted.push(URL_SAFE_NO_PAD.encode(&text).into_bytes());
        }
        for bytes in planted {
            let found = search(&marks, &[place("log", bytes.clone())]);
            assert_eq!(found.leaks.len(), 1, "{:?}", String::from_utf8_lossy(&bytes));
            assert!(found.leaks[0].starts_with("password at log: "), "{:?}", found.leaks);
        }
        let clean = search(&marks, &[place("log", "canary-012345678 is another")]);
        assert!(clean.leaks.is_empty() && clean.known.is_empty());
    }

    #[test]
    fn s60_what_is_allowed_at_one_place_is_a_leak_at_another() {
        let marks = [Mark::new("email", "canary-a@people.test")];
        let of = |name: &str| search(&marks, &[place(name, "<canary-a@people.test>")]);
        for known in
            ["accounts: account.email", "accounts: registration.email_folded", "letter to x"]
        {
            assert!(of(known).leaks.is_empty(), "{known}");
            assert_eq!(of(known).known, [format!("email at {known}")]);
        }
        for leak in ["log", "traces", "metrics", "accounts: session.device", "orders: orders.note"]
        {
            assert_eq!(of(leak).leaks.len(), 1, "{leak}");
        }
        assert_eq!(search(&marks, &[place("log", "q=canary-a%40people.test")]).leaks.len(), 1);
    }
}
