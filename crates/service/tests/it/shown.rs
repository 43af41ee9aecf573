//! What is shown of settings.

use souk_service::{Secret, Sources};

#[test]
fn what_is_shown_holds_no_secret() {
    let pairs = [
        ("secrets.service_token", "xyzzy-0123456789abcdef0123456789abcdef"),
        ("secrets.signing_key", "xyzzy-0123456789abcdef0123456789abcdef"),
        ("bus.url", "amqp://souk:xyzzy@mq:5672/%2f"),
        ("cache.url", "redis://:xyzzy@cache:6379"),
        ("database.url", "postgres://souk:xyzzy@db:5432/{service}"),
        ("database.replica_url", "postgres://souk:xy%40xyzzy@replica/{service}"),
        ("catalog.database.url", "postgres://souk:xyzzy@own:5432/catalog"),
        ("notifier.smtp.password", "xyzzy"),
        ("mail.api_key", "xyzzy"),
    ];
    let flags = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let loaded = Sources { flags, ..Sources::default() }.load().unwrap();
    let shown = loaded.shown();
    let text = shown.to_string();
    assert!(!text.contains("xyzzy"), "{text}");
    assert_eq!(shown["database"]["url"], "postgres://souk:***@db:5432/{service}");
    assert_eq!(shown["secrets"]["service_token"], "***");
    assert_eq!(shown["notifier"]["smtp"]["password"], "***");
    assert_eq!(shown["shop"]["currency"], "EUR");
    assert!(!format!("{:?}", loaded.settings).contains("-0123456789abcdef"));
}

#[test]
fn a_secret_prints_as_stars() {
    let secret = Secret::new("xyzzy");
    assert_eq!(format!("{secret:?}"), "***");
    assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    assert_eq!(serde_json::to_string(&Secret::default()).unwrap(), "\"\"");
    assert_eq!(secret.reveal(), "xyzzy");
}
