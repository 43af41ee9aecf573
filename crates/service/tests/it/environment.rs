//! Settings out of the environment. A test cannot change its own, so the test starts itself anew.

use std::process::Command;

use souk_service::Sources;

/// By what the child knows what it must find: `name=level=drain_s`.
const EXPECTED: &str = "SOUK_TEST_EXPECTED";
const CHILD: &str = "environment::a_process_reads_its_environment";

#[test]
#[allow(clippy::disallowed_methods, reason = "the way from parent to child")]
fn a_process_reads_its_environment() {
    let sources = Sources {
        environment: true,
        flags: vec![("log.level".to_owned(), "warn".to_owned())],
        ..Sources::default()
    };
    match std::env::var(EXPECTED) {
        Ok(expected) if expected.starts_with('!') => {
            let sentence = sources.load().unwrap_err().to_string();
            assert!(sentence.contains(&expected[1..]), "{sentence}");
        }
        Ok(expected) => {
            let settings = sources.load().unwrap().settings;
            let found = [settings.shop.name, settings.log.level, settings.stop.drain_s.to_string()];
            assert_eq!(found.join("="), expected);
        }
        Err(_) => {
            let unread = Sources { environment: false, ..sources }.load().unwrap().settings;
            assert_eq!(unread.log.level, "warn");
        }
    }
}

fn child(expected: &str, variables: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD])
        .env(EXPECTED, expected)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{variables:?}: {said}");
}

#[test]
fn the_environment_is_stronger_than_the_defaults_and_weaker_than_flags() {
    child(
        "Bazaar=warn=20",
        &[
            ("SOUK_SHOP__NAME", "Bazaar"),
            ("SOUK_LOG__LEVEL", "debug"),
            ("SOUK_STOP__DRAIN_S", "20"),
        ],
    );
}

#[test]
fn reserved_variables_are_no_settings() {
    child(
        "Souk=warn=10",
        &[
            ("SOUK_ADMIN_EMAIL", "a@x.example"),
            ("SOUK_ADMIN_PASSWORD", "x"),
            ("SOUK_URL", "http://x.example"),
            ("SOUK_TEST_POSTGRES_URL", "postgres://x"),
            ("SOUK_TEST_DATA", "/x"),
            ("SOUK_CRASH_AT", "somewhere"),
        ],
    );
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    child("!colour", &[("SOUK_LOG__COLOUR", "red")]);
    child("!lgo", &[("SOUK_LGO__LEVEL", "debug")]);
    child("!stop.drain_s", &[("SOUK_STOP__DRAIN_S", "soon")]);
}
