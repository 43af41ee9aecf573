//! Settings out of a file and the command line, and the sentences that refuse them.

use serde::Deserialize;
use souk_service::{Loaded, SettingsError, Sources};

fn flags(pairs: &[(&str, &str)]) -> Sources {
    let flags = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Sources { flags, ..Sources::default() }
}

fn load(pairs: &[(&str, &str)]) -> Result<Loaded, SettingsError> {
    flags(pairs).load()
}

/// The sentence by which these settings are refused.
fn refused(pairs: &[(&str, &str)]) -> String {
    load(pairs).unwrap_err().to_string()
}

/// What a service such as notifier reads.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Letters {
    digest: u32,
    mail: Mail,
    ses: Ses,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Mail {
    sender: String,
    from: String,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Ses {
    endpoint: String,
}

#[test]
fn without_a_word_everything_has_a_default() {
    let settings = load(&[]).unwrap().settings;
    assert_eq!(settings.data_dir.to_str(), Some("./data"));
    assert_eq!(settings.shop.currency, "EUR");
    assert!(settings.log.level.starts_with("info"), "{}", settings.log.level);
    assert_eq!((settings.stop.delay_s, settings.stop.drain_s), (0, 10));
    assert!(settings.bus.url.is_empty() && settings.database.url.is_empty());
    assert!(!settings.is_networked());
}

#[test]
fn a_flag_is_stronger_than_the_file_and_the_file_than_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.toml");
    let text = "[log]\nlevel = \"debug\"\n[shop]\nname = \"File\"\n[notifier]\ndigest = 7\n";
    std::fs::write(&file, text).unwrap();
    let sources = Sources { file: Some(file), ..flags(&[("log.level", "warn")]) };
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.settings.log.level, "warn");
    assert_eq!(
        (loaded.settings.shop.name.as_str(), loaded.settings.log.format.as_str()),
        ("File", "text")
    );
    assert_eq!(loaded.section::<Letters>("notifier").unwrap().digest, 7);
    assert_eq!(loaded.section_names().into_iter().collect::<Vec<_>>(), ["notifier"]);
}

#[test]
fn a_file_that_is_named_must_be_there_and_be_toml() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("shop.toml");
    let load = || Sources { file: Some(file.clone()), ..Sources::default() }.load();
    let sentence = load().unwrap_err().to_string();
    assert!(sentence.contains("shop.toml does not exist"), "{sentence}");
    std::fs::write(&file, "[log\nlevel = 1").unwrap();
    assert!(load().is_err());
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    for (pairs, words) in [
        (&[("log.colour", "red")][..], &["colour"][..]),
        (&[("lgo.level", "debug")], &["lgo"]),
        (&[("datadir", "x")], &["datadir"]),
        (&[("database.pool", "5")], &["pool"]),
    ] {
        let sentence = refused(pairs);
        assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
    }
    let loaded = load(&[("notifier.digst", "5")]).unwrap();
    let sentence = loaded.section::<Letters>("notifier").unwrap_err().to_string();
    assert!(sentence.contains("notifier") && sentence.contains("digst"), "{sentence}");
    let loaded = load(&[("catalog.database.pool", "5")]).unwrap();
    let sentence = loaded.database("catalog").unwrap_err().to_string();
    assert!(sentence.contains("catalog.database") && sentence.contains("pool"), "{sentence}");
}

#[test]
fn a_value_of_the_wrong_type_is_refused_by_name() {
    for (key, value) in [
        ("stop.drain_s", "soon"),
        ("stop.drain_s", "-1"),
        ("database.max_connections", "many"),
        ("grpc.listen", "everywhere"),
        ("shop.name", "[1]"),
        ("log", "loud"),
    ] {
        let sentence = refused(&[(key, value)]);
        assert!(sentence.contains(key), "{key}={value}: {sentence}");
    }
    let loaded = load(&[("notifier.digest", "often")]).unwrap();
    let sentence = loaded.section::<Letters>("notifier").unwrap_err().to_string();
    assert!(sentence.contains("notifier") && sentence.contains("digest"), "{sentence}");
    let loaded = load(&[("notifier", "5")]).unwrap();
    let sentence = loaded.section::<Letters>("notifier").unwrap_err().to_string();
    assert_eq!(sentence, "notifier must be a section");
}

#[test]
fn an_impossible_value_is_refused_by_name() {
    for (key, value) in [
        ("shop.currency", "EURO"),
        ("shop.public_url", "shop.example"),
        ("log.format", "xml"),
        ("log.sample_ratio", "1.5"),
        ("bus.url", "http://x"),
        ("cache.url", "memcached://x"),
        ("stop.drain_s", "601"),
    ] {
        let sentence = refused(&[(key, value)]);
        assert!(sentence.starts_with(key), "{key}={value}: {sentence}");
    }
}

#[test]
fn mail_and_ses_are_lent_to_the_notifier_whose_own_words_are_stronger() {
    let loaded = load(&[
        ("mail.sender", "smtp"),
        ("mail.from", "shop@x.example"),
        ("ses.endpoint", "http://127.0.0.1:1"),
        ("notifier.digest", "3"),
        ("notifier.mail.from", "own@x.example"),
    ])
    .unwrap();
    let expected = Letters {
        digest: 3,
        mail: Mail { sender: "smtp".into(), from: "own@x.example".into() },
        ses: Ses { endpoint: "http://127.0.0.1:1".into() },
    };
    assert_eq!(loaded.section::<Letters>("notifier").unwrap(), expected);
    let alone = load(&[("mail.sender", "ses")]).unwrap();
    assert_eq!(alone.section::<Letters>("notifier").unwrap().mail.sender, "ses");
}

#[test]
fn a_service_may_have_a_database_of_its_own() {
    let loaded = load(&[
        ("database.url", "sqlite:all-{service}.db"),
        ("database.replica_url", "sqlite:copy.db"),
        ("catalog.database.url", "sqlite:own.db"),
        ("orders.database.max_connections", "3"),
    ])
    .unwrap();
    let shared = loaded.database("accounts").unwrap();
    assert_eq!(shared.url, "sqlite:all-{service}.db");
    let own = loaded.database("catalog").unwrap();
    assert_eq!((own.url.as_str(), own.replica_url.as_str()), ("sqlite:own.db", "sqlite:copy.db"));
    let half = loaded.database("orders").unwrap();
    assert_eq!((half.url.as_str(), half.max_connections), ("sqlite:all-{service}.db", 3));
    // the section of the service itself does not see it
    assert_eq!(loaded.section::<Letters>("catalog").unwrap(), Letters::default());
}

#[test]
fn production_needs_secrets_of_its_own() {
    let server = ("database.url", "postgres://souk@db/{service}");
    let good = "0123456789abcdef0123456789abcdef0123456789a";
    let sentence = refused(&[server]);
    assert!(sentence.contains("secrets.service_token must be set"), "{sentence}");
    let sentence = refused(&[server, ("secrets.service_token", good)]);
    assert!(sentence.contains("secrets.signing_key must be set"), "{sentence}");
    let both = [server, ("secrets.service_token", good), ("secrets.signing_key", good)];
    assert!(load(&both).unwrap().settings.is_networked());
    for bad in
        ["changeme-changeme-changeme-changeme", "tiny", "an-EXAMPLE-of-32-characters-or-more"]
    {
        for name in ["secrets.service_token", "secrets.signing_key"] {
            let sentence = refused(&[(name, bad)]);
            assert!(sentence.starts_with(name) && !sentence.contains(bad), "{sentence}");
        }
    }
}
