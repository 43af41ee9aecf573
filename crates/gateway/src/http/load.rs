//! How many requests are worked on at once: a limit that falls while most of them take far longer than usual, and
//! rises again. What comes above it is told at once to come back: the rest is answered in time.
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge};

/// Between two looks at the limit.
const WINDOW: Duration = Duration::from_millis(250);
/// Answers that a look needs.
const ENOUGH: u32 = 20;
/// Nobody minds what is quicker than that.
const PATIENCE: Duration = Duration::from_millis(500);
/// So many times longer than what is borne: the limit is far too high.
const FAR: f64 = 4.0;
/// Under load a longer time is not yet the usual one: it becomes so in an hour or two, for else a
/// load that lasts would teach us to bear it.
const SLOWLY: f64 = 1.0002;
/// However bad it looks, the limit does not fall below.
const LEAST: usize = 16;

/// The limit of one gateway and what is in flight.
pub(crate) struct Load {
    least: usize,
    most: usize,
    limit: AtomicUsize,
    in_flight: AtomicUsize,
    /// The most that was in flight since the last look.
    peak: AtomicUsize,
    window: Mutex<Window>,
    shown: Shown,
}

struct Shown {
    limit: Gauge,
    in_flight: Gauge,
    shed: Counter,
}

/// What was seen since the last look.
struct Window {
    began: Instant,
    answers: u32,
    slow: u32,
    far: u32,
    /// By the template of the route: as many as the router has.
    routes: HashMap<Box<str>, Usual>,
}

/// How long a route usually takes, and what it took since the last look.
struct Usual {
    seconds: f64,
    sum: f64,
    answers: u32,
}

/// A request in flight, until it is dropped.
pub(crate) struct Flight {
    load: Arc<Load>,
    began: Instant,
}

impl Load {
    pub(crate) fn new(most: usize) -> Self {
        let shown = Shown {
            limit: metrics::gauge!("http_in_flight_limit"),
            in_flight: metrics::gauge!("http_in_flight"),
            shed: metrics::counter!("http_requests_shed_total"),
        };
        shown.limit.set(most as f64);
        let window = Window::new();
        Self {
            least: (most / 16).max(LEAST).min(most),
            most,
            limit: AtomicUsize::new(most),
            in_flight: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            window: Mutex::new(window),
            shown,
        }
    }

    /// `None`: too many are in flight.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Flight> {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |now: usize| (now < limit).then_some(now + 1);
        match self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Relaxed, more) {
            Ok(before) => {
                self.peak.fetch_max(before + 1, Ordering::Relaxed);
                self.shown.in_flight.increment(1);
                Some(Flight { load: self.clone(), began: Instant::now() })
            }
            Err(_) => {
                self.peak.fetch_max(limit, Ordering::Relaxed);
                self.shown.shed.increment(1);
                None
            }
        }
    }

    /// An answer of that route took so long.
    fn note(&self, route: &str, took: Duration, now: Instant) {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.note(route, took);
        let due = now.saturating_duration_since(window.began) >= WINDOW;
        if due && window.answers >= ENOUGH {
            let peak = self.peak.swap(self.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
            let limit = self.limit.load(Ordering::Relaxed);
            let next = window.look(peak, limit).clamp(self.least, self.most);
            window.began = now;
            if next != limit {
                self.limit.store(next, Ordering::Relaxed);
                self.shown.limit.set(next as f64);
            }
        }
    }
}

impl Window {
    fn new() -> Self {
        Self { began: Instant::now(), answers: 0, slow: 0, far: 0, routes: HashMap::new() }
    }

    fn note(&mut self, route: &str, took: Duration) {
        let seconds = took.as_secs_f64();
        if !self.routes.contains_key(route) {
            self.routes.insert(route.into(), Usual { seconds, sum: 0.0, answers: 0 });
        }
        let Some(usual) = self.routes.get_mut(route) else { return };
        usual.sum += seconds;
        usual.answers += 1;
        self.answers += 1;
        // more than half of them: the median
        let borne = PATIENCE.as_secs_f64().max(2.0 * usual.seconds);
        self.slow += u32::from(seconds > borne);
        self.far += u32::from(seconds > FAR * borne);
    }

    /// The next limit; then begins anew.
    fn look(&mut self, peak: usize, limit: usize) -> usize {
        let most = |some: u32| some * 2 > self.answers;
        let (slow, far) = (most(self.slow), most(self.far));
        (self.slow, self.far, self.answers) = (0, 0, 0);
        let calm = peak * 8 < limit;
        for usual in self.routes.values_mut().filter(|usual| usual.answers > 0) {
            let mean = usual.sum / f64::from(usual.answers);
            usual.seconds = if mean < usual.seconds {
                (usual.seconds + mean) / 2.0
            } else if calm {
                usual.seconds + (mean - usual.seconds) / 10.0
            } else {
                usual.seconds * SLOWLY
            };
            (usual.sum, usual.answers) = (0.0, 0);
        }
        match (peak * 2 >= limit, slow) {
            // it is not our number that makes it slow or quick
            (false, _) => limit,
            (true, true) if far => limit / 2,
            (true, true) => limit - limit / 10,
            (true, false) => limit + (limit / 10).max(1),
        }
    }
}

impl Flight {
    /// Answered by that route: how long it took counts.
    pub(crate) fn answered(self, route: &str) {
        let now = Instant::now();
        self.load.note(route, now.saturating_duration_since(self.began), now);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.load.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.load.shown.in_flight.decrement(1);
    }
}

#[cfg(test)]
mod tests;
