//! Blocks: who may not come in, why and until when.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use souk_auth::Caller;
use souk_events::NewEvent;
use souk_rpc::Violation;
use souk_storage::{Tx, violated_constraint};
use souk_values::{BlockId, SessionId, UserId};

use super::actor::Actor;
use super::event::block_changed;
use super::mail::{self, NewMail, To};
use super::session::{Ended, end_all};
use super::{App, entry};
use crate::Error;
use crate::domain::block::{self as rules, Network};
use crate::domain::brake::BLOCKED_FOR;
use crate::domain::mail::Kind;
use crate::domain::session::Reason;
use crate::store::block::{self, Model};
use crate::store::role::Roles;
use crate::store::{account, newest, role};

/// What an admin asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// One of the two.
    pub(crate) user_id: String,
    pub(crate) network: String,
    pub(crate) reason: String,
    /// 0: until it is lifted.
    pub(crate) until_us: i64,
    /// Of the admin, who must not lock themselves out.
    pub(crate) caller_address: String,
}

/// Whom a block shuts out.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Account(UserId),
    Network(Network),
}

/// A block to be.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) target: Target,
    pub(super) reason: String,
    pub(super) until: Option<DateTime<Utc>>,
}

/// A block that was written: what tells of it, and the sessions that it ended.
pub(super) struct Placed {
    pub(super) block: Model,
    pub(super) events: Vec<NewEvent>,
    pub(super) ended: Vec<SessionId>,
}

/// Blocks an account, whose sessions end at once, or a network.
pub(crate) async fn create(app: &App, caller: &Caller, wish: Wish) -> Result<Model, Error> {
    app.admit(caller).await?;
    let new = check(wish, app.clock.now())?;
    put(app, &new, &Actor::of(caller)).await
}

