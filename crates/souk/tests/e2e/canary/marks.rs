//! Words that nobody else uses, put where secrets and people's data go in; and the few places where
//! each may be found again.
use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A marked text and what it is.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) what: &'static str,
    pub(super) text: String,
    /// Where this one may be, beside the places of its kind: "letter to ada@…: Welcome: body".
    own: Vec<String>,
}

/// Where something was looked for: "log", "accounts: account.email", "file: bus.db", "bus: …",
/// "letter to ADDRESS: HEADLINE: body".
pub(super) struct Place {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// Whose it is, and so how long it may be anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Of the person who is erased in the end: then it may be nowhere.
    Person,
    /// Of somebody else.
    Others,
    /// Opens something, or is nobody's business: also not in what was deleted.
    Secret,
}

use Class::{Others, Person, Secret};

/// Everything that is marked.
pub(super) const KINDS: [(&str, Class); 38] = [
    ("email", Person),
    ("username", Person),
    ("name", Person),
    ("street", Person),
    ("phone", Person),
    ("note", Person),
    ("card token", Person),
    ("idempotency key", Person),
    ("subscriber's email", Others),
    ("stranger's email", Secret),
    ("password", Secret),
    ("wrong password", Secret),
    ("admin's password", Secret),
    ("access token", Secret),
    ("refresh token", Secret),
    ("device token", Secret),
    ("csrf token", Secret),
    ("cookie", Secret),
    ("cart secret", Secret),
    ("card number", Secret),
    ("wrong card number", Secret),
    ("second factor", Secret),
    ("recovery code", Secret),
    ("wrong code", Secret),
    ("api key", Secret),
    ("code", Secret),
    ("reset link", Secret),
    ("newsletter link", Secret),
    ("unsubscribe link", Secret),
    ("made-up token", Secret),
    ("made-up query", Secret),
    ("wrong field", Secret),
    ("picture's comment", Secret),
    ("file name", Secret),
    ("service secret", Secret),
    ("signing key", Secret),
    ("database password", Secret),
    ("mail password", Secret),
];

/// What may be where, and why. In a place `*` stands for anything. What is not listed may be
/// nowhere; what is of one letter only is said of the mark itself.
const ALLOWED: [(&str, &str, &str); 46] = [
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
    ("email", "export file", "it is the reader's own"),
    ("username", "accounts: account.username*", "it is the account's"),
    ("username", "accounts: account.search", "admins look for people"),
    ("username", "accounts: registration.username*", "until the code is given, and a day longer"),
    ("username", "accounts: audit_entry.changes", "what was changed; erasable"),
    ("username", "export file", "it is the reader's own"),
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
    ("name", "export file", "it is the reader's own"),
    ("street", "accounts: address.line1", "the address book"),
    ("street", "orders: orders.*_address", "where the goods go"),
    ("street", "orders: kept_answer.answer", "the answer that a repeated request gets"),
    ("street", "export file", "it is the reader's own"),
    ("phone", "accounts: address.phone", "the address book"),
    ("phone", "orders: orders.*_address", "where the goods go"),
    ("phone", "orders: kept_answer.answer", "the answer that a repeated request gets"),
    ("phone", "export file", "it is the reader's own"),
    ("note", "orders: orders.note", "what the buyer wants to say"),
    ("note", "orders: kept_answer.answer", "the answer that a repeated request gets"),
    ("note", "export file", "it is the reader's own"),
    ("idempotency key", "orders: kept_answer.key", "what a repeated request is known by"),
    ("card token", "orders: *", "what stands for the card; worth nothing outside of its account"),
    ("subscriber's email", "accounts: newsletter_subscriber.email*", "to whom it goes"),
    ("subscriber's email", "accounts: mail_request.email", "to whom the question goes"),
    ("subscriber's email", "notifier: letter.recipient", "to whom the letter goes"),
    ("subscriber's email", "notifier: notification.recipient", "the ledger says who was told"),
];

/// What was handed over to the mail system, which nobody can take back from it.
const HANDED_OVER: [&str; 2] = ["letter to *", "mail request to *"];

