//! Whether a password may be checked now, and what a wrong one costs: its account, and the network
//! that it came from.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use souk_storage::Tx;
use tokio::sync::SemaphorePermit;

use super::{App, block};
use crate::Error;
use crate::domain::block::Network;
use crate::domain::brake::{HEARD, MINUTES, delay, is_attack, minute, wait};
use crate::store::brake::{self, Turn, network};
use crate::store::newest;

/// Attempts of one network that are heard at once in this process. What is on its way counts as
/// failed until it is known, so a crowd must not be on its way together.
pub(super) const AT_ONCE: usize = 16;

/// The right to have one password checked. Among attempts on one account in this process it is the
/// only one.
pub(super) struct Attempt<'a> {
    _gate: Option<SemaphorePermit<'a>>,
    _turn: SemaphorePermit<'a>,
    subject: String,
    /// Counted in advance: what was there before, and the count.
    counted: Option<(brake::Model, u32)>,
    from: Option<Origin>,
}

/// Where an attempt comes from; there it counts as a failure until it turns out right.
struct Origin {
    network: Network,
    tag: String,
    minute: i64,
}

/// Waits for its turn. `subject` names whose failures are counted together; without an `address`
/// no network is counted.
pub(super) async fn admit<'a>(
    app: &'a App,
    subject: String,
    address: &str,
) -> Result<Attempt<'a>, Error> {
    let network = address.parse::<IpAddr>().ok().map(Network::around);
    // the gate first: a crowd that waits for one account is in the way of its own network only
    let gate = match network {
        Some(network) => Some(app.gates.wait(&network.to_string()).await?),
        None => None,
    };
    let turn = app.turns.wait(&subject).await?;
    let counted = of_account(app, &subject).await?;
    let mut attempt = Attempt { _gate: gate, _turn: turn, subject, counted, from: None };
    if let Some(network) = network {
        match of_network(app, network).await {
            Ok(from) => attempt.from = Some(from),
            Err(refused) => {
                attempt.withdraw(app).await?;
                return Err(refused);
            }
        }
    }
    Ok(attempt)
}

impl Attempt<'_> {
    /// The password was wrong.
    pub(super) async fn failed(self, app: &App) -> Result<(), Error> {
        let now = app.clock.now();
        let failures = match self.counted {
            Some((_, failures)) => failures,
            None => {
                let tx = app.db.begin().await?;
                let failures = brake::fail(&tx, &self.subject, now).await?;
                tx.commit().await?;
                failures
            }
        };
        let delay = delay(failures);
        let network = self.from.as_ref().map(|from| from.network.to_string()).unwrap_or_default();
        if !delay.is_zero() {
            let delay_s = delay.as_secs();
            let subject = self.subject;
            tracing::warn!(login.subject = subject, failures, delay_s, network, "login braked");
        }
        match self.from {
            Some(from) => judge(app, &from, now).await,
            None => Ok(()),
        }
    }

    /// The password was right: in the transaction of what comes of it.
    pub(super) async fn passed(&self, tx: &Tx) -> Result<(), Error> {
        brake::release(tx, &self.subject).await?;
        if let Some(from) = &self.from {
            network::uncount(tx, &from.tag, from.minute).await?;
        }
        Ok(())
    }

    /// Nothing was learnt from it: it does not count.
    pub(super) async fn withdraw(self, app: &App) -> Result<(), Error> {
        if self.counted.is_none() && self.from.is_none() {
            return Ok(());
        }
        let tx = app.db.begin().await?;
        if let Some((before, failures)) = self.counted {
            brake::uncount(&tx, before, failures).await?;
        }
        if let Some(from) = self.from {
            network::uncount(&tx, &from.tag, from.minute).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Who never failed of late costs nothing here; others are counted before their password is looked
/// at.
async fn of_account(app: &App, subject: &str) -> Result<Option<(brake::Model, u32)>, Error> {
    let now = app.clock.now();
    let Some(until) = brake::until(newest(&app.db), subject).await? else { return Ok(None) };
    if now < until {
        return Err(braked(until, now));
    }
    let tx = app.db.begin().await?;
    let turn = brake::count(&tx, subject, now).await?;
    tx.commit().await?;
    match turn {
        Turn::Counted { before, failures } => Ok(Some((before, failures))),
        Turn::Braked(until) => Err(braked(until, now)),
        Turn::Free => Ok(None),
    }
}

fn braked(until: DateTime<Utc>, now: DateTime<Utc>) -> Error {
    Error::TooManyAttempts { retry_after: (until - now).to_std().unwrap_or_default() }
}

/// Counts first and looks then: whoever comes last sees everybody before, in whichever process.
async fn of_network(app: &App, network: Network) -> Result<Origin, Error> {
    let now = app.clock.now();
    let tag = app.keys.network(&network.to_string());
    let since = minute(now) - MINUTES;
    let seen = network::since(newest(&app.db), &tag, since).await?;
    if let Some(retry_after) = wait(&seen, HEARD - 1, now) {
        return Err(Error::TooManyAttempts { retry_after });
    }
    let from = Origin { network, minute: minute(now), tag };
    network::count(app.db.write(), &from.tag, from.minute).await?;
    let seen = network::since(app.db.write(), &from.tag, since).await?;
    if let Some(retry_after) = wait(&seen, HEARD, now) {
        network::uncount(app.db.write(), &from.tag, from.minute).await?;
        return Err(Error::TooManyAttempts { retry_after });
    }
    Ok(from)
}

/// After a failure: a network that goes on guessing is shut out for a while. Never one of ours:
/// behind a proxy that nobody declared all of the shop comes from one.
async fn judge(app: &App, from: &Origin, now: DateTime<Utc>) -> Result<(), Error> {
    if !app.config.brake.network_block || from.network.is_internal() {
        return Ok(());
    }
    let seen = network::since(newest(&app.db), &from.tag, minute(now) - MINUTES).await?;
    if is_attack(&seen, now) {
        block::by_brake(app, from.network).await?;
    }
    Ok(())
}
