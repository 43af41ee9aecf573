//! What the code under test says to its log, heard by one test.
use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::{EnvFilter, fmt};

/// The lines said on this thread while the value lives: everything of ours, and of others what a
/// shop logs; a span says its fields when it begins.
///
/// The process has one subscriber that knows the thread's listener. A subscriber for each test
/// would lose lines: while only one exists, tracing asks the thread that first comes to a callsite
/// whether anybody listens, and remembers a no for all threads.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

thread_local! {
    static LISTENER: RefCell<Option<Log>> = const { RefCell::new(None) };
}

impl Log {
    /// Listens on this thread until the guard is dropped, so to a test with a runtime of one
    /// thread as a whole.
    ///
    /// # Panics
    ///
    /// If the process has another global subscriber.
    #[must_use]
    pub fn listen() -> (Self, Listening) {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            fmt()
                .with_env_filter(EnvFilter::new("info,souk=trace"))
                .with_span_events(FmtSpan::NEW)
                .with_ansi(false)
                .with_writer(ToListener::default)
                .init();
        });
        let log = Self::default();
        LISTENER.set(Some(log.clone()));
        (log, Listening(()))
    }

    /// Everything heard so far.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = self.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("the log is text")
    }

    /// How many lines hold all of `words`.
    #[must_use]
    pub fn lines_with(&self, words: &[&str]) -> usize {
        let holds_all = |line: &&str| words.iter().all(|word| line.contains(word));
        self.text().lines().filter(holds_all).count()
    }
}

/// Ends the listening when it is dropped.
pub struct Listening(());

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENER.set(None);
    }
}

#[derive(Default)]
struct ToListener(());

impl Write for ToListener {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LISTENER.with_borrow(|listener| {
            if let Some(Log(heard)) = listener {
                heard.lock().expect("no writer panics").extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