impl Mark {
    pub(super) fn new(what: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        assert!(text.len() >= 8, "{what}: {text:?} could be found by chance");
        assert!(KINDS.iter().any(|(kind, _)| *kind == what), "{what} is no kind");
        Self { what, text, own: Vec::new() }
    }

    /// This one may be there, too.
    pub(super) fn allow(&mut self, place: impl Into<String>) {
        self.own.push(place.into());
    }

    pub(super) fn class(&self) -> Class {
        KINDS.iter().find(|(kind, _)| *kind == self.what).map_or(Secret, |(_, class)| *class)
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
        let kinds = ALLOWED.iter().filter(|(what, ..)| *what == self.what);
        let patterns = kinds.map(|(_, pattern, _)| *pattern);
        patterns.chain(self.own.iter().map(String::as_str)).any(|pattern| fits(place, pattern))
    }
}

/// `*` stands for anything, also for nothing.
fn fits(place: &str, pattern: &str) -> bool {
    let Some((before, behind)) = pattern.split_once('*') else { return place == pattern };
    let Some(rest) = place.strip_prefix(before) else { return false };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| fits(&rest[at..], behind))
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
    search_by(marks, places, Mark::may_be_at)
}

/// Looks where somebody who was erased is left. `folder`: letters lie where they can be removed.
pub(super) fn left_of_person(marks: &[Mark], places: &[Place], folder: bool) -> Found {
    let persons: Vec<Mark> = marks.iter().filter(|mark| mark.class() == Person).cloned().collect();
    search_by(&persons, places, |_, place| {
        let handed_over = HANDED_OVER.iter().any(|pattern| fits(place, pattern));
        place == EXPORT || handed_over && !folder
    })
}

/// The file that its owner took along.
pub(super) const EXPORT: &str = "export file";

fn search_by(marks: &[Mark], places: &[Place], allowed: impl Fn(&Mark, &str) -> bool) -> Found {
    let mut found = Found { leaks: Vec::new(), known: Vec::new() };
    let forms: Vec<Vec<String>> = marks.iter().map(Mark::forms).collect();
    let index = Index::of(&forms);
    for place in places {
        for (which, at) in index.hits(&place.bytes) {
            let mark = &marks[which];
            let what = format!("{} at {}", mark.what, place.name);
            if allowed(mark, &place.name) {
                found.known.push(what);
            } else {
                let end = (at + 120).min(place.bytes.len());
                let around = String::from_utf8_lossy(&place.bytes[at.saturating_sub(120)..end]);
                found.leaks.push(format!("{what}: …{}…", around.escape_debug()));
            }
        }
    }
    found.leaks.sort();
    found.leaks.dedup();
    found
}

/// So many bytes every form has.
const BEGINNING: usize = 8;

/// All forms by how they begin, so that a log of many megabytes is read once.
struct Index<'a> {
    /// Whether any form begins with these three bytes.
    maybe: Vec<bool>,
    /// Number of the mark and its form.
    forms: HashMap<&'a [u8], Vec<(usize, &'a [u8])>>,
}

impl<'a> Index<'a> {
    fn of(forms: &'a [Vec<String>]) -> Self {
        let mut index = Self { maybe: vec![false; 1 << 24], forms: HashMap::new() };
        for (which, form) in forms
            .iter()
            .enumerate()
            .flat_map(|(n, all)| all.iter().map(move |form| (n, form.as_bytes())))
        {
            index.maybe[three(form)] = true;
            index.forms.entry(&form[..BEGINNING]).or_default().push((which, form));
        }
        index
    }

    /// Numbers of the marks that are in there, with the place of one of each.
    fn hits(&self, bytes: &[u8]) -> BTreeMap<usize, usize> {
        let mut hits = BTreeMap::new();
        for at in 0..(bytes.len() + 1).saturating_sub(BEGINNING) {
            let rest = &bytes[at..];
            if !self.maybe[three(rest)] {
                continue;
            }
            for (which, form) in self.forms.get(&rest[..BEGINNING]).into_iter().flatten() {
                if rest.starts_with(form) {
                    hits.entry(*which).or_insert(at);
                }
            }
        }
        hits
    }
}

