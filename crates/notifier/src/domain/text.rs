//! Foreign text made fit for one line of a letter.

/// `text` on one line of at most `limit` characters. Line breaks and other control characters
/// become spaces; marks that turn the direction of writing are dropped, for they can disguise what
/// is read.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    for c in text.trim().chars() {
        if is_direction_mark(c) {
            continue;
        }
        if count == limit {
            line.pop();
            line.push('…');
            break;
        }
        let breaks = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        line.push(if breaks { ' ' } else { c });
        count += 1;
    }
    line
}

fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_breaks_no_disguises_and_a_bound() {
        let cases = [
            ("  plain ", "plain"),
            ("a\r\nBcc: x@evil", "a  Bcc: x@evil"),
            ("nul\0and\u{2028}line", "nul and line"),
            ("gpj.\u{202e}exe", "gpj.exe"),
            ("<a href=//evil>{{x}}", "<a href=//evil>{{x}}"),
        ];
        for (given, expected) in cases {
            assert_eq!(one_line(given, 100), expected, "{given:?}");
        }
        assert_eq!(one_line(&"ä".repeat(2000), 10), format!("{}…", "ä".repeat(9)));
        assert_eq!(one_line(&"ä".repeat(10), 10), "ä".repeat(10));
    }
}
