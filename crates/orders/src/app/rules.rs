//! What the shop's staff decide: shipping methods, tax rates and settings, coupons.
//!
//! `expected` is the version that the writer has seen; 0: there is none yet.
mod entry;

use souk_rpc::Violation;
use souk_storage::OnConstraint;

use crate::app::App;
use crate::domain::address::Broken;
use crate::domain::coupon::{self, Coupon};
use crate::domain::shipping::Method;
use crate::domain::tax::{Rate, Settings};
use crate::error::Error;
use crate::store;

/// Every broken field, as callers are told.
pub(crate) fn invalid(broken: Broken) -> Error {
    Error::Invalid(broken.into_iter().map(|(field, must)| Violation::new(field, must)).collect())
}

/// The version that a write makes, if the writer knows the one before.
fn next(found: Option<i64>, expected: Option<u64>, taken: Error) -> Result<i64, Error> {
    match (found, expected) {
        (None, None | Some(0)) => Ok(1),
        (None, Some(_)) => Err(Error::StaleVersion { current: 0 }),
        (Some(_), Some(0)) => Err(taken),
        (Some(current), None) => Ok(current + 1),
        (Some(current), Some(seen)) if current.unsigned_abs() == seen => Ok(current + 1),
        (Some(current), Some(_)) => Err(Error::StaleVersion { current }),
    }
}

fn check_known(current: i64, expected: Option<u64>) -> Result<(), Error> {
    if expected.is_none_or(|seen| current.unsigned_abs() == seen) {
        Ok(())
    } else {
        Err(Error::StaleVersion { current })
    }
}

fn check_room(count: u64, most: u64) -> Result<(), Error> {
    if count < most {
        return Ok(());
    }
    Err(Error::Conflict("too_many_rules", "there are as many as a shop may have"))
}

const METHOD_TAKEN: fn() -> Error =
    || Error::Conflict("shipping_method_exists", "there is a shipping method with this code");
const RATE_TAKEN: fn() -> Error =
    || Error::Conflict("tax_rate_exists", "there is a tax rate for this country and class");
const COUPON_TAKEN: fn() -> Error =
    || Error::Conflict("coupon_exists", "there is a coupon with this code");

/// Makes a shipping method or replaces it.
pub(crate) async fn put_method(
    app: &App,
    method: Method,
    expected: Option<u64>,
) -> Result<Method, Error> {
    let mut method = method.checked().map_err(invalid)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let found = store::shipping::find_for_update(&tx, &method.code).await?;
    method.version = next(found.as_ref().map(|m| m.version), expected, METHOD_TAKEN())?;
    if found.is_some() {
        store::shipping::update(&tx, &method, now).await?;
    } else {
        check_room(store::shipping::count(&tx).await?, store::shipping::MAX)?;
        let made = store::shipping::insert(&tx, &method, now).await;
        made.on_constraint("shipping_method", METHOD_TAKEN())?;
    }
    store::tax::touch(&tx).await?;
    app.audit.record(&tx, entry::of(found.as_ref(), Some(&method))).await?;
    tx.commit().await?;
    tracing::info!(shipping.code = method.code, version = method.version, "shipping method set");
    Ok(method)
}

pub(crate) async fn delete_method(
    app: &App,
    code: &str,
    expected: Option<u64>,
) -> Result<Method, Error> {
    let tx = app.db.begin().await?;
    let found = store::shipping::find_for_update(&tx, code).await?;
    let found = found.ok_or(Error::NotFound("shipping method"))?;
    check_known(found.version, expected)?;
    store::shipping::delete(&tx, code).await?;
    store::tax::touch(&tx).await?;
    app.audit.record(&tx, entry::of(Some(&found), None)).await?;
    tx.commit().await?;
    tracing::info!(shipping.code = code, "shipping method deleted");
    Ok(found)
}

