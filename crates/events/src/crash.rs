//! Crash points: `SOUK_CRASH_AT=relay.published:3` kills the process (SIGKILL) the third time it
//! passes that point. For proving that nothing is lost (`cargo xtask prove`); costs one load of an
//! atomic when unset.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

struct Order {
    name: String,
    left: AtomicU32,
}

static ORDER: OnceLock<Option<Order>> = OnceLock::new();

/// Dies here if told so; `NAME` alone means the first time. Names: `outbox.appended` (change and
/// event written, not committed), `outbox.committed` (a service has committed, the relay is not
/// yet woken), `relay.sending` (rows read, nothing published), `relay.published` (the bus has
/// confirmed, the rows are not yet moved), `consumer.handled` (effect made, not committed),
/// `consumer.committed` (effect committed, message not yet acknowledged), `mail.sending`,
/// `mail.sent`. Of an order's way: `orders.accepting` (written, not committed), `orders.accepted`,
/// `orders.reserved`, `orders.authorised`, `orders.waiting` (for the buyer), `orders.committed`
/// (stock), `orders.capturing`, `orders.captured`, `orders.confirmed`; back: `orders.releasing`,
/// `orders.voided`, `orders.released`, `orders.ended`; of refunds: `orders.refunding`,
/// `orders.refunded`, `orders.restocked`. Of its stock: `catalog.reserving` (taken, not committed),
/// `catalog.reserved`.
pub fn point(name: &'static str) {
    let Some(order) = ORDER.get_or_init(read) else { return };
    if order.name == name && order.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        die();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "no setting: must work in every process, also before the settings are read"
)]
fn read() -> Option<Order> {
    let text = std::env::var("SOUK_CRASH_AT").ok()?;
    let (name, times) = text.split_once(':').unwrap_or((&text, "1"));
    Some(Order { name: name.to_owned(), left: AtomicU32::new(times.parse().ok()?) })
}

fn die() -> ! {
    let own = rustix::process::getpid();
    let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    // only reached where a process cannot kill itself; it must not live on either way
    std::process::abort()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    /// Is the victim when the variable is set, and starts the victim when it is not.
    #[test]
    fn the_process_dies_the_third_time_it_passes_the_point() {
        if std::env::var_os("SOUK_CRASH_AT").is_some() {
            point("relay.sending");
            point("relay.published");
            point("relay.published");
            println!("alive after two");
            point("relay.published");
            println!("alive after three");
            return;
        }
        let victim = Command::new(std::env::current_exe().unwrap())
            .args(["the_process_dies_the_third_time", "--nocapture"])
            .env("SOUK_CRASH_AT", "relay.published:3")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&victim.stdout);
        assert_eq!(victim.status.signal(), Some(9), "{said}");
        assert!(said.contains("alive after two") && !said.contains("alive after three"), "{said}");
    }
}
