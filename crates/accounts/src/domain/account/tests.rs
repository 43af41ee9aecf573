//! Cases of the rules about a person's fields.

use super::*;

#[test]
fn usernames_are_short_words() {
    for ok in ["ann", "Ann.Lee_2-x", "Дмитрий", "手机店", "jose\u{301}", &"x".repeat(32)]
    {
        assert!(Username::parse(ok).is_ok(), "{ok}");
    }
    assert_eq!(Username::parse(" ann ").unwrap().as_str(), "ann");
    for bad in ["", "ab", "  ab ", &"x".repeat(33)] {
        assert_eq!(Username::parse(bad), Err(UsernameError::Length), "{bad}");
    }
    for bad in ["a b", "ann@shop", "a/b", "a\0bc", "ann\u{200d}", "<b>x</b>", "a\u{202e}bc"] {
        assert_eq!(Username::parse(bad), Err(UsernameError::Characters), "{bad:?}");
    }
}

#[test]
fn usernames_that_look_alike_are_the_same() {
    let folded = |text: &str| Username::parse(text).unwrap().folded();
    for (one, other) in
        [("Ann", "aNN"), ("jos\u{e9}", "JOSE\u{301}"), ("\u{ff21}nna", "anna"), ("Ärni", "ärni")]
    {
        assert_eq!(folded(one), folded(other), "{one} {other}");
    }
    assert_ne!(folded("anna"), folded("anne"));
}

#[test]
fn full_names_are_free_but_bounded() {
    assert_eq!(FullName::parse("").unwrap().as_str(), "");
    assert_eq!(FullName::parse(" Ann O'Neil-Łoś ").unwrap().as_str(), "Ann O'Neil-Łoś");
    assert_eq!(FullName::parse(&"x".repeat(201)), Err(FullNameError::TooLong));
    assert_eq!(FullName::parse("a\nb"), Err(FullNameError::Control));
}

#[test]
fn a_password_is_long_enough_and_not_the_name() {
    assert_eq!(Password::parse("1234567"), Err(PasswordError::TooShort));
    assert!(Password::parse("12345678").is_ok());
    assert!(Password::parse("пароль-8").is_ok());
    assert!(Password::parse(&"x".repeat(256)).is_ok());
    assert_eq!(Password::parse(&"x".repeat(257)), Err(PasswordError::TooLong));
    let told = Password::parse("ANN@shop.example").unwrap();
    assert_eq!(told.check_against("annlee", "ann@shop.example"), Err(PasswordError::Told));
    assert_eq!(told.check_against("Ann@Shop.Example", "x@y.z"), Err(PasswordError::Told));
    assert_eq!(told.check_against("annlee", "lee@shop.example"), Ok(()));
}

#[test]
fn a_password_does_not_print() {
    assert_eq!(format!("{:?}", Password::parse("correct horse").unwrap()), "***");
}

#[test]
fn every_broken_field_is_named_at_once() {
    let fields = Fields {
        username: Some("a".into()),
        email: Some("nobody".into()),
        full_name: Some("\u{7}".into()),
        password: Some("short".into()),
        role: Some("emperor".into()),
        active: Some(true),
    };
    let (changes, broken) = fields.parse(|_| None);
    let named: Vec<&str> = broken.iter().map(|b| b.field).collect();
    assert_eq!(named, ["username", "email", "full_name", "password", "role"]);
    assert_eq!(changes.active, Some(true));
}

#[test]
fn absent_fields_stay_absent() {
    let (changes, broken) = Fields::default().parse(|_| None);
    assert!(broken.is_empty());
    assert!(changes.username.is_none() && changes.password.is_none() && changes.active.is_none());
}
