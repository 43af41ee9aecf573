//! Who may change whom: nobody beyond their own power, and power only with a second factor that was
//! given a moment ago.

use sea_orm::ConnectionTrait;
use souk_auth::Caller;
use souk_values::UserId;

use crate::Error;
use crate::app::App;
use crate::app::role::check_power as check_role;
use crate::store::account::Model;
use crate::store::role;

/// Whoever holds less than somebody does not decide about them, or they would soon hold as much.
pub(crate) async fn check_power(
    db: &impl ConnectionTrait,
    caller: &Caller,
    account: &Model,
) -> Result<(), Error> {
    if caller.user.is_none() {
        return Ok(());
    }
    check_role(caller, &role::all(db).await?, &account.role)
}

/// A new account is no mightier than its maker, and power is given with a fresh second factor.
pub(super) async fn check_made(
    app: &App,
    db: &impl ConnectionTrait,
    caller: &Caller,
    made: &Model,
) -> Result<(), Error> {
    if caller.user.is_none() {
        return Ok(());
    }
    let roles = role::all(db).await?;
    check_role(caller, &roles, &made.role)?;
    if roles.permissions(&made.role).is_empty() { Ok(()) } else { check_fresh(app, caller) }
}

/// A role, and what leads into the account of somebody with power, ask for more.
pub(super) async fn check_change(
    app: &App,
    db: &impl ConnectionTrait,
    caller: &Caller,
    before: &Model,
    after: &Model,
    named: &[&str],
) -> Result<(), Error> {
    let Some(user) = &caller.user else { return Ok(()) };
    let roles = role::all(db).await?;
    let is_own = user.id == before.id;
    let role = named.contains(&"role");
    let way_in = named.contains(&"password") || named.contains(&"email");
    // people change their own name with any token; a program's key is less than its owner
    if !is_own || role || way_in {
        check_role(caller, &roles, &before.role)?;
        check_role(caller, &roles, &after.role)?;
    }
    let mighty = !roles.permissions(&before.role).is_empty();
    if role || (way_in && mighty && !is_own) { check_fresh(app, caller) } else { Ok(()) }
}

/// What leads into one's own account asks for its password, and for a code where it is another
/// address: a session that somebody finds open is not enough. Nor does anybody take their own power,
/// by mistake or for somebody else.
pub(super) fn check_own(caller: &Caller, account: UserId, named: &[&str]) -> Result<(), Error> {
    let is_own = caller.user.as_ref().is_some_and(|user| user.id == account);
    let others = ["password", "email", "role", "active"];
    if is_own && named.iter().any(|field| others.contains(field)) {
        return Err(Error::OwnAccount);
    }
    Ok(())
}

fn check_fresh(app: &App, caller: &Caller) -> Result<(), Error> {
    if caller.is_fresh(app.clock.now().timestamp()) {
        Ok(())
    } else {
        Err(Error::SecondFactorNeeded)
    }
}
