//! Topic patterns of AMQP 0-9-1: words between dots, `*` stands for one word, `#` for any number,
//! none included.

/// Does the binding `pattern` want messages with this routing key?
pub(in crate::bus) fn matches(pattern: &str, key: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('.').collect();
    let key: Vec<&str> = key.split('.').collect();
    words_match(&pattern, &key)
}

fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    match pattern.split_first() {
        None => key.is_empty(),
        Some((&"#", rest)) => (0..=key.len()).any(|skip| words_match(rest, &key[skip..])),
        Some((&word, rest)) => match key.split_first() {
            Some((&first, key)) => (word == "*" || word == first) && words_match(rest, key),
            None => false,
        },
    }
}

#[cfg(test)]
mod tests;
