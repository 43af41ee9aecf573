//! What one connection may ask for: calls, resets, headers, messages, time.
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::BodyExt;
use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tower::{Service, ServiceExt};

use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, GOAWAY,
    HEADERS, REFUSED_STREAM, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, call, frame, header,
    message, reset,
};
use crate::house::{House, Way, ask, known, until};
use crate::shop::CREATE;

/// Streams of one connection; `server.rs` and the README say the same.
const STREAMS: u32 = 1024;
const HEADERS_MAX: u32 = 64 * 1024;

/// A whole call of `slow`, on the stream with that number: 0, 1, 2, ….
fn slow(house: &House, number: u32) -> Vec<u8> {
    let stream = number * 2 + 1;
    let headers = frame(HEADERS, END_HEADERS, stream, &call(house, CREATE));
    [headers, frame(DATA, END_STREAM, stream, &message("slow"))].concat()
}

fn stream_of(number: u32) -> u32 {
    number * 2 + 1
}

/// The next stream that is refused; what was said on one before may be answered with resets, too.
async fn refused(raw: &mut Raw) -> u32 {
    loop {
        let reset = raw.next_of(RST_STREAM).await;
        if reset.reason() == REFUSED_STREAM {
            return reset.stream;
        }
    }
}

/// Another connection is answered, and nothing of the first is left behind.
async fn lives_on(house: &House) {
    let answer = house.categories(Way::Tcp).create_category(ask("facts")).await;
    assert_eq!(known(answer)["service"], "gateway");
    let shop = &house.shop;
    until(|| shop.begun.load(Ordering::SeqCst) == shop.dropped.load(Ordering::SeqCst)).await;
}

/// Says it all; the connection must be ended for it, and if there is a reason, for the right one.
async fn ended_for(mut raw: Raw, words: &[u8]) {
    raw.say(words).await;
    let (lives, said) = raw.lives().await;
    assert!(!lives, "it goes on");
    // what was said last is lost where the rest of our words arrived after the end
    for last in said.iter().filter(|frame| frame.kind == GOAWAY) {
        assert_eq!(last.reason(), ENHANCE_YOUR_CALM);
    }
}

#[tokio::test]
async fn s45_a_connection_has_1024_streams_and_no_more() {
    // the load limit is another bound
    let house = House::with(4 * 1024, Duration::ZERO).await;
    let mut raw = Raw::open(&house).await;
    let settings = raw.next_of(SETTINGS).await.settings();
    assert!(settings.contains(&(3, STREAMS)) && settings.contains(&(6, HEADERS_MAX)));
    let all: Vec<u8> = (0..=STREAMS).flat_map(|number| slow(&house, number)).collect();
    assert!(raw.say(&all).await);
    assert_eq!(refused(&mut raw).await, stream_of(STREAMS));
    let shop = &house.shop;
    until(|| shop.begun.load(Ordering::SeqCst) == STREAMS as usize).await;
    // one that ends makes room for one
    assert!(raw.say(&reset(stream_of(7))).await);
    until(|| shop.dropped.load(Ordering::SeqCst) == 1).await;
    let more = [slow(&house, STREAMS + 1), slow(&house, STREAMS + 2)].concat();
    assert!(raw.say(&more).await);
    assert_eq!(refused(&mut raw).await, stream_of(STREAMS + 2));
    until(|| shop.begun.load(Ordering::SeqCst) == STREAMS as usize + 1).await;
    drop(raw);
    lives_on(&house).await;
}

#[tokio::test]
async fn s45_rapid_resets_end_the_connection_and_nothing_else() {
    let house = House::new().await;
    let opened_and_reset = |numbers: std::ops::Range<u32>| -> Vec<u8> {
        let one = |number| [slow(&house, number), reset(stream_of(number))].concat();
        numbers.flat_map(one).collect()
    };
    // callers with deadlines reset some
    let mut patient = Raw::open(&house).await;
    assert!(patient.say(&opened_and_reset(0..100)).await);
    assert!(patient.lives().await.0);
    let raw = Raw::open(&house).await;
    ended_for(raw, &opened_and_reset(0..10_000)).await;
    let begun = house.shop.begun.load(Ordering::SeqCst);
    assert!(begun < 10_000, "{begun}");
    assert!(patient.lives().await.0, "somebody else's connection");
    lives_on(&house).await;
}

#[tokio::test]
async fn s45_who_makes_us_reset_streams_is_ended_too() {
    let house = House::new().await;
    // more than a window can hold: our fault to reset, theirs to have asked for it
    let overflowing = |numbers: std::ops::Range<u32>| -> Vec<u8> {
        let one = |number| {
            let window = frame(WINDOW_UPDATE, 0, stream_of(number), &0x7fff_ffff_u32.to_be_bytes());
            [slow(&house, number), window].concat()
        };
        numbers.flat_map(one).collect()
    };
    let mut raw = Raw::open(&house).await;
    assert!(raw.say(&overflowing(0..1)).await);
    let made = raw.next_of(RST_STREAM).await;
    assert_eq!((made.stream, made.reason()), (1, FLOW_CONTROL_ERROR));
    ended_for(raw, &overflowing(1..10_000)).await;
    lives_on(&house).await;
}

