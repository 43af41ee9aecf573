//! Clients that take their time, with the clock in the hand of the test.
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, advance, timeout};

use super::*;

fn connection() -> (DuplexStream, Patient<DuplexStream>, Turn) {
    let (client, server) = duplex(64);
    let turn = Turn::default();
    let bounds = HttpBounds::default();
    (client, Patient::new(server, turn.clone(), bounds), turn)
}

/// The seconds until the server takes the connection for closed.
async fn end(server: &mut Patient<DuplexStream>) -> u64 {
    let begin = Instant::now();
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    begin.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn who_sends_no_head_is_waited_for_as_long_as_a_head_may_take() {
    let (_client, mut server, _turn) = connection();
    assert_eq!(end(&mut server).await, 15);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_head_counts_from_its_first_byte_and_not_from_its_last() {
    let (mut client, mut server, turn) = connection();
    turn.ours();
    assert!(timeout(Duration::ZERO, server.read(&mut [0; 8])).await.is_err());
    turn.theirs();
    client.write_all(b"G").await.unwrap();
    server.read_exact(&mut [0; 1]).await.unwrap();
    // registered, as a server does that wants more
    assert!(timeout(Duration::from_secs(10), server.read(&mut [0; 8])).await.is_err());
    client.write_all(b"E").await.unwrap();
    server.read_exact(&mut [0; 1]).await.unwrap();
    assert_eq!(end(&mut server).await, 5);
}

#[tokio::test(start_paused = true)]
async fn between_requests_it_waits_longer_than_a_load_balancer() {
    let (mut client, mut server, turn) = connection();
    client.write_all(b"GET").await.unwrap();
    server.read_exact(&mut [0; 3]).await.unwrap();
    turn.ours();
    assert!(timeout(Duration::from_secs(600), server.read(&mut [0; 8])).await.is_err(), "its turn");
    turn.theirs();
    assert_eq!(end(&mut server).await, 75);
}

#[tokio::test(start_paused = true)]
async fn who_takes_a_long_answer_is_not_idle() {
    let (mut client, mut server, turn) = connection();
    turn.ours();
    assert!(timeout(Duration::ZERO, server.read(&mut [0; 8])).await.is_err());
    turn.theirs();
    for _ in 0..10 {
        assert!(timeout(Duration::from_secs(60), server.read(&mut [0; 8])).await.is_err());
        server.write_all(b"more").await.unwrap();
        client.read_exact(&mut [0; 4]).await.unwrap();
    }
    assert_eq!(end(&mut server).await, 75);
}

#[tokio::test(start_paused = true)]
async fn what_came_in_time_is_read_though_nobody_looked() {
    let (mut client, mut server, _turn) = connection();
    assert!(timeout(Duration::ZERO, server.read(&mut [0; 8])).await.is_err());
    client.write_all(b"GET").await.unwrap();
    advance(Duration::from_secs(20)).await;
    server.read_exact(&mut [0; 3]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_given_at_once_ends_the_time_of_its_head() {
    let (mut client, mut server, turn) = connection();
    for _ in 0..3 {
        client.write_all(b"GET").await.unwrap();
        server.read_exact(&mut [0; 3]).await.unwrap();
        // nobody read meanwhile
        turn.ours();
        turn.theirs();
        server.write_all(b"200").await.unwrap();
        client.read_exact(&mut [0; 3]).await.unwrap();
        assert!(timeout(Duration::from_secs(60), server.read(&mut [0; 8])).await.is_err());
    }
    assert_eq!(end(&mut server).await, 15);
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_in_the_middle_of_a_head_is_heard_out() {
    let (mut client, mut server, _turn) = connection();
    client.write_all(&[b'X'; 32]).await.unwrap();
    server.read_exact(&mut [0; 32]).await.unwrap();
    server.write_all(b"431").await.unwrap();
    let rest = tokio::spawn(async move {
        client.write_all(&[b'X'; 100_000]).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    });
    server.shutdown().await.unwrap();
    assert_eq!(rest.await.unwrap(), "431");
    // one who neither sends nor closes is not waited for
    let (_client, mut server, _turn) = connection();
    server.write_all(b"431").await.unwrap();
    let begin = Instant::now();
    server.shutdown().await.unwrap();
    assert_eq!(begin.elapsed(), LONGEST_AFTER);
}
