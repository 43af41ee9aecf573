//! What an order of the current cart would cost: quotes and orders ask here, so that both say the
//! same.
mod address;
mod rules;

use std::collections::HashMap;
use std::sync::Arc;

use souk_values::{Currency, ProductId, UserId};

pub(crate) use rules::KnownRules;
use rules::Rules;

use crate::app::App;
use crate::domain::address::{Address, Checkout};
use crate::domain::cart::{Cart, Line};
use crate::domain::change::Refusal;
use crate::domain::coupon::{self, Coupon};
use crate::domain::goods::{Goods, Kind};
use crate::domain::pricing::{self, Quote, Terms, Wanted};
use crate::domain::shipping::{self, Method, NoChoice, Parcel};
use crate::error::Error;
use crate::store;

/// A cart with its price, and everything that decided it.
#[derive(Clone, Debug)]
pub(crate) struct Priced {
    pub(crate) quote: Quote,
    pub(crate) cart: Cart,
    /// Code, name and price before tax if prices hold none, the cheapest first.
    pub(crate) choices: Vec<(String, String, i64)>,
    pub(crate) shipping_address: Option<Address>,
    /// `None`: as shipping.
    pub(crate) billing_address: Option<Address>,
}

/// Prices the cart of the user, or of the guest whose secret the checkout holds, for a checkout
/// that is [checked](Checkout::checked). Changes nothing.
///
/// A guest's cart of a user is merged before, by the door.
pub(crate) async fn quote(
    app: &App,
    user: Option<UserId>,
    checkout: &Checkout,
) -> Result<Priced, Error> {
    let cart = cart(app, user, checkout).await?;
    let ids: Vec<ProductId> = cart.lines.iter().map(|line| line.product_id).collect();
    let (goods, rules, coupon, addresses) = futures::try_join!(
        app.catalog.goods(&ids),
        rules(app),
        coupon(app, user, &checkout.coupon),
        address::both(app, user, checkout),
    )?;
    let (wanted, currency) = wanted(&cart, goods)?;
    let (shipping_address, billing_address) = addresses;
    let ship_to = shipping_address.as_ref().map_or("", |address| address.country.as_str());
    let country = [shipping_address.as_ref(), billing_address.as_ref()]
        .into_iter()
        .flatten()
        .map(|address| address.country.clone())
        .next()
        .unwrap_or_else(|| rules.settings.default_country.clone());
    let subtotal = subtotal(&wanted)?;
    if let Some((coupon, own)) = &coupon {
        let counts = coupon.counts(subtotal, currency, app.clock.now());
        counts.and_then(|()| coupon.has_some_left(*own)).map_err(Error::Refused)?;
    }
    let coupon = coupon.map(|(coupon, _)| coupon);
    let goods = subtotal - coupon.as_ref().map_or(0, |c| c.discount(subtotal, currency));
    let parcel = Parcel { currency, weight_g: pricing::weight(&wanted)?, country: ship_to };
    let named = named(&rules.methods, &checkout.shipping_method)?;
    let physical = wanted.iter().any(|w| w.goods.kind == Kind::Physical);
    let (shipping, offers) = if physical {
        let free = coupon.as_ref().is_some_and(Coupon::ships_free);
        let offers = shipping::offers(&rules.methods, &parcel, goods, free).map_err(no_choice)?;
        let chosen = shipping::choose(&rules.methods, &offers, &parcel, named);
        (chosen.map_err(no_choice)?, offers)
    } else {
        (None, Vec::new())
    };
    let choices =
        offers.iter().map(|o| (o.method.code.clone(), o.method.name.clone(), o.price)).collect();
    let terms = Terms {
        currency,
        country: &country,
        rates: &rules.rates,
        prices_include_tax: rules.settings.prices_include_tax,
        shipping,
        coupon: coupon.as_ref(),
    };
    let quote = pricing::price(&wanted, &terms)?;
    Ok(Priced { quote, cart, choices, shipping_address, billing_address })
}

fn named<'a>(methods: &'a [Method], code: &str) -> Result<Option<&'a Method>, Error> {
    if code.is_empty() {
        return Ok(None);
    }
    let found = methods.iter().find(|m| m.code == code);
    let missing = || Error::field("shipping_method", "there is no such shipping method");
    found.map(Some).ok_or_else(missing)
}

