//! Letters as they were handed over: to whom, and what they say.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The plain text of a message, decoded (RFC 2045).
pub fn words(raw: &str) -> String {
    let start = raw.find("Content-Type: text/plain").expect("a text part");
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
        Subject: [Souk] Choose\r\n\r\n--souk-1\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nChoose a new =\r\npassword\r\n\r\n\
        https://shop.example/account/reset?token=3Dabc=\r\nDEF\r\n\r\n--souk-1--\r\n";

    #[test]
    fn a_letter_is_read_as_its_reader_sees_it() {
        let words = words(LETTER);
        assert!(words.starts_with("Choose a new password"), "{words}");
        assert_eq!(token(&words), Some("abcDEF"));
        assert_eq!(recipient(LETTER), "ada@people.test");
        assert_eq!(recipient("To: ada@people.test\r\n\r\n"), "ada@people.test");
    }
}
