//! One action over many accounts, as a job: what is wanted, and what each part of it does.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::TransactionTrait;
use serde::{Deserialize, Serialize};
use souk_audit::NewEntry;
use souk_auth::Caller;
use souk_events::NewEvent;
use souk_jobs::{ItemResult, NewJob};
use souk_rpc::Violation;
use souk_storage::{DbErr, Tx};
use souk_values::{JobId, SessionId, UserId};

use super::App;
use super::account::{remove, switch};
use super::actor::Actor;
use super::block::{self, New, Target};
use super::event::Kind as Told;
use super::mail::{self, NewMail, To};
use super::session::Ended;
use crate::Error;
use crate::domain::group_action::{Action, LONGEST_DELAY_S, Outcome, users};
use crate::domain::mail::Kind;
use crate::store::role::Roles;
use crate::store::{account, newest, role};

/// How long the action `block` blocks.
const BLOCKED_FOR: TimeDelta = TimeDelta::days(7);

/// What an admin asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pub(crate) action: String,
    pub(crate) user_ids: Vec<String>,
    /// None: as the settings say.
    pub(crate) delay_s: Option<u32>,
}

/// What the job is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) action: Action,
    /// None: all inactive ones.
    pub(crate) users: Vec<UserId>,
    actor: String,
    /// What the actor held; none: no person.
    power: Option<Vec<String>>,
}

/// One account of the action, and its place in the results.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) position: u64,
    pub(crate) user: UserId,
}

/// What a part of the action did.
pub(crate) struct Performed {
    pub(crate) results: Vec<ItemResult>,
    ended: Vec<SessionId>,
}

/// Writes the job; it begins at the time answered, until which it can be cancelled.
pub(crate) async fn start(
    app: &App,
    caller: &Caller,
    wish: Wish,
) -> Result<(JobId, DateTime<Utc>), Error> {
    app.admit(caller).await?;
    let action = Action::parse(&wish.action);
    let mut broken = Vec::new();
    if action.is_none() {
        let words = Action::ALL.map(Action::as_str).join(", ");
        broken.push(Violation::new("action", format!("must be one of {words}")));
    }
    let users = users(action, &wish.user_ids);
    if let Err(must) = &users {
        broken.push(Violation::new("user_ids", must));
    }
    if wish.delay_s.is_some_and(|delay| delay > LONGEST_DELAY_S) {
        let must = format!("must be at most {LONGEST_DELAY_S}");
        broken.push(Violation::new("delay_s", must));
    }
    let (Some(action), Ok(users), true) = (action, users, broken.is_empty()) else {
        return Err(Error::Invalid(broken));
    };
    let delay_s = wish.delay_s.unwrap_or_else(|| usual_delay_s(app, action));
    let run_at = app.clock.now() + TimeDelta::seconds(i64::from(delay_s));
    let actor = Actor::of(caller);
    let (power, accounts) = (actor.power(), users.len());
    let order = Order { action, users, actor: actor.name.clone(), power };
    let params = serde_json::to_value(order).map_err(|e| DbErr::Json(e.to_string()))?;
    let created_by = actor.name.clone();
    let job = NewJob { kind: action.job(), params, created_by, run_at: Some(run_at) };
    let tx = app.db.begin().await?;
    let id = app.jobs.create(&tx, job).await?;
    let entry = NewEntry::new("group_action.ordered", format!("job/{id}"))
        .actor(&actor.name)
        .change("action", "", action.as_str())
        .change("accounts", "", accounts);
    app.audit.record(&tx, entry).await?;
    tx.commit().await?;
    app.jobs.wake();
    let action = action.as_str();
    tracing::info!(job.id = %id, action, accounts, actor = actor.name, "group action ordered");
    Ok((id, run_at))
}

fn usual_delay_s(app: &App, action: Action) -> u32 {
    let delays = &app.config.group_actions.delay_s;
    match action {
        Action::Activate => delays.activate,
        Action::Deactivate => delays.deactivate,
        Action::Block => delays.block,
        Action::Delete => delays.delete,
        Action::DeleteInactive => delays.delete_inactive,
        Action::SendTestMail => delays.send_test_mail,
    }
}

/// Who counts as inactive for an action that begins now: who was so for long enough.
pub(crate) fn cutoff(app: &App) -> DateTime<Utc> {
    app.clock.now() - TimeDelta::days(i64::from(app.config.inactive_kept_days))
}

pub(crate) async fn count_inactive(app: &App, cutoff: DateTime<Utc>) -> Result<u64, Error> {
    Ok(account::count_inactive(newest(&app.db), cutoff).await?)
}

/// The next inactive accounts after this one.
pub(crate) async fn inactive(
    app: &App,
    cutoff: DateTime<Utc>,
    after: Option<UserId>,
    limit: u64,
) -> Result<Vec<UserId>, Error> {
    Ok(account::inactive(newest(&app.db), cutoff, after, limit).await?)
}

