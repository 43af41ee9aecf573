//! Which way a parcel goes.
use super::{Method, Misfit, Parcel};

/// A method that fits, with what it costs before tax if prices hold none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer<'a> {
    pub(crate) method: &'a Method,
    pub(crate) price: i64,
}

/// Why no method was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoChoice {
    /// The named one does not fit.
    Misfit(Misfit),
    /// It depends on a country that nobody said.
    NeedsAddress,
    /// None fits.
    Nothing,
    TooLarge,
}

/// All methods that fit, the cheapest first. `goods`: what they cost after discount; `free`: a
/// coupon pays.
pub(crate) fn offers<'a>(
    methods: &'a [Method],
    parcel: &Parcel<'_>,
    goods: i64,
    free: bool,
) -> Result<Vec<Offer<'a>>, NoChoice> {
    let mut offers = Vec::new();
    for method in methods.iter().filter(|m| m.fits(parcel).is_ok()) {
        let price = if free { Some(0) } else { method.price(goods, parcel.weight_g) };
        offers.push(Offer { method, price: price.ok_or(NoChoice::TooLarge)? });
    }
    offers.sort_by(|a, b| (a.price, &a.method.code).cmp(&(b.price, &b.method.code)));
    Ok(offers)
}

/// The named method, else the cheapest offer. `None`: the shop has not said how it ships.
pub(crate) fn choose<'a>(
    methods: &'a [Method],
    offers: &[Offer<'a>],
    parcel: &Parcel<'_>,
    named: Option<&'a Method>,
) -> Result<Option<&'a Method>, NoChoice> {
    if let Some(method) = named {
        return match method.fits(parcel) {
            Ok(()) => Ok(Some(method)),
            Err(Misfit::CountryUnknown) => Err(NoChoice::NeedsAddress),
            Err(misfit) => Err(NoChoice::Misfit(misfit)),
        };
    }
    if let Some(cheapest) = offers.first() {
        return Ok(Some(cheapest.method));
    }
    let mut why = methods.iter().filter(|m| m.active).map(|m| m.fits(parcel)).peekable();
    if why.peek().is_none() {
        return Ok(None);
    }
    let needs_address = why.any(|fits| fits == Err(Misfit::CountryUnknown));
    Err(if needs_address { NoChoice::NeedsAddress } else { NoChoice::Nothing })
}