#[tokio::test]
async fn s45_headers_are_bounded_however_they_are_cut() {
    let house = House::new().await;
    // 100 KiB in the frames that it takes
    let whole = [call(&house, CREATE), header("x-long", &"x".repeat(100 * 1024))].concat();
    let mut cut = whole.chunks(16 * 1024);
    let mut words = frame(HEADERS, END_STREAM, 1, cut.next().unwrap());
    let last = cut.len() - 1;
    for (n, part) in cut.enumerate() {
        words.extend(frame(CONTINUATION, if n == last { END_HEADERS } else { 0 }, 1, part));
    }
    let mut raw = Raw::open(&house).await;
    raw.say(&words).await;
    // a refusal of the stream, or the end
    while let Some(frame) = raw.next().await {
        if frame.stream == 1 && [HEADERS, RST_STREAM].contains(&frame.kind) {
            break;
        }
    }
    // and such as never end, in small pieces that say nothing
    let mut endless = frame(HEADERS, 0, 1, &call(&house, CREATE));
    endless.extend(frame(CONTINUATION, 0, 1, &[]).repeat(10_000));
    ended_for(Raw::open(&house).await, &endless).await;
    assert_eq!(house.shop.begun.load(Ordering::SeqCst), 0);
    lives_on(&house).await;
}

#[tokio::test]
async fn s45_a_message_is_refused_by_the_length_that_it_claims() {
    let house = House::new().await;
    let mut raw = Raw::open(&house).await;
    for (number, claimed) in [u32::MAX, 4 * 1024 * 1024 + 1].into_iter().enumerate() {
        let stream = stream_of(u32::try_from(number).unwrap());
        let claim = [&[0], claimed.to_be_bytes().as_slice()].concat();
        let headers = frame(HEADERS, END_HEADERS, stream, &call(&house, CREATE));
        // nothing of it follows, and the call has an hour
        assert!(raw.say(&[headers, frame(DATA, 0, stream, &claim)].concat()).await);
        assert_eq!(raw.next_of(HEADERS).await.stream, stream);
    }
    lives_on(&house).await;
}

/// As others would call: without our transport, that always says a deadline.
async fn call_without_deadline(house: &House, path: &str) -> Result<serde_json::Value, Code> {
    let channel = Endpoint::from_shared(house.url(Way::Tcp)).unwrap().connect_lazy();
    let mut request = Request::new(ask(path));
    let token = house.stack.tokens.issue("gateway", "catalog");
    let token = MetadataValue::try_from(token).unwrap();
    request.metadata_mut().insert("souk-service-token", token);
    let answer = CategoryServiceClient::new(channel).create_category(request).await;
    answer.map(|answer| known(Ok(answer))).map_err(|status| status.code())
}

#[tokio::test]
async fn s45_a_call_without_a_deadline_gets_one() {
    let house = House::new().await;
    let known = call_without_deadline(&house, "facts").await.unwrap();
    let left = known["deadline_ms"].as_u64().expect("a deadline");
    assert!(left <= 10_000, "{left}");
    let ended =
        tokio::time::timeout(Duration::from_secs(120), call_without_deadline(&house, "slow"));
    assert_eq!(ended.await.expect("it ends"), Err(Code::DeadlineExceeded));
    lives_on(&house).await;
}

#[tokio::test]
async fn s45_who_opens_a_connection_and_says_too_little_loses_it() {
    let house = House::new().await;
    let mut strangers = Vec::new();
    for words in [&b""[..], b"PRI * HTTP/2.0", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stranger = TcpStream::connect(house.address).await.unwrap();
        stranger.write_all(words).await.unwrap();
        strangers.push(stranger);
    }
    lives_on(&house).await;
    for mut stranger in strangers {
        // what we say first comes, then the end, however it comes
        let mut words = Vec::new();
        let end = stranger.read_to_end(&mut words);
        let _ = tokio::time::timeout(Duration::from_secs(120), end).await.expect("it is ended");
    }
}

#[tokio::test]
async fn s45_nobody_is_told_which_methods_there_are() {
    let house = House::new().await;
    let mut channel: Channel = Endpoint::from_shared(house.url(Way::Tcp)).unwrap().connect_lazy();
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let token = house.stack.tokens.issue("gateway", "catalog");
        let request = http::Request::post(path)
            .header("content-type", "application/grpc")
            .header("souk-service-token", token)
            .body(Body::empty())
            .unwrap();
        let answer = channel.ready().await.unwrap().call(request).await.unwrap();
        let unimplemented = (Code::Unimplemented as i32).to_string();
        assert_eq!(answer.headers()["grpc-status"], unimplemented.as_str(), "{version}");
        assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}
