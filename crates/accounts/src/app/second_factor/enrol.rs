//! Enrolling: a secret for the app, and its first code as the proof that the app has it.

use rand::Rng;
use souk_audit::NewEntry;
use souk_auth::Caller;
use souk_storage::Tx;
use souk_values::UserId;

use super::change::letter;
use super::totp::AppSecret;
use super::{check_brake, count_failure, opened, own, person, subject, target};
use crate::Error;
use crate::app::App;
use crate::app::credential::check_password;
use crate::app::session::end_all;
use crate::app::tokens::{Issued, reissue};
use crate::domain::second_factor::{
    PENDING, RECOVERY_CODES, RECOVERY_LENGTH, Typed, recovery_code as spell,
};
use crate::domain::session::Reason;
use crate::store::second_factor::Model;
use crate::store::{brake, recovery_code, second_factor};

/// What an app must be told.
pub(crate) struct Begun {
    pub(crate) secret_base32: String,
    pub(crate) otpauth_uri: String,
}

/// What is shown once.
pub(crate) struct Confirmed {
    pub(crate) recovery_codes: Vec<String>,
    /// Of the same session, without a refresh token.
    pub(crate) issued: Issued,
}

/// A new secret, instead of one that was begun before. It counts when it is confirmed.
pub(crate) async fn begin(app: &App, caller: &Caller, password: &str) -> Result<Begun, Error> {
    let seen = person(app, caller).await?;
    check_password(app, &seen, password).await?;

    let secret = AppSecret::random();
    let tx = app.db.begin().await?;
    let (account, _) = own(app, &tx, caller).await?;
    if account.password_hash != seen.password_hash {
        return Err(Error::SessionEnded);
    }
    if second_factor::enrolled(&tx, account.id).await?.is_some() {
        return Err(Error::SecondFactorEnrolled);
    }
    let sealed = app.keys.seal(account.id, secret.reveal());
    let begun = Model {
        account_id: account.id,
        sealed_secret: sealed.map_err(|error| Error::SecondFactor(error.into()))?,
        begun_at: app.clock.now(),
        confirmed_at: None,
        last_step: 0,
    };
    second_factor::begin(&tx, begun).await?;
    tx.commit().await?;
    Ok(Begun {
        secret_base32: secret.base32(),
        otpauth_uri: secret.uri(&app.shop_name, &account.username)?,
    })
}

/// The first code: from now on it is asked for, and this session has given it. Every other one ends,
/// and the tokens of keys: nobody who came in without a code stays in.
pub(crate) async fn confirm(app: &App, caller: &Caller, code: &str) -> Result<Confirmed, Error> {
    app.admit(caller).await?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let (account, mut session) = own(app, &tx, caller).await?;
    let begun = second_factor::find_for_update(&tx, account.id).await?;
    let begun = begun.ok_or(Error::SecondFactorNotBegun)?;
    if begun.confirmed_at.is_some() {
        return Err(Error::SecondFactorEnrolled);
    }
    if now - begun.begun_at > PENDING {
        return Err(Error::SecondFactorNotBegun);
    }
    check_brake(app, &tx, account.id).await?;
    let step = match Typed::parse(code) {
        Some(Typed::App(digits)) => opened(app, &begun)?.step(&digits, now)?,
        Some(Typed::Recovery(_)) | None => None,
    };
    let Some(step) = step else {
        count_failure(app, &tx, account.id).await?;
        tx.commit().await?;
        return Err(Error::WrongCode { tries_left: None });
    };
    brake::release(&tx, &subject(account.id)).await?;
    if !second_factor::confirm(&tx, account.id, step, now).await? {
        return Err(Error::SecondFactorEnrolled);
    }
    let recovery_codes = new_codes(app, &tx, account.id).await?;
    if !second_factor::given(&tx, session.id, now).await? {
        return Err(Error::SessionEnded);
    }
    session.second_factor_at = Some(now);
    let keep = Some(session.id);
    let mut ended = end_all(app, &tx, account.id, keep, Reason::SecondFactor).await?;
    ended.events.push(letter(app, &tx, account.id, "enrolled").await?);
    let issued = reissue(app, &tx, account, &session).await?;
    let entry = NewEntry::new("second_factor.enrolled", target(session.account_id));
    app.commit(tx, (ended.events, entry)).await?;
    app.revoke(&ended.ids);
    tracing::info!(user.id = %session.account_id, "second factor enrolled");
    Ok(Confirmed { recovery_codes, issued })
}

/// Ten recovery codes instead of all earlier ones. They are stored as tags only.
pub(super) async fn new_codes(app: &App, tx: &Tx, account: UserId) -> Result<Vec<String>, Error> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    while codes.len() < RECOVERY_CODES {
        let mut bytes = [0; RECOVERY_LENGTH];
        rand::rng().fill_bytes(&mut bytes);
        let code = spell(bytes);
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    let tags = codes.iter().map(|code| app.keys.recovery_code(account, code)).collect();
    recovery_code::replace(tx, account, tags).await?;
    Ok(codes)
}