fn three(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
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
            b"canary-0123456789".to_vec(),
            b"canary-0canary-0123456789".to_vec(),
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
        let mut mark = Mark::new("email", "canary-a@people.test");
        mark.allow("letter to canary-a@people.test: *: head");
        let marks = [mark];
        let of = |name: &str| search(&marks, &[place(name, "<canary-a@people.test>")]);
        for known in [
            "accounts: account.email",
            "accounts: registration.email_folded",
            "letter to canary-a@people.test: Welcome: head",
        ] {
            assert!(of(known).leaks.is_empty(), "{known}");
            assert_eq!(of(known).known, [format!("email at {known}")]);
        }
        for leak in [
            "letter to canary-a@people.test: Welcome: body",
            "letter to b@people.test: Welcome: head",
            "mail request to canary-a@people.test: head",
            "accounts: session.device",
            "orders: orders.note",
        ] {
            assert_eq!(of(leak).leaks.len(), 1, "{leak}");
        }
        assert_eq!(search(&marks, &[place("log", "q=canary-a%40people.test")]).leaks.len(), 1);
    }

    /// One of each sort of place, and none that anything may be at.
    const SORTS: [&str; 16] = [
        "accounts: session.device",
        "accounts: outbox.payload",
        "notifier: dead_letter.payload",
        "bus: message.payload",
        "bus: heard.headers",
        "bus: accounts.letter.requested.v1",
        "queue: notifier.letter.v1.dlq",
        "file: bus.db",
        "log",
        "traces",
        "metrics",
        "cache",
        "answer: POST /api/auth/login",
        "letter to b@people.test: Welcome: body",
        "letter to b@people.test: Welcome: head",
        "mail request to b@people.test: head",
    ];

    #[test]
    fn s60_every_kind_of_mark_is_a_leak_at_every_sort_of_place() {
        for (kind, class) in KINDS {
            let marks = [Mark::new(kind, "canary-0123456789")];
            for sort in SORTS {
                let found = search(&marks, &[place(sort, "a canary-0123456789 b")]);
                assert_eq!(found.leaks.len(), 1, "{kind} at {sort}");
                let left = left_of_person(&marks, &[place(sort, "a canary-0123456789 b")], true);
                assert_eq!(left.leaks.len(), usize::from(class == Person), "{kind} at {sort}");
            }
        }
    }

    #[test]
    fn s60_what_a_kind_may_be_at_is_a_leak_for_others_and_after_an_erasure() {
        for (what, pattern, _) in ALLOWED {
            assert!(KINDS.iter().any(|(kind, _)| *kind == what), "{what} is no kind");
            let at = [place(&pattern.replace('*', "x"), "a canary-0123456789 b")];
            let mark = |kind| [Mark::new(kind, "canary-0123456789")];
            assert_eq!(search(&mark(what), &at).known.len(), 1, "{what} at {pattern}");
            assert_eq!(search(&mark("password"), &at).leaks.len(), 1, "{pattern}");
            let left = left_of_person(&mark(what), &at, false).leaks.len();
            let stays = pattern == EXPORT || what == "subscriber's email";
            assert_eq!(left, usize::from(!stays), "{what} at {pattern}");
        }
    }

    #[test]
    fn s60_only_what_was_handed_over_outlives_an_erasure() {
        let marks = [Mark::new("email", "canary-a@people.test")];
        let at = [place("letter to canary-a@people.test: Welcome: head", "canary-a@people.test")];
        assert!(left_of_person(&marks, &at, false).leaks.is_empty());
        assert_eq!(left_of_person(&marks, &at, true).leaks.len(), 1);
    }

    #[test]
    fn patterns_mean_what_they_say() {
        for (text, pattern, fit) in [
            ("log", "log", true),
            ("logs", "log", false),
            ("letter to a: b: head", "letter to a: *: head", true),
            ("letter to a: b: body", "letter to a: *: head", false),
            ("letter to ab: b: head", "letter to a: *: head", false),
            ("orders: orders.billing_address", "orders: *_address", true),
            ("aXbXc", "a*b*c", true),
            ("aXbX", "a*b*c", false),
            ("", "*", true),
        ] {
            assert_eq!(fits(text, pattern), fit, "{text} {pattern}");
        }
    }
}
