//! The head of a letter: nobody's text makes a line of it.
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use souk_notifier::clients::mail::mime::{Head, Sender, message};
use souk_notifier::domain::letter::Words;
use souk_values::LetterId;

static SENDER: LazyLock<Option<Sender>> =
    LazyLock::new(|| Sender::parse("Souk <shop@souk.example>").ok());

/// The lines that a head may have.
const KNOWN: [&str; 9] = [
    "From:",
    "To:",
    "Date:",
    "Message-ID:",
    "Subject:",
    "X-Souk-",
    "Auto-Submitted:",
    "MIME-Version:",
    "Content-Type:",
];

/// Address, subject and text of a letter, parted by NUL.
pub fn letter_header(data: &[u8]) {
    let Some(from) = &*SENDER else { return };
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '\0');
    let mut part = || parts.next().unwrap_or_default();
    let (to, subject, words) = (part(), part(), part());
    let words = Words { subject: subject.to_owned(), text: words.to_owned(), html: String::new() };
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let letter = LetterId::new();
    let head = Head { letter, from, to, date, trace: None, unsubscribe: None };
    let Ok(letter) = message(&head, &words) else { return };
    let raw = letter.mime;
    let end = raw.windows(4).position(|part| part == b"\r\n\r\n").unwrap_or(raw.len());
    let head = &raw[..end];
    assert!(head.is_ascii(), "{to:?} {subject:?}");
    let head = String::from_utf8_lossy(head);
    assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head:?}");
    // a line that begins with a space goes on with the one before
    let lines = || head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
    for line in lines() {
        assert!(KNOWN.iter().any(|known| line.starts_with(known)), "{line:?} in {head:?}");
    }
    for once in ["From:", "To:", "Subject:", "Content-Type:"] {
        let count = lines().filter(|line| line.starts_with(once)).count();
        assert_eq!(count, 1, "{once} in {head:?}");
    }
    assert!(!letter.to.contains(['\r', '\n', ',', '<', '>']), "{:?}", letter.to);
}
