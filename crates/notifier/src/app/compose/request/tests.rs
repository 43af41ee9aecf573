//! Letters of accounts as people read them.
use super::*;

fn shop() -> Shop {
    Shop::new("Souk", "https://shop.example/")
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_251_600 + second, 0).unwrap()
}

fn mail() -> Mail {
    Mail {
        email: "ann@shop.example".into(),
        name: "Ann Lee".into(),
        code: String::new(),
        link: String::new(),
        facts: Vec::new(),
        obsolete: false,
        expires_at: None,
    }
}

fn facts(facts: &[(&str, &str)]) -> Vec<(String, String)> {
    facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_code_is_told_with_its_end_and_without_a_name_that_a_stranger_may_have_chosen() {
    let mail = Mail { code: "7KQ2M9XA".into(), expires_at: Some(at(900)), ..mail() };
    let words = request(&shop(), Kind::RegistrationCode, &mail, at(0));
    assert_eq!(words.subject, "[Souk] Your code to register");
    let expected = "Your code to register

Hello,

enter this code where you began to register, and your account is ready.

    7KQ2M9XA

The code is good for 15 minutes, until 09:15 UTC.

If you did not ask for an account, do nothing: without the code there will be none.

--
Souk sent you this letter about your account. Answers to it reach nobody.
";
    assert_eq!(words.text, expected);
    for part in ["7KQ2M9XA", "15 minutes, until 09:15 UTC", "do nothing"] {
        assert!(words.html.contains(part), "{part} in {}", words.html);
    }
    assert!(!words.subject.contains("7KQ2M9XA"));
}

#[test]
fn a_link_leads_to_the_shop() {
    let link = "/account/reset?token=a-b_c".to_owned();
    let mail = Mail { link, expires_at: Some(at(900)), ..mail() };
    let words = request(&shop(), Kind::PasswordReset, &mail, at(0));
    let whole = "https://shop.example/account/reset?token=a-b_c";
    assert!(words.text.contains(&format!("Choose a new password:\n{whole}\n")), "{}", words.text);
    assert!(words.html.contains(&format!("href=\"{whole}\"")), "{}", words.html);
    assert!(words.text.contains("The link is good for 15 minutes"), "{}", words.text);
}

#[test]
fn facts_have_names_that_people_know() {
    let facts = facts(&[
        ("device", "Firefox on Linux"),
        ("network", "192.0.2.0/24"),
        ("at", "2026-11-21T14:05:00Z"),
        ("reason", "evicted"),
        ("until", ""),
    ]);
    let words = request(&shop(), Kind::SessionEnded, &Mail { facts, ..mail() }, at(0));
    for part in [
        "Hello Ann Lee,",
        "  Device       Firefox on Linux\n",
        "  Network      192.0.2.0/24\n",
        "  When         21 November 2026, 14:05 UTC\n",
        "  Why          Another device signed in",
    ] {
        assert!(words.text.contains(part), "{part} in {}", words.text);
    }
    assert!(!words.text.contains("Until"), "{}", words.text);
    assert!(!words.text.contains("good for"), "{}", words.text);
}

#[test]
fn a_new_password_tells_who_was_signed_out_and_how_many_keys_ended() {
    let facts = facts(&[("revoked_api_keys", "2")]);
    let words = request(&shop(), Kind::PasswordChanged, &Mail { facts, ..mail() }, at(0));
    for part in ["all other devices were signed out", "  API keys     2 revoked\n"] {
        assert!(words.text.contains(part), "{part} in {}", words.text);
    }
    let words = request(&shop(), Kind::PasswordChanged, &mail(), at(0));
    assert!(!words.text.contains("API keys"), "{}", words.text);
}

#[test]
fn codes_become_words_and_what_people_wrote_stays() {
    assert_eq!(plain("recovery_codes_replaced"), "Recovery codes replaced");
    assert_eq!(plain("Sold fakes, see ticket_7"), "Sold fakes, see ticket_7");
    assert_eq!(plain(""), "");
}

#[test]
fn every_kind_has_its_own_words() {
    let mut subjects = std::collections::BTreeSet::new();
    for kind in Kind::ALL {
        let mail = Mail { code: "CODE".into(), link: "/x".into(), ..mail() };
        let words = request(&shop(), kind, &mail, at(0));
        assert!(words.text.contains(told(kind).sentence), "{kind:?}");
        assert!(words.html.contains(told(kind).headline), "{kind:?}");
        assert!(subjects.insert(words.subject), "{kind:?}");
        let has_button = !told(kind).button.is_empty();
        assert_eq!(has_button, kind.secret() == crate::domain::request::Secret::Link, "{kind:?}");
    }
}

#[test]
fn foreign_text_is_escaped_in_html_and_verbatim_in_text() {
    let name = "<a href=//evil>Reset your password</a> {{ shop.name }} ${7*7}";
    let facts = facts(&[("device", name)]);
    let mail = Mail { name: name.into(), facts, ..mail() };
    let words = request(&shop(), Kind::NewDevice, &mail, at(0));
    assert!(words.text.contains(&format!("Hello {name},")), "{}", words.text);
    assert!(words.text.contains(&format!("Device       {name}")), "{}", words.text);
    assert!(!words.html.contains("<a href=//evil>"), "{}", words.html);
    assert!(words.html.contains("{{ shop.name }} ${7*7}"), "{}", words.html);
}
