//! Words that nobody gives themselves as a name: those that the shop speaks under, and those that
//! insult. An admin may, for others.

use std::sync::LazyLock;

use souk_values::fold;

/// Why a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WordError {
    #[error("is reserved")]
    Reserved,
    #[error("contains a word that is not allowed")]
    Disallowed,
}

/// `data/reserved.txt`: the word, and whether no address begins with it either.
static RESERVED: LazyLock<Vec<(String, bool)>> = LazyLock::new(|| {
    let words = lines(include_str!("../../data/reserved.txt"));
    words
        .map(|line| match line.strip_suffix('@') {
            Some(word) => (squeezed(word), true),
            None => (squeezed(line), false),
        })
        .collect()
});

/// `data/disallowed.txt`: the word, and whether it must stand alone.
static DISALLOWED: LazyLock<Vec<(String, bool)>> = LazyLock::new(|| {
    let words = lines(include_str!("../../data/disallowed.txt"));
    words
        .map(|line| match line.strip_prefix('=') {
            Some(word) => (likeness(word), true),
            None => (likeness(line), false),
        })
        .collect()
});

pub(crate) fn check_username(name: &str) -> Result<(), WordError> {
    let name = likeness(name);
    let shop = RESERVED.iter().any(|(word, _)| *word == squeezed(&name));
    if shop { Err(WordError::Reserved) } else { check_words(&name) }
}

/// By what stands before the `@`, and before a `+` in it.
pub(crate) fn check_address(address: &str) -> Result<(), WordError> {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    let local = likeness(local);
    let owner = local.split('+').next().unwrap_or_default();
    let shop = RESERVED.iter().any(|(word, mail)| *mail && *word == squeezed(owner));
    if shop { Err(WordError::Reserved) } else { check_words(&local) }
}

fn check_words(likeness: &str) -> Result<(), WordError> {
    let parts: Vec<&str> = likeness.split(|c: char| !c.is_alphanumeric()).collect();
    let stands = |word: &str, alone: bool| {
        parts.iter().any(|part| if alone { *part == word } else { part.contains(word) })
    };
    let bad = DISALLOWED.iter().any(|(word, alone)| stands(word, *alone));
    if bad { Err(WordError::Disallowed) } else { Ok(()) }
}

/// Folded, with digits as the letters they look like; `1`, `i` and `l` are one.
fn likeness(text: &str) -> String {
    let alike = |letter: char| match letter {
        '0' => 'o',
        '1' | 'l' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '7' => 't',
        letter => letter,
    };
    fold(text).chars().map(alike).collect()
}

/// Without what stands between the words: `no-reply` is `noreply`.
fn squeezed(text: &str) -> String {
    likeness(text).chars().filter(|letter| letter.is_alphanumeric()).collect()
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_shop_are_reserved_in_any_spelling() {
        for name in ["admin", "ADMIN", "Adm1n", "souk", "s0uk", "no-reply", "No_Reply", "sup.port"]
        {
            assert_eq!(check_username(name), Err(WordError::Reserved), "{name}");
        }
        for name in ["ann", "adminton", "souki", "martin", "Дмитрий", "手机店", "root-beer"]
        {
            assert_eq!(check_username(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn addresses_of_nobody_are_reserved_and_those_of_small_firms_are_not() {
        for address in ["admin@x.test", "postmaster+me@x.test", "No-Reply@x.test", "r00t@x.test"] {
            assert_eq!(check_address(address), Err(WordError::Reserved), "{address}");
        }
        for address in ["info@x.test", "sales@x.test", "ann+admin@x.test", "ann@admin.test"] {
            assert_eq!(check_address(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn insults_are_not_allowed_and_names_that_only_contain_them_are() {
        for name in ["fuck", "xxFUCKxx", "fvck.5h1t", "5h1t", "a-cunt-b", "h1t1er", "H1TLER88"] {
            assert_eq!(check_username(name), Err(WordError::Disallowed), "{name}");
        }
        assert_eq!(check_address("big.5hit@x.test"), Err(WordError::Disallowed));
        assert_eq!(check_address("ann@fuck.test"), Ok(()));
        for name in
            ["scunthorpe", "supaporn", "push-it", "shiitake", "therapist", "dickens", "assam"]
        {
            assert_eq!(check_username(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn no_word_of_the_lists_is_empty() {
        assert!(RESERVED.len() > 20 && DISALLOWED.len() > 20);
        assert!(RESERVED.iter().chain(DISALLOWED.iter()).all(|(word, _)| word.len() > 2));
    }
}