/// Makes a tax rate or replaces it.
pub(crate) async fn put_rate(app: &App, rate: Rate, expected: Option<u64>) -> Result<Rate, Error> {
    let mut rate = rate.checked().map_err(invalid)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let found = store::tax::find_for_update(&tx, &rate.country, &rate.class).await?;
    rate.version = next(found.as_ref().map(|r| r.version), expected, RATE_TAKEN())?;
    if found.is_some() {
        store::tax::update(&tx, &rate, now).await?;
    } else {
        check_room(store::tax::count(&tx).await?, store::tax::MAX)?;
        let made = store::tax::insert(&tx, &rate, now).await;
        made.on_constraint("tax_rate", RATE_TAKEN())?;
    }
    store::tax::touch(&tx).await?;
    app.audit.record(&tx, entry::of(found.as_ref(), Some(&rate))).await?;
    tx.commit().await?;
    tracing::info!(tax.country = rate.country, tax.class = rate.class, "tax rate set");
    Ok(rate)
}

/// `key` is "DE/standard".
pub(crate) async fn delete_rate(
    app: &App,
    key: &str,
    expected: Option<u64>,
) -> Result<Rate, Error> {
    let missing = || Error::NotFound("tax rate");
    let (country, class) = key.split_once('/').ok_or_else(missing)?;
    let tx = app.db.begin().await?;
    let found = store::tax::find_for_update(&tx, country, class).await?.ok_or_else(missing)?;
    check_known(found.version, expected)?;
    store::tax::delete(&tx, &found).await?;
    store::tax::touch(&tx).await?;
    app.audit.record(&tx, entry::of(Some(&found), None)).await?;
    tx.commit().await?;
    tracing::info!(tax.country = country, tax.class = class, "tax rate deleted");
    Ok(found)
}

pub(crate) async fn put_settings(
    app: &App,
    settings: Settings,
    expected: Option<u64>,
) -> Result<Settings, Error> {
    let mut settings = settings.checked().map_err(invalid)?;
    let tx = app.db.begin().await?;
    let before = store::tax::settings(&tx).await?;
    check_known(before.version, expected)?;
    settings.version = before.version + 1;
    if !store::tax::update_settings(&tx, &settings).await? {
        return Err(Error::StaleVersion { current: settings.version });
    }
    store::tax::touch(&tx).await?;
    app.audit.record(&tx, entry::of(Some(&before), Some(&settings))).await?;
    tx.commit().await?;
    tracing::info!(inclusive = settings.prices_include_tax, "tax settings set");
    Ok(settings)
}

/// Makes a coupon or replaces everything of it but its uses.
pub(crate) async fn put_coupon(
    app: &App,
    coupon: Coupon,
    expected: Option<u64>,
) -> Result<Coupon, Error> {
    let mut coupon = coupon.checked().map_err(invalid)?;
    let now = app.clock.now();
    let tx = app.db.begin().await?;
    let found = store::coupon::find_for_update(&tx, &coupon.code).await?.map(|(found, _)| found);
    coupon.version = next(found.as_ref().map(|c| c.version), expected, COUPON_TAKEN())?;
    coupon.used = found.as_ref().map_or(0, |c| c.used);
    if found.is_some() {
        store::coupon::update(&tx, &coupon, now).await?;
    } else {
        let made = store::coupon::insert(&tx, &coupon, now).await;
        made.on_constraint("coupon", COUPON_TAKEN())?;
    }
    app.audit.record(&tx, entry::of(found.as_ref(), Some(&coupon))).await?;
    tx.commit().await?;
    tracing::info!(coupon.code, version = coupon.version, "coupon set");
    Ok(coupon)
}

/// Only one that no order ever held.
pub(crate) async fn delete_coupon(
    app: &App,
    text: &str,
    expected: Option<u64>,
) -> Result<Coupon, Error> {
    let missing = || Error::NotFound("coupon");
    let code = coupon::code(text).ok_or_else(missing)?;
    let tx = app.db.begin().await?;
    let found = store::coupon::find_for_update(&tx, &code).await?;
    let (found, ever_used) = found.ok_or_else(missing)?;
    check_known(found.version, expected)?;
    if ever_used {
        let sentence = "orders hold it: set active to false instead";
        return Err(Error::Conflict("coupon_in_use", sentence));
    }
    store::coupon::delete(&tx, &code).await?;
    app.audit.record(&tx, entry::of(Some(&found), None)).await?;
    tx.commit().await?;
    tracing::info!(coupon.code = code, "coupon deleted");
    Ok(found)
}
