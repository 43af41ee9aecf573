//! URLs and the names that follow from them.
use super::parse;

#[test]
fn the_prefix_is_ours_and_the_rest_is_the_broker_s() {
    let (uri, names) = parse("amqp://u:p@h:5/%2f?souk_prefix=abc&heartbeat=3").unwrap();
    assert_eq!((uri.vhost.as_str(), uri.query.heartbeat), ("/", Some(3)));
    assert_eq!(names.events(), "abc.souk.events");
    assert_eq!(names.dead("notifier.product.v1"), "abc.notifier.product.v1.dlq");
}

#[test]
fn without_a_prefix_the_names_stand_as_they_are() {
    let (uri, names) = parse("amqps://h/shop").unwrap();
    assert_eq!((uri.vhost.as_str(), uri.query.heartbeat), ("shop", Some(10)));
    assert_eq!(names.retry("q", "1s"), "q.retry.1s");
}

#[test]
fn a_malformed_url_is_refused_without_repeating_it() {
    let error = parse("amqp://u:secret@h:port/").unwrap_err();
    assert!(!format!("{error:?}").contains("secret"));
}