fn no_choice(why: NoChoice) -> Error {
    match why {
        NoChoice::Misfit(misfit) => Error::field("shipping_method", misfit.sentence()),
        NoChoice::NeedsAddress => {
            Error::field("shipping_address", "is required to ship these goods")
        }
        NoChoice::Nothing => Error::Refused(Refusal::new(
            "no_shipping_method",
            "no shipping method fits these goods and this address",
        )),
        NoChoice::TooLarge => pricing::TooLarge.into(),
    }
}

async fn cart(app: &App, user: Option<UserId>, checkout: &Checkout) -> Result<Cart, Error> {
    let db = store::cart::newest(&app.db);
    let found = match user {
        Some(user) => store::cart::find_of_user(db, user).await?,
        None if checkout.guest_secret.is_empty() => return Err(Error::NoCart),
        None => {
            let found = store::cart::find_of_guest(db, &checkout.guest_secret).await?;
            Some(found.ok_or(Error::CartNotFound)?)
        }
    };
    let cart = found.filter(|cart| !cart.lines.is_empty()).ok_or(Error::CartEmpty)?;
    if checkout.cart_version.is_some_and(|seen| seen != cart.version) {
        return Err(Error::CartChanged { current: cart.version.unsigned_abs() });
    }
    Ok(cart)
}

/// The lines at the prices that the buyer saw, or why they are not what the buyer saw.
fn wanted(
    cart: &Cart,
    mut goods: HashMap<ProductId, Goods>,
) -> Result<(Vec<Wanted>, Currency), Error> {
    let mut wanted: Vec<Wanted> = Vec::with_capacity(cart.lines.len());
    for line in &cart.lines {
        let goods = goods.remove(&line.product_id).ok_or_else(|| gone(line))?;
        if let Some(first) = wanted.first().map(|first| first.goods.price.currency)
            && first != goods.price.currency
        {
            return Err(Error::CurrencyMismatch {
                cart: first.to_string(),
                product: goods.price.currency.to_string(),
            });
        }
        check_seen(line, &goods)?;
        wanted.push(Wanted { goods, quantity: line.quantity });
    }
    let currency = wanted.first().map(|first| first.goods.price.currency);
    Ok((wanted, currency.ok_or(Error::CartEmpty)?))
}

fn gone(line: &Line) -> Error {
    let refusal = Refusal::new("product_gone", format!("{} cannot be bought any more", line.name));
    Error::Refused(refusal.with("product_id", line.product_id).with("sku", &line.sku))
}

fn check_seen(line: &Line, goods: &Goods) -> Result<(), Error> {
    let about = |refusal: Refusal| {
        Error::Refused(refusal.with("product_id", goods.id).with("sku", &goods.sku))
    };
    if line.seen() != goods.price {
        let sentence = format!("{} costs {} now", goods.name, goods.price);
        return Err(about(
            Refusal::new("price_changed", sentence)
                .with("unit_price", goods.price.decimal())
                .with("currency", goods.price.currency)
                .with("old_unit_price", line.seen().decimal())
                .with("old_currency", line.seen_currency),
        ));
    }
    if let Some(available) = goods.available.filter(|there| *there < line.quantity) {
        let available = available.max(0);
        let sentence = format!("there are only {available} of {}", goods.name);
        return Err(about(
            Refusal::new("out_of_stock", sentence)
                .with("available", available)
                .with("quantity", line.quantity),
        ));
    }
    Ok(())
}

/// Before anything is taken off.
fn subtotal(wanted: &[Wanted]) -> Result<i64, Error> {
    let sum = wanted
        .iter()
        .try_fold(0_i64, |sum, w| sum.checked_add(w.goods.price.minor.checked_mul(w.quantity)?));
    Ok(sum.ok_or(pricing::TooLarge)?)
}

async fn rules(app: &App) -> Result<Arc<Rules>, Error> {
    app.rules.newest(store::cart::newest(&app.db)).await.map_err(Error::from)
}

/// The coupon and how many orders of this user hold it.
async fn coupon(
    app: &App,
    user: Option<UserId>,
    text: &str,
) -> Result<Option<(Coupon, i64)>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let db = store::cart::newest(&app.db);
    let found = match coupon::code(text) {
        Some(code) => store::coupon::find(db, &code).await?,
        None => None,
    };
    let coupon = found.ok_or_else(|| Error::field("coupon", "there is no such coupon"))?;
    let own = match user {
        Some(user) if coupon.customer_limit.is_some() => {
            store::coupon::count_of(db, &coupon.code, user).await?
        }
        _ => 0,
    };
    Ok(Some((coupon, own)))
}
