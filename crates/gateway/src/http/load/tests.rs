//! Too many requests at once: the limit, what it sheds, how it moves.
use tokio::sync::{Semaphore, mpsc};

use super::*;

/// Five times as many as the limit, at once, against an upstream that answers nobody before it is let.
#[tokio::test]
async fn of_five_times_the_limit_as_many_as_allowed_go_on_and_the_rest_is_told_at_once() {
    const LIMIT: usize = 16;
    let load = Arc::new(Load::new(LIMIT));
    let gate = Arc::new(Semaphore::new(0));
    let working = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (told, mut answers) = mpsc::unbounded_channel();
    for _ in 0..5 * LIMIT {
        let (load, gate, told) = (load.clone(), gate.clone(), told.clone());
        let (working, most) = (working.clone(), most.clone());
        tokio::spawn(async move {
            let Some(flight) = load.enter() else { return told.send(false).unwrap() };
            most.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _pass = gate.acquire().await.unwrap();
            working.fetch_sub(1, Ordering::SeqCst);
            flight.answered("/slow");
            told.send(true).unwrap();
        });
    }
    // the upstream has answered nobody: only those who were shed have an answer
    for _ in 0..4 * LIMIT {
        assert_eq!(answers.recv().await, Some(false));
    }
    assert!(answers.try_recv().is_err(), "{LIMIT} are still in flight");
    gate.add_permits(1);
    for _ in 0..LIMIT {
        assert_eq!(answers.recv().await, Some(true));
    }
    assert_eq!(most.load(Ordering::SeqCst), LIMIT);
    assert_eq!(load.in_flight.load(Ordering::SeqCst), 0);
    assert!(load.enter().is_some(), "there is room again");
}

#[test]
fn a_request_that_is_given_up_makes_room() {
    let load = Arc::new(Load::new(1));
    let flight = load.enter().unwrap();
    assert!(load.enter().is_none());
    drop(flight);
    assert!(load.enter().is_some());
}

/// Windows with so many in flight, all answers of one route taking so long; the limits after each.
fn windows(load: &Load, count: usize, peak: usize, took: Duration) -> Vec<usize> {
    let mut now = Instant::now();
    load.window.lock().unwrap().began = now;
    let after = |_| {
        now += WINDOW;
        load.peak.store(peak, Ordering::Relaxed);
        for _ in 0..ENOUGH {
            load.note("/r", took, now);
        }
        load.limit.load(Ordering::Relaxed)
    };
    (0..count).map(after).collect()
}

#[test]
fn the_limit_falls_while_most_are_slow_and_rises_again() {
    let load = Load::new(1024);
    let (usual, slow) = (Duration::from_millis(20), Duration::from_secs(2));
    assert_eq!(windows(&load, 3, 10, usual), [1024; 3]);
    let falling = windows(&load, 60, 1024, slow);
    assert!(falling.is_sorted_by(|a, b| a >= b), "{falling:?}");
    assert_eq!(falling.last(), Some(&64), "a sixteenth stays: {falling:?}");
    let rising = windows(&load, 60, 64, usual);
    assert!(rising[0] > 64 && rising.is_sorted(), "{rising:?}");
}

#[test]
fn the_limit_falls_by_half_while_most_are_far_too_slow() {
    let load = Load::new(1024);
    windows(&load, 3, 10, Duration::from_millis(20));
    let falling = windows(&load, 6, 1024, Duration::from_secs(10));
    assert_eq!(falling, [512, 256, 128, 64, 64, 64]);
}

/// More than an upstream can do, for half an hour: whoever is let in waits for all who are in flight.
#[test]
fn s28_an_overload_that_lasts_is_one_to_its_end() {
    const A_SECOND: f64 = 400.0;
    let load = Load::new(1024);
    windows(&load, 20, 10, Duration::from_millis(20));
    let mut took = Vec::new();
    for _ in 0..30 * 60 * 4 {
        let limit = load.limit.load(Ordering::Relaxed);
        took.push(Duration::from_secs_f64(limit as f64 / A_SECOND));
        windows(&load, 1, limit, *took.last().unwrap());
    }
    // after two seconds they are answered in time, and the upstream is never idle
    let later = &took[8..];
    let (least, most) = (later.iter().min().unwrap(), later.iter().max().unwrap());
    assert!(*most < 2 * PATIENCE && *least > PATIENCE / 2, "{least:?} to {most:?}");
}

#[test]
fn slowness_alone_is_no_overload() {
    let load = Load::new(1024);
    windows(&load, 3, 10, Duration::from_millis(20));
    // few in flight: somebody else is slow
    assert_eq!(windows(&load, 20, 100, Duration::from_secs(2)), [1024; 20]);
    // many in flight, and quick enough
    let load = Load::new(1024);
    windows(&load, 3, 10, Duration::from_millis(20));
    assert_eq!(windows(&load, 20, 1024, Duration::from_millis(400)), [1024; 20]);
    // a route that always takes long is not slow
    let load = Load::new(1024);
    assert_eq!(windows(&load, 20, 1024, Duration::from_secs(3)), [1024; 20]);
}
