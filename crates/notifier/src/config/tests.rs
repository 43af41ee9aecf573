//! Settings: what is refused, and with which sentence.
use super::*;

fn read(json: serde_json::Value) -> Result<Config, String> {
    let config: Config = serde_json::from_value(json).map_err(|e| e.to_string())?;
    config.check().map(|()| config)
}

#[test]
fn the_defaults_are_possible() {
    let config = read(serde_json::json!({})).unwrap();
    assert_eq!(config.mail.sender, SenderKind::Folder);
    assert_eq!(config.digest.threshold, 20);
    assert_eq!(config.order_letters_per_hour, 20);
    assert_eq!(config.digest.window.duration(), Duration::from_secs(60));
    assert_eq!(config.ses.unknown_after.duration(), Duration::from_secs(90));
}

#[test]
fn impossible_values_are_refused_with_a_sentence_that_names_them() {
    let cases = [
        (serde_json::json!({"mail": {"from": "nobody"}}), "mail.from"),
        (serde_json::json!({"mail": {"sender": "pigeon"}}), "pigeon"),
        (serde_json::json!({"mail": {"sender": "smtp"}}), "mail.smtp_url"),
        (serde_json::json!({"mail": {"color": 1}}), "color"),
        (serde_json::json!({"ses": {"access_key_id": "A"}}), "ses.secret_access_key"),
        (serde_json::json!({"ses": {"endpoint": "localhost:1"}}), "ses.endpoint"),
        (serde_json::json!({"ses": {"max_send_rate": 0}}), "ses.max_send_rate"),
        (serde_json::json!({"ses": {"unknown_after": "2h"}}), "notifier.ses.unknown_after"),
        (serde_json::json!({"digest": {"window": "60"}}), "60"),
        (serde_json::json!({"digest": {"window": "1 s"}}), "1 s"),
        (serde_json::json!({"digest": {"window": "0s"}}), "notifier.digest.window"),
        (serde_json::json!({"concurrency": 0}), "notifier.concurrency"),
        (serde_json::json!({"order_letters_per_hour": 0}), "notifier.order_letters_per_hour"),
    ];
    for (given, named) in cases {
        let sentence = read(given.clone()).expect_err(&given.to_string());
        assert!(sentence.contains(named), "{given}: {sentence}");
    }
}

#[test]
fn periods_are_read_strictly_and_printed_readable() {
    for (text, ms) in [("500ms", 500), ("60s", 60_000), ("2m", 120_000), ("1h", 3_600_000)] {
        assert_eq!(Period::parse(text), Some(Period(Duration::from_millis(ms))), "{text}");
    }
    for bad in ["", "s", "-1s", "1.5s", "60", "60 s", "99999999999999999999h"] {
        assert_eq!(Period::parse(bad), None, "{bad}");
    }
    assert_eq!(serde_json::to_value(Period::seconds(90)).unwrap(), "90s");
}