/// A network that goes on guessing is shut out for an hour, unless it is already.
pub(super) async fn by_brake(app: &App, network: Network) -> Result<(), Error> {
    let new = New {
        target: Target::Network(network),
        reason: "too many failed logins".to_owned(),
        until: Some(app.clock.now() + BLOCKED_FOR),
    };
    match put(app, &new, &Actor::service(rules::BRAKE)).await {
        Ok(_) => {
            tracing::warn!(network = network.to_string(), "network blocked by the brake");
            Ok(())
        }
        Err(Error::BlockedAlready { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn put(app: &App, new: &New, actor: &Actor) -> Result<Model, Error> {
    // two who block one network at once meet at its index: the second one sees the first one's then
    match write(app, new, actor).await {
        Err(Error::Storage(error)) if violated_constraint(&error, ONE) => {
            write(app, new, actor).await
        }
        written => written,
    }
}

/// The indexes that let one block hold.
const ONE: &str = "block_account_id|block.account_id|block_network|block.network";

async fn write(app: &App, new: &New, actor: &Actor) -> Result<Model, Error> {
    let tx = app.db.begin().await?;
    if matches!(new.target, Target::Account(_)) {
        role::lock_admins(&tx).await?;
    }
    let roles = role::all(&tx).await?;
    let Placed { block, events, ended } = place(app, &tx, new, actor, &roles).await?;
    app.commit_all(tx, events).await?;
    app.revoke(&ended);
    tracing::info!(block.id = %block.id, actor = actor.name, "blocked");
    Ok(block)
}

/// Writes the block and what follows from it. Of an account: under
/// [`lock_admins`](role::lock_admins), because one active admin must be able to come in.
pub(super) async fn place(
    app: &App,
    tx: &Tx,
    new: &New,
    actor: &Actor,
    roles: &Roles,
) -> Result<Placed, Error> {
    let now = app.clock.now();
    let (mut events, mut ended, mut letter) = (Vec::new(), Vec::new(), None);
    let (account_id, network) = match new.target {
        Target::Account(id) => (Some(id), None),
        Target::Network(network) => (None, Some(network.to_string())),
    };
    let mut guarded = None;
    if let Some(id) = account_id {
        let account = account::find_for_update(tx, id).await?.ok_or(Error::UserNotFound)?;
        actor.check(roles, &account)?;
        letter = account.active.then_some(id);
        guarded = account.is_active_admin().then_some(id);
    }
    if let Some(earlier) = block::unlifted(tx, account_id, network.as_deref()).await? {
        if !earlier.is_over(now) {
            return Err(Error::BlockedAlready { block: earlier.id });
        }
        events.extend(take_away(app, tx, &earlier, rules::END).await?.unwrap_or_default());
    }
    if let Some(id) = guarded
        && !account::is_other_admin(tx, id).await?
    {
        return Err(Error::LastAdmin);
    }
    let block = Model {
        id: BlockId::new(),
        account_id,
        network,
        reason: new.reason.clone(),
        created_by: actor.name.clone(),
        created_at: now,
        until: new.until,
        lifted_at: None,
        lifted_by: None,
    };
    block::insert(tx, block.clone()).await?;
    app.audit.record(tx, entry::block("block.created", &block, &actor.name)).await?;
    events.push(block_changed(&block));
    if let Some(id) = account_id {
        let sessions = end_all(app, tx, id, None, Reason::Blocked).await?;
        let Ended { ids, events: told } = sessions;
        ended = ids;
        events.extend(told);
    }
    if let Some(id) = letter {
        let mut facts = vec![("reason", block.reason.clone())];
        facts.extend(block.until.map(|until| ("until", rules::spelled(until))));
        let mail = NewMail { kind: Kind::Blocked, to: To::Account(id), facts, expires_at: None };
        events.push(mail::request(app, tx, mail).await?.1);
    }
    Ok(Placed { block, events, ended })
}

/// Lifts a block that holds.
pub(crate) async fn lift(app: &App, caller: &Caller, id: BlockId) -> Result<Model, Error> {
    app.admit(caller).await?;
    let now = app.clock.now();
    let found = block::find(newest(&app.db), id).await?.filter(|block| !block.is_over(now));
    let block = found.ok_or(Error::BlockNotFound)?;
    let actor = Actor::of(caller);
    let tx = app.db.begin().await?;
    if let Some(account) = block.account_id {
        let account = account::find(&tx, account).await?.ok_or(Error::BlockNotFound)?;
        actor.check(&role::all(&tx).await?, &account)?;
    }
    let events = take_away(app, &tx, &block, &actor.name).await?.ok_or(Error::BlockNotFound)?;
    app.commit_all(tx, events).await?;
    tracing::info!(block.id = %id, actor = actor.name, "block lifted");
    Ok(Model { lifted_at: Some(now), lifted_by: Some(actor.name), ..block })
}

/// Lifts the blocks whose time is over; answers how many.
pub(crate) async fn lift_ended(app: &App) -> Result<u64, Error> {
    const AT_ONCE: u64 = 100;
    let mut lifted = 0;
    loop {
        let over = block::ended(newest(&app.db), app.clock.now(), AT_ONCE).await?;
        let were = over.len() as u64;
        for block in over {
            let tx = app.db.begin().await?;
            // `None`: somebody was quicker
            if let Some(events) = take_away(app, &tx, &block, rules::END).await? {
                app.commit_all(tx, events).await?;
                tracing::info!(block.id = %block.id, "block ended");
                lifted += 1;
            } else {
                tx.rollback().await?;
            }
        }
        if were < AT_ONCE {
            return Ok(lifted);
        }
    }
}

/// Writes that the block holds no more, and what tells of it; `None`: it did not.
async fn take_away(
    app: &App,
    tx: &Tx,
    block: &Model,
    by: &str,
) -> Result<Option<Vec<NewEvent>>, Error> {
    let now = app.clock.now();
    if !block::lift(tx, block.id, by, now).await? {
        return Ok(None);
    }
    // one that ended by itself said so when it was made
    if by != rules::END {
        app.audit.record(tx, entry::block("block.lifted", block, by)).await?;
    }
    let lifted = Model { lifted_at: Some(now), lifted_by: Some(by.to_owned()), ..block.clone() };
    let mut events = vec![block_changed(&lifted)];
    if let Some(id) = block.account_id
        && account::find(tx, id).await?.is_some_and(|account| account.active)
    {
        let kind = Kind::Unblocked;
        let mail = NewMail { kind, to: To::Account(id), facts: Vec::new(), expires_at: None };
        events.push(mail::request(app, tx, mail).await?.1);
    }
    Ok(Some(events))
}

/// Refuses an account that is shut out now.
pub(super) async fn refuse(
    db: &impl ConnectionTrait,
    account: UserId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    match block::of_account(db, account, now).await? {
        Some(block) => Err(Error::AccountBlocked { until: block.until }),
        None => Ok(()),
    }
}

/// Every broken field at once.
fn check(wish: Wish, now: DateTime<Utc>) -> Result<New, Error> {
    let mut broken = Vec::new();
    let mut network = None;
    match (wish.user_id.trim(), wish.network.trim()) {
        ("", "") => broken.push(Violation::new("user_id", "is required, or network")),
        ("", text) => match Network::parse(text) {
            Ok(parsed) if shuts_out(&parsed, &wish.caller_address) => {
                broken.push(Violation::new("network", "must not hold your own address"));
            }
            Ok(parsed) => network = Some(parsed),
            Err(error) => broken.push(Violation::new("network", error)),
        },
        (_, "") => {}
        _ => broken.push(Violation::new("network", "must not be given beside user_id")),
    }
    let mut kept = |field, text: &str| broken.push(Violation::new(field, text));
    let reason = rules::reason(&wish.reason).map_err(|error| kept("reason", error)).ok();
    let until = rules::until(wish.until_us, now).map_err(|error| kept("until_us", error)).ok();
    let (Some(reason), Some(until), true) = (reason, until, broken.is_empty()) else {
        return Err(Error::Invalid(broken));
    };
    let target = match network {
        Some(network) => Target::Network(network),
        // what is no id names nobody
        None => Target::Account(wish.user_id.trim().parse().map_err(|_| Error::UserNotFound)?),
    };
    Ok(New { target, reason, until })
}

/// An address that cannot be read is nobody's.
fn shuts_out(network: &Network, address: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|address| network.shuts_out(address))
}
