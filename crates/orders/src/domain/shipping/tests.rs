//! Prices and bounds of shipping methods.
use super::*;

fn method(kind: Kind) -> Method {
    Method {
        code: "dhl".to_owned(),
        name: "Parcel".to_owned(),
        kind,
        currency: Currency::EUR,
        price: 490,
        step_price: 150,
        step_g: 1_000,
        free_above: Some(5_000),
        max_weight_g: Some(31_500),
        countries: vec!["AT".to_owned(), "DE".to_owned()],
        active: true,
        version: 1,
    }
}

fn parcel(weight_g: u64, country: &str) -> Parcel<'_> {
    Parcel { currency: Currency::EUR, weight_g, country }
}

#[test]
fn a_flat_price_is_free_from_its_bound_on() {
    let flat = method(Kind::Flat);
    assert_eq!(flat.price(4_999, 30_000), Some(490));
    assert_eq!((flat.price(5_000, 1), flat.price(5_001, 1)), (Some(0), Some(0)));
    let never = Method { free_above: None, ..flat };
    assert_eq!(never.price(i64::MAX, 1), Some(490));
}

#[test]
fn each_begun_step_of_weight_costs() {
    let by_weight = method(Kind::ByWeight);
    let prices = [0, 1, 1_000, 1_001, 2_000, 2_001, 10_000].map(|g| by_weight.price(0, g));
    assert_eq!(prices.map(Option::unwrap), [490, 490, 490, 640, 640, 790, 1_840]);
    let dear = Method { step_price: MAX_PRICE, step_g: 1, ..by_weight };
    assert_eq!(dear.price(0, u64::MAX), None);
}

#[test]
fn a_parcel_fits_by_weight_country_and_currency() {
    let method = method(Kind::Flat);
    assert_eq!(method.fits(&parcel(31_500, "DE")), Ok(()));
    assert_eq!(method.fits(&parcel(31_501, "DE")), Err(Misfit::TooHeavy));
    assert_eq!(method.fits(&parcel(1, "US")), Err(Misfit::Country));
    assert_eq!(method.fits(&parcel(1, "")), Err(Misfit::CountryUnknown));
    let yen = Parcel { currency: "JPY".parse().unwrap(), ..parcel(1, "DE") };
    assert_eq!(method.fits(&yen), Err(Misfit::Currency));
    let everywhere = Method { countries: Vec::new(), ..method.clone() };
    assert_eq!(everywhere.fits(&parcel(1, "")), Ok(()));
    let old = Method { active: false, ..method };
    assert_eq!(old.fits(&parcel(1, "DE")), Err(Misfit::Inactive));
}

#[test]
fn weights_are_summed_or_refused() {
    assert_eq!(weight([(250, 2), (0, 1_000), (100, 5)]), Some(1_000));
    assert_eq!(weight([(u64::MAX, 2)]), None);
    assert_eq!(weight([(1, -1)]), None);
    assert_eq!(weight([]), Some(0));
}

#[test]
fn every_broken_field_is_named() {
    let broken = Method {
        code: "A b".into(),
        name: " ".into(),
        price: -1,
        step_price: MAX_PRICE + 1,
        step_g: 0,
        free_above: Some(-5),
        max_weight_g: Some(u64::MAX),
        countries: vec!["DE".into(), "XX".into()],
        ..method(Kind::ByWeight)
    };
    let fields: Vec<String> = broken.checked().unwrap_err().into_iter().map(|b| b.0).collect();
    let expected = [
        "code",
        "name",
        "price",
        "step_price",
        "free_above",
        "step_g",
        "max_weight_g",
        "countries",
    ];
    assert_eq!(fields, expected);
}

#[test]
fn what_is_written_loosely_is_kept_in_one_form() {
    let countries = vec!["de".into(), " AT".into(), "DE".into()];
    let flat = Method { name: " Post ".into(), countries, ..method(Kind::Flat) };
    let flat = flat.checked().unwrap();
    assert_eq!((flat.name.as_str(), flat.countries), ("Post", vec!["AT".into(), "DE".to_owned()]));
    assert_eq!((flat.step_price, flat.step_g), (0, 0));
}
