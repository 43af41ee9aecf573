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
    assert!(Password::parse("12345687x").is_ok());
    assert!(Password::parse("пароль-8").is_ok());
    assert!(Password::parse("🦀🦀🦀🦀🦀🦀🦀🦀").is_ok());
    assert!(Password::parse(&"x".repeat(256)).is_ok());
    assert_eq!(Password::parse(&"x".repeat(257)), Err(PasswordError::TooLong));
    let told = Password::parse("ANN@shop.example").unwrap();
    assert_eq!(told.check_against("annlee", "ann@shop.example"), Err(PasswordError::Told));
    assert_eq!(told.check_against("Ann@Shop.Example", "x@y.z"), Err(PasswordError::Told));
    assert_eq!(told.check_against("annlee", "lee@shop.example"), Ok(()));
}

#[test]
fn what_everybody_tries_is_no_password() {
    for common in ["password", "PassWord", "12345678", "\u{ff11}2345678", "qwertyuiop"] {
        assert_eq!(Password::parse(common), Err(PasswordError::Common), "{common}");
    }
    // no rule of composition: what matters is whether somebody would try it
    for plain in ["passwort-ohne-regeln", "        8", "aaaabbbbccccd"] {
        assert!(Password::parse(plain).is_ok(), "{plain}");
    }
}

#[test]
fn words_of_the_account_do_not_count() {
    let check = |password: &str, username: &str, email: &str| {
        Password::parse(password).unwrap().check_against(username, email)
    };
    for guessable in [
        "souksouk",
        "Souk-2026",
        "annlee-2026",
        "annleeannlee",
        "souk12345678",
        "x-ann.b@shop.example",
    ] {
        let checked = check(guessable, "AnnLee", "ann.b@shop.example");
        assert_eq!(checked, Err(PasswordError::Told), "{guessable}");
    }
    for fine in ["souk-of-many-lamps", "annlee and 8 more", "correct horse battery"] {
        assert_eq!(check(fine, "AnnLee", "ann.b@shop.example"), Ok(()), "{fine}");
    }
    // too short to tell anything
    assert_eq!(check("ab-cdefgh", "xyz", "ab@shop.example"), Ok(()));
    assert_eq!(check("any-word", "", ""), Ok(()));
}

#[test]
fn nobody_takes_a_name_of_the_shop_but_may_keep_one() {
    let named = |username: &str, email: &str, was: &str| {
        let fields = Fields {
            username: Some(username.into()),
            email: Some(email.into()),
            ..Fields::default()
        };
        let broken = fields.parse(|_| None).0.not_to_be_taken(was, "was@shop.example");
        broken.into_iter().map(|broken| broken.field).collect::<Vec<_>>()
    };
    assert_eq!(named("Admin", "postmaster@shop.example", "ann"), ["username", "email"]);
    assert_eq!(named("Admin", "ann@shop.example", "admin"), Vec::<&str>::new());
    assert_eq!(named("ann", "info@shop.example", ""), Vec::<&str>::new());
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
        password_hash: None,
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
