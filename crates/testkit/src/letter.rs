//! Letters as they were handed over: to whom, and what they say.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The plain text of a message, decoded (RFC 2045).
pub fn words(raw: &str) -> String {
    part(raw, "text/plain")
}

/// The HTML of a message, decoded.
pub fn html(raw: &str) -> String {
    part(raw, "text/html")
}

/// Everything before the first empty line: a header a line, words in other alphabets decoded
/// (RFC 2047).
pub fn head(raw: &str) -> String {
    let head = raw.split("\r\n\r\n").next().unwrap_or_default();
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ").replace("?= =?", "?==?");
    let mut plain = String::new();
    let mut rest = head.as_str();
    while let Some((before, encoded)) = rest.split_once("=?") {
        plain += before;
        let mut parts = encoded.splitn(4, '?');
        let (_, how, text) = (parts.next(), parts.next(), parts.next());
        let (Some(how), Some(text), Some(after)) = (how, text, parts.next()) else {
            rest = encoded;
            plain += "=?";
            continue;
        };
        let bytes = if how.eq_ignore_ascii_case("b") {
            STANDARD.decode(text).expect("base64")
        } else {
            unquoted(text.replace('_', " ").as_bytes())
        };
        plain += &String::from_utf8_lossy(&bytes);
        rest = after.strip_prefix('=').unwrap_or(after);
    }
    plain + rest
}

/// What the letter says it is about.
pub fn subject(raw: &str) -> String {
    let head = head(raw);
    let subject = head.lines().find_map(|line| line.strip_prefix("Subject:"));
    subject.expect("a subject").trim().to_owned()
}

fn part(raw: &str, media: &str) -> String {
    let start = raw.find(&format!("Content-Type: {media}"));
    let start = start.unwrap_or_else(|| panic!("no {media} part in {raw}"));
    let (head, body) = raw[start..].split_once("\r\n\r\n").expect("a body");
    let body = body.split("\r\n--souk-").next().unwrap_or_default();
    let head = head.to_ascii_lowercase();
    let bytes = if head.contains("quoted-printable") {
        unquoted(body.as_bytes())
    } else if head.contains("base64") {
        let letters: String = body.split_whitespace().collect();
        STANDARD.decode(letters).expect("base64")
    } else {
        body.as_bytes().to_vec()
    };
    String::from_utf8(bytes).expect("UTF-8")
}

/// The one address that a message goes to.
pub fn recipient(raw: &str) -> String {
    let head = raw.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
    let to = head.lines().find_map(|line| line.strip_prefix("To:")).expect("a recipient");
    let address = to.rsplit_once('<').map_or(to, |(_, address)| address);
    address.trim().trim_end_matches('>').to_owned()
}

/// The token in the link of a letter's words.
pub fn token(words: &str) -> Option<&str> {
    words.lines().find_map(|line| line.trim().split_once("?token=")).map(|(_, token)| token)
}

/// The code in a letter's words: it has a line of its own.
pub fn code(words: &str) -> Option<&str> {
    let is_code = |line: &&str| {
        line.len() == 8 && line.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
    };
    words.lines().map(str::trim).find(is_code)
}

fn unquoted(body: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = body;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'=' {
            plain.push(first);
        } else if let Some(next_line) = after.strip_prefix(b"\r\n") {
            rest = next_line;
        } else {
            let (hex, after) = after.split_at(2);
            let hex = std::str::from_utf8(hex).expect("hexadecimal digits");
            plain.push(u8::from_str_radix(hex, 16).expect("hexadecimal digits"));
            rest = after;
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: &str = "From: Souk <a@b.example>\r\nTo: \"Ada Probe\"\r\n <ada@people.test>\r\n\
        Subject: [Souk] =?utf-8?b?VGVl?= =?utf-8?q?_f=C3=BCr?=\r\n drei\r\n\r\n--souk-1\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nChoose a new =\r\npassword\r\n\r\n\
        https://shop.example/account/reset?token=3Dabc=\r\nDEF\r\n\r\n 10ABCD0Z\r\n\r\n--souk-1\r\n\
        Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
        PGI+aGk8\r\nL2I+\r\n--souk-1--\r\n";

    #[test]
    fn a_letter_is_read_as_its_reader_sees_it() {
        let words = words(LETTER);
        assert!(words.starts_with("Choose a new password"), "{words}");
        assert_eq!(token(&words), Some("abcDEF"));
        assert_eq!(code(&words), Some("10ABCD0Z"));
        assert_eq!(html(LETTER), "<b>hi</b>");
        assert_eq!(subject(LETTER), "[Souk] Tee für drei");
        assert!(head(LETTER).contains("To: \"Ada Probe\" <ada@people.test>\r\n"));
        assert_eq!(recipient(LETTER), "ada@people.test");
        assert_eq!(recipient("To: ada@people.test\r\n\r\n"), "ada@people.test");
    }
}
