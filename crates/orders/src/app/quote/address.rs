//! Addresses of a checkout: as written, or out of the buyer's book.
use souk_rpc::{Kind, Violation};
use souk_values::UserId;

use crate::app::App;
use crate::domain::address::{Address, Broken, Checkout, Place};
use crate::error::Error;

/// Shipping's and billing's.
pub(super) async fn both(
    app: &App,
    user: Option<UserId>,
    checkout: &Checkout,
) -> Result<(Option<Address>, Option<Address>), Error> {
    let shipping = one(app, user, &checkout.shipping_address, "shipping_address").await?;
    let billing = one(app, user, &checkout.billing_address, "billing_address").await?;
    Ok((shipping, billing))
}

async fn one(
    app: &App,
    user: Option<UserId>,
    place: &Place,
    field: &str,
) -> Result<Option<Address>, Error> {
    let id = match place {
        Place::None => return Ok(None),
        Place::Written(address) => return Ok(Some(address.clone())),
        Place::Kept(id) => id,
    };
    let id_field = format!("{field}_id");
    if user.is_none() {
        return Err(Error::field(&id_field, "is for those who are logged in"));
    }
    let kept = match app.accounts.address(id).await {
        Err(Error::Neighbour(failure)) if failure.kind == Kind::NotFound => {
            return Err(Error::field(&id_field, "there is no such address"));
        }
        answer => answer?,
    };
    let address = Address {
        name: kept.name,
        company: kept.company,
        line1: kept.line1,
        line2: kept.line2,
        city: kept.city,
        region: kept.region,
        postal_code: kept.postal_code,
        country: kept.country,
        phone: kept.phone,
    };
    let mut broken = Broken::new();
    let address = address.checked(field, &mut broken);
    match broken.into_iter().next() {
        None => Ok(Some(address)),
        Some((field, must)) => {
            Err(Error::Invalid(vec![Violation::new(id_field, format!("{field} {must}"))]))
        }
    }
}
