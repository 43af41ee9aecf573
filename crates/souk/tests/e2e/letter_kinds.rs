//! Accounts ask for letters, notifier writes them. Neither may link the other, so each has its own
//! list of the kinds; here both are held together, and the page of the contract with them.
use std::collections::BTreeSet;

use souk_notifier::domain::request::{Kind, Secret};

/// Word, and what makes it secret.
type Kinds = BTreeSet<(String, String)>;

fn of_accounts() -> Kinds {
    let owned = |(word, secret): (&str, &str)| (word.to_owned(), secret.to_owned());
    souk_accounts::letters().into_iter().map(owned).collect()
}

fn of_notifier() -> Kinds {
    let secret = |kind: Kind| match kind.secret() {
        Secret::None => "",
        Secret::Code => "code",
        Secret::Link => "link",
    };
    Kind::ALL.into_iter().map(|k| (k.as_str().to_owned(), secret(k).to_owned())).collect()
}

/// "accounts: welcome": what only one side has, or has otherwise.
fn differences(accounts: &Kinds, notifier: &Kinds) -> Vec<String> {
    let only = |name: &'static str, here: &Kinds, there: &Kinds| -> Vec<String> {
        let told = |(word, secret): &(String, String)| format!("{name}: {word} {secret}");
        here.difference(there).map(told).collect()
    };
    [only("accounts", accounts, notifier), only("notifier", notifier, accounts)].concat()
}

#[test]
fn accounts_and_notifier_know_the_same_letters() {
    let (accounts, notifier) = (of_accounts(), of_notifier());
    assert_eq!(differences(&accounts, &notifier), Vec::<String>::new());
    // none stands there twice
    assert_eq!(accounts.len(), souk_accounts::letters().len());
    assert_eq!(notifier.len(), Kind::ALL.len());
}

#[test]
fn the_contract_names_every_letter() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto/souk/accounts/v1/mail.proto");
    let page = std::fs::read_to_string(page).expect("the contract");
    let (before, _) = page.split_once("string kind = 2;").expect("the field");
    let comment = before.rsplit_once(';').map_or(before, |(_, comment)| comment);
    // the first line speaks of the field before
    let words = comment.lines().skip(1).filter_map(|line| line.trim().strip_prefix("//"));
    let words: BTreeSet<&str> =
        words.flat_map(|line| line.split(',')).map(str::trim).filter(|w| !w.is_empty()).collect();
    let known = souk_accounts::letters();
    let known: BTreeSet<&str> = known.iter().map(|(word, _)| *word).collect();
    assert_eq!(words, known);
}

#[test]
fn a_letter_that_one_side_lacks_is_a_difference() {
    let whole = of_accounts();
    for lacking in &whole {
        let mut less = whole.clone();
        less.remove(lacking);
        let told = format!("{} {}", lacking.0, lacking.1);
        assert_eq!(differences(&less, &whole), [format!("notifier: {told}")]);
        assert_eq!(differences(&whole, &less), [format!("accounts: {told}")]);
        // a secret that one side takes for none
        less.insert((lacking.0.clone(), "other".to_owned()));
        assert_eq!(differences(&whole, &less).len(), 2);
    }
}
