//! What a device is called.

/// Characters of a name at most.
const LONGEST: usize = 100;

/// What a client calls itself, fit to be shown to its owner: in one line, bounded.
pub(crate) fn clean(text: &str) -> String {
    // a user agent has no bound of its own: what is far beyond ours is not worth a look
    let visible = text.chars().take(10 * LONGEST).filter(|&c| c.is_whitespace() || is_visible(c));
    let visible: String = visible.collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let cut: String = words.join(" ").chars().take(LONGEST).collect();
    cut.trim_end().to_owned()
}

/// The name that an owner gives. `Err`: what is wrong with it.
pub(crate) fn name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let fits = (1..=LONGEST).contains(&text.chars().count());
    if fits && text.chars().all(|c| c == ' ' || is_visible(c)) {
        Ok(text.to_owned())
    } else {
        Err("must have 1 to 100 printable characters")
    }
}

/// Neither a control nor one of those that hide themselves or turn the text around them.
fn is_visible(c: char) -> bool {
    let hidden = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    !hidden && !c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_becomes_one_bounded_line() {
        for (said, shown) in [
            ("Firefox on Linux", "Firefox on Linux"),
            ("  a\r\nb\t c ", "a b c"),
            ("a\0b\u{202e}c\u{200b}", "abc"),
            ("Téléphone 📱", "Téléphone 📱"),
            ("\u{7f}\u{feff}", ""),
        ] {
            assert_eq!(clean(said), shown, "{said:?}");
        }
        assert_eq!(clean(&"é".repeat(5000)), "é".repeat(100));
        assert_eq!(clean(&format!("{} b", "a".repeat(99))), "a".repeat(99));
        assert_eq!(clean(&"\0".repeat(1_000_000)), "");
    }

    #[test]
    fn a_given_name_is_taken_as_it_is_or_refused() {
        assert_eq!(name(" Kitchen tablet ").as_deref(), Ok("Kitchen tablet"));
        assert_eq!(name(&"x".repeat(100)), Ok("x".repeat(100)));
        for wrong in ["", "  ", &"x".repeat(101), "a\nb", "a\0", "a\u{202e}b"] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }
}
