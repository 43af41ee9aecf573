//! Kinds, bounds and times of letters of accounts.
use super::*;

fn mail() -> Mail {
    Mail {
        email: "ann@shop.example".into(),
        name: "Ann".into(),
        code: "7KQ2M9XA".into(),
        link: "/account/reset?token=abc".into(),
        facts: Vec::new(),
        obsolete: false,
        expires_at: None,
    }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_251_600 + second, 0).unwrap()
}

#[test]
fn every_kind_reads_back_its_word_and_its_event() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        assert_eq!(Kind::of_event(&kind.event()), Some(kind));
    }
    for other in ["welcome", "account.", "account.Welcome", "order.confirmed"] {
        assert_eq!(Kind::of_event(other), None, "{other}");
    }
}

#[test]
fn a_secret_letter_without_its_secret_is_not_complete() {
    for kind in Kind::ALL {
        assert!(mail().is_complete(kind), "{kind:?}");
        let empty = Mail { code: String::new(), link: String::new(), ..mail() };
        assert_eq!(empty.is_complete(kind), kind.secret() == Secret::None, "{kind:?}");
    }
}

#[test]
fn what_is_no_path_is_no_link() {
    let long = format!("/{}", "a".repeat(1_000));
    for bad in ["https://evil.example/", "account/reset", "/a b", "/a\r\nb", "/ä", &long] {
        assert_eq!(Mail { link: bad.into(), ..mail() }.bounded().link, "", "{bad:?}");
    }
    assert_eq!(mail().bounded(), mail());
}

#[test]
fn texts_are_one_line_of_bounded_length() {
    let facts = vec![("device".to_owned(), format!("a\r\nb{}", "c".repeat(500))); 30];
    let bounded = Mail { name: "An\nn".into(), facts, ..mail() }.bounded();
    assert_eq!(bounded.name, "An n");
    assert_eq!(bounded.facts.len(), 20);
    let value = &bounded.facts[0].1;
    assert!(value.starts_with("a  bc") && value.chars().count() == 200, "{value}");
}

#[test]
fn an_expired_letter_is_over_at_that_moment() {
    assert!(!mail().is_over(at(0)));
    assert!(Mail { obsolete: true, ..mail() }.is_over(at(0)));
    let ends = Mail { expires_at: Some(at(60)), ..mail() };
    assert!(!ends.is_over(at(59)));
    assert!(ends.is_over(at(60)));
}

#[test]
fn times_are_told_in_words() {
    assert_eq!(good_for(at(0), at(900)), "15 minutes, until 09:15 UTC");
    assert_eq!(good_for(at(1), at(900)), "15 minutes, until 09:15 UTC");
    assert_eq!(good_for(at(0), at(10)), "1 minute, until 09:00 UTC");
    assert_eq!(good_for(at(0), at(2 * 3_600)), "2 hours, until 11:00 UTC");
    assert_eq!(good_for(at(0), at(24 * 3_600)), "24 hours, until 22 November 2026, 09:00 UTC");
    assert_eq!(good_for(at(0), at(7 * 86_400)), "7 days, until 28 November 2026, 09:00 UTC");
    assert_eq!(good_for(at(60), at(0)), "1 minute, until 09:00 UTC");
    assert_eq!(time_in_words("2026-11-21T10:00:00+01:00"), "21 November 2026, 09:00 UTC");
    assert_eq!(time_in_words("1795251600000000"), "21 November 2026, 09:00 UTC");
    assert_eq!(time_in_words("soon"), "soon");
}

#[test]
fn mail_does_not_print_its_secrets() {
    assert_eq!(format!("{:?}", mail()), "Mail(***)");
}