/// Does the action to some accounts, all in one transaction, and appends what tells of it. An
/// account that cannot be done is taken back by itself.
pub(crate) async fn perform(
    app: &App,
    tx: &Tx,
    order: &Order,
    cutoff: DateTime<Utc>,
    mut items: Vec<Item>,
) -> Result<Performed, Error> {
    if order.action.shuts_out() {
        role::lock_admins(tx).await?;
    }
    let roles = role::all(tx).await?;
    let now = app.clock.now();
    let actor = Actor::later(tx, &order.actor, order.power.as_deref(), now).await?;
    let worker = Worker { app, action: order.action, roles, actor, cutoff };
    // one order of locks, whatever the order of the wish
    items.sort_by_key(|item| item.user);
    let (mut results, mut events, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for Item { position, user } in items {
        #[allow(clippy::disallowed_methods, reason = "a savepoint: the transaction has begun")]
        let step = tx.begin().await?;
        let (outcome, detail) = match worker.one(&step, user).await {
            Ok(Some(mut done)) => {
                step.commit().await?;
                events.append(&mut done.events);
                ended.append(&mut done.ids);
                (Outcome::Done, String::new())
            }
            Ok(None) => {
                step.rollback().await?;
                (Outcome::Skipped, String::new())
            }
            Err(error) => {
                step.rollback().await?;
                explain(error)?
            }
        };
        let (key, outcome) = (user.to_string(), outcome.as_str().to_owned());
        results.push(ItemResult { position, key, outcome, detail });
    }
    app.outbox.append(tx, events).await?;
    Ok(Performed { results, ended })
}

/// Commits a part, after its progress was saved in the same transaction.
pub(crate) async fn close(app: &App, tx: Tx, performed: Performed) -> Result<(), Error> {
    tx.commit().await?;
    app.outbox.wake();
    app.revoke(&performed.ended);
    Ok(())
}

struct Worker<'a> {
    app: &'a App,
    action: Action,
    roles: Roles,
    actor: Actor,
    cutoff: DateTime<Utc>,
}

impl Worker<'_> {
    /// `None`: there is nothing to do.
    async fn one(&self, tx: &Tx, user: UserId) -> Result<Option<Ended>, Error> {
        self.actor.check_entitled()?;
        if self.action == Action::Block {
            return self.block(tx, user).await;
        }
        let before = account::find_for_update(tx, user).await?.ok_or(Error::UserNotFound)?;
        let (app, actor) = (self.app, self.actor.name.as_str());
        match self.action {
            Action::Activate if before.active => Ok(None),
            Action::Activate => {
                self.check(&before)?;
                Ok(Some(switch(app, tx, before, true, Told::Changed, actor).await?.1))
            }
            Action::Deactivate | Action::Delete if !before.active => Ok(None),
            Action::Deactivate => {
                self.check(&before)?;
                Ok(Some(switch(app, tx, before, false, Told::Changed, actor).await?.1))
            }
            Action::Delete => {
                self.check(&before)?;
                Ok(Some(switch(app, tx, before, false, Told::Deleted, actor).await?.1))
            }
            // somebody came back, or was touched meanwhile
            Action::DeleteInactive if before.active || before.updated_at > self.cutoff => Ok(None),
            Action::DeleteInactive => {
                self.check(&before)?;
                Ok(Some(remove(app, tx, before, actor).await?))
            }
            Action::SendTestMail if !before.active => Ok(None),
            Action::SendTestMail => {
                let event = self.test_mail(tx, user).await?;
                Ok(Some(Ended { ids: Vec::new(), events: vec![event] }))
            }
            Action::Block => Ok(None),
        }
    }

    fn check(&self, account: &account::Model) -> Result<(), Error> {
        self.actor.check(&self.roles, account)
    }

    async fn block(&self, tx: &Tx, user: UserId) -> Result<Option<Ended>, Error> {
        let new = New {
            target: Target::Account(user),
            reason: "blocked for seven days".to_owned(),
            until: Some(self.app.clock.now() + BLOCKED_FOR),
        };
        match block::place(self.app, tx, &new, &self.actor, &self.roles).await {
            Ok(placed) => Ok(Some(Ended { ids: placed.ended, events: placed.events })),
            Err(Error::BlockedAlready { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn test_mail(&self, tx: &Tx, user: UserId) -> Result<NewEvent, Error> {
        let (kind, to) = (Kind::Test, To::Account(user));
        let mail = NewMail { kind, to, facts: Vec::new(), expires_at: None };
        Ok(mail::request(self.app, tx, mail).await?.1)
    }
}

/// What the admin is told of one account; an error that is nobody's own is the whole part's.
fn explain(error: Error) -> Result<(Outcome, String), Error> {
    let outcome = match &error {
        Error::UserNotFound => Outcome::Unknown,
        Error::LastAdmin | Error::OwnAccount | Error::BeyondOwnPermissions => Outcome::Refused,
        Error::Storage(cause) if cause.sql_err().is_some() => {
            tracing::error!(error = %cause, "an account stands against a group action");
            Outcome::Failed
        }
        Error::Storage(_) => return Err(error),
        _ => Outcome::Failed,
    };
    let detail = match outcome {
        Outcome::Unknown => String::new(),
        _ => error.reason().to_owned(),
    };
    Ok((outcome, detail))
}
