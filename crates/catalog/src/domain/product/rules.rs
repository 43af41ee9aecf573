//! What each writable field may hold. The sentences are shown behind the field's name.
use std::collections::BTreeMap;

use crate::domain::stock::{LOW_ATTRIBUTE, low_at};

pub(crate) const CONDITIONS: [&str; 4] = ["new", "like_new", "good", "fair"];
/// A billion units is more than anybody has; sums stay far inside `i64`.
const MAX_STOCK: i64 = 1_000_000_000;

type Checked<T> = Result<T, String>;

fn text(value: &str, max: usize) -> Checked<String> {
    if value.chars().any(|c| c == '\0' || (c.is_control() && !"\n\r\t".contains(c))) {
        return Err("must not contain control characters".to_owned());
    }
    if value.chars().count() > max {
        return Err(format!("must have at most {max} characters"));
    }
    Ok(value.to_owned())
}

fn line(value: &str, max: usize) -> Checked<String> {
    let value = value.trim();
    if value.contains(['\n', '\r']) {
        return Err("must be one line".to_owned());
    }
    text(value, max)
}

pub(crate) fn name(value: &str) -> Checked<String> {
    if value.trim().is_empty() {
        return Err("must not be empty".to_owned());
    }
    line(value, 300)
}

pub(crate) fn description(value: &str) -> Checked<String> {
    text(value, 20_000)
}

pub(crate) fn brand(value: &str) -> Checked<String> {
    line(value, 100)
}

pub(crate) fn handle(value: &str) -> Checked<String> {
    line(value, 255)
}

pub(crate) fn condition(value: &str) -> Checked<Option<String>> {
    match value {
        "" => Ok(None),
        known if CONDITIONS.contains(&known) => Ok(Some(known.to_owned())),
        _ => Err(format!("must be one of {}", CONDITIONS.join(", "))),
    }
}

pub(crate) fn stock(value: i64) -> Checked<i64> {
    match value {
        ..0 => Err("must not be negative".to_owned()),
        0..=MAX_STOCK => Ok(value),
        _ => Err(format!("must be at most {MAX_STOCK}")),
    }
}

/// Trimmed, without doubles, in the order given.
pub(crate) fn tags(values: &[String]) -> Checked<Vec<String>> {
    let mut tags = Vec::new();
    for value in values {
        let tag = line(value, 50)?;
        if tag.is_empty() {
            return Err("must not hold an empty tag".to_owned());
        }
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if tags.len() > 50 {
        return Err("must be at most 50".to_owned());
    }
    Ok(tags)
}

/// URLs, or paths of this shop.
pub(crate) fn images(values: &[String]) -> Checked<Vec<String>> {
    if values.len() > 50 {
        return Err("must be at most 50".to_owned());
    }
    let fine = |url: &String| {
        url.len() <= 2000
            && !url.chars().any(|c| c.is_control() || c.is_whitespace() || "<>\"'\\".contains(c))
            && (url.starts_with("https://")
                || url.starts_with("http://")
                || (url.starts_with('/') && !url.starts_with("//")))
    };
    if values.iter().all(fine) {
        Ok(values.to_vec())
    } else {
        Err("must be http(s) URLs or paths beginning with \"/\"".to_owned())
    }
}

pub(crate) fn attributes(values: &BTreeMap<String, String>) -> Checked<BTreeMap<String, String>> {
    if values.len() > 100 {
        return Err("must be at most 100".to_owned());
    }
    let mut checked = BTreeMap::new();
    for (key, value) in values {
        let name = line(key, 100)?;
        if name.is_empty() {
            return Err("must not have an empty name".to_owned());
        }
        if name == LOW_ATTRIBUTE {
            low_at(value)?;
        }
        checked.insert(name, text(value, 1000)?);
    }
    Ok(checked)
}
