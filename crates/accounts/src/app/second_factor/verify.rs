//! Giving the second factor again, for what moves money or power.

use souk_audit::NewEntry;
use souk_auth::Caller;

use super::{Taken, own, take, target};
use crate::Error;
use crate::app::App;
use crate::app::tokens::{Issued, reissue};
use crate::store::second_factor;

/// Takes a code for the caller's session: fresh for five minutes, as the new access token says.
pub(crate) async fn verify(app: &App, caller: &Caller, code: &str) -> Result<Issued, Error> {
    app.admit(caller).await?;
    let tx = app.db.begin().await?;
    let (account, mut session) = own(app, &tx, caller).await?;
    match take(app, &tx, account.id, code).await? {
        Taken::NotEnrolled => return Err(Error::SecondFactorNotEnrolled),
        Taken::Wrong => {
            tx.commit().await?;
            return Err(Error::WrongCode { tries_left: None });
        }
        Taken::Right => {}
    }
    let now = app.clock.now();
    if !second_factor::given(&tx, session.id, now).await? {
        return Err(Error::SessionEnded);
    }
    session.second_factor_at = Some(now);
    let entry = NewEntry::new("second_factor.given", target(account.id));
    let issued = reissue(app, &tx, account, &session).await?;
    app.commit(tx, entry).await?;
    Ok(issued)
}
