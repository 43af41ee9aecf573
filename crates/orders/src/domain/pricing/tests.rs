//! The worked examples of `docs/money.md`, and what holds for every price.
use proptest::prelude::*;
use souk_values::Money;

use super::*;
use crate::domain::coupon::Gift;
use crate::domain::tax::Rate;

const DOCUMENT: &str = include_str!("../../../../../docs/money.md");

fn goods(price: Money, tax_class: &str) -> Goods {
    Goods {
        id: ProductId::new(),
        sku: "A-1".to_owned(),
        slug: "a-1".to_owned(),
        name: "Article".to_owned(),
        image: String::new(),
        kind: Kind::Physical,
        price,
        version: 7,
        available: None,
        weight_g: 250,
        tax_class: tax_class.to_owned(),
    }
}

fn coupon(gift: Gift, currency: Currency) -> Coupon {
    Coupon {
        code: "GIFT".to_owned(),
        gift,
        currency,
        minimum: None,
        starts_at: None,
        ends_at: None,
        total_limit: None,
        customer_limit: None,
        active: true,
        used: 0,
        version: 1,
    }
}

fn flat(price: i64, currency: Currency) -> Method {
    Method {
        code: "post".to_owned(),
        name: "Post".to_owned(),
        kind: shipping::Kind::Flat,
        currency,
        price,
        step_price: 0,
        step_g: 0,
        free_above: None,
        max_weight_g: None,
        countries: Vec::new(),
        active: true,
        version: 1,
    }
}

fn rate(class: &str, rate_ppm: u32) -> Rate {
    Rate { country: "DE".to_owned(), class: class.to_owned(), rate_ppm, version: 1 }
}

/// "8.25 %".
fn ppm(text: &str) -> u32 {
    let text = text.trim().strip_suffix('%').unwrap().trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<4}").parse().unwrap()
}

/// "4.90 @ 19 %".
fn priced(text: &str, currency: Currency) -> (Money, u32) {
    let (price, rate) = text.split_once('@').unwrap();
    (Money::parse_price(price.trim(), currency).unwrap(), ppm(rate))
}

#[test]
fn every_worked_example_of_the_document_is_priced_so() {
    let table = DOCUMENT.split("### Worked examples").nth(1).unwrap();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let mut read = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [prices, lines, gift, shipped, expected @ ..] = &cells[..] else { panic!("{row}") };
        let (currency, mode) = prices.split_once(' ').unwrap();
        let currency: Currency = currency.parse().unwrap();
        let mut rates = Vec::new();
        let mut wanted = Vec::new();
        for (at, line) in lines.split(", ").enumerate() {
            let (quantity, rest) = line.split_once('×').unwrap();
            let (price, ppm) = priced(rest, currency);
            let class = format!("class-{at}");
            rates.push(rate(&class, ppm));
            wanted.push(Wanted {
                goods: goods(price, &class),
                quantity: quantity.trim().parse().unwrap(),
            });
        }
        let method = (!shipped.is_empty()).then(|| {
            let (price, ppm) = priced(shipped, currency);
            rates.push(rate(tax::SHIPPING, ppm));
            flat(price.minor, currency)
        });
        let coupon = match *gift {
            "" => None,
            "free shipping" => Some(coupon(Gift::FreeShipping, currency)),
            text if text.ends_with('%') => Some(coupon(Gift::Percent(ppm(text)), currency)),
            text => {
                let amount = Money::parse_price(text, currency).unwrap();
                Some(coupon(Gift::Amount(amount.minor), currency))
            }
        };
        let rates = Rates::new(rates);
        let terms = Terms {
            currency,
            country: "DE",
            rates: &rates,
            prices_include_tax: mode == "with tax",
            shipping: method.as_ref(),
            coupon: coupon.as_ref(),
        };
        let quote = price(&wanted, &terms).unwrap();
        let text = |minor| Money::new(minor, currency).decimal();
        let totals: Vec<String> = quote.lines.iter().map(|line| text(line.total)).collect();
        let told = [
            text(quote.subtotal),
            text(quote.discount),
            totals.join(", "),
            text(quote.shipping),
            text(quote.tax),
            text(quote.total),
        ];
        assert_eq!(told, expected, "{row}");
        check(&quote, &terms).unwrap();
        read += 1;
    }
    assert_eq!(read, 12);
}

/// What holds for every quote.
fn check(quote: &Quote, terms: &Terms<'_>) -> Result<(), TestCaseError> {
    let sum = |field: fn(&Line) -> i64| quote.lines.iter().map(field).sum::<i64>();
    prop_assert_eq!(sum(|l| l.total) + quote.shipping, quote.total);
    prop_assert_eq!(sum(|l| l.subtotal), quote.subtotal);
    prop_assert_eq!(sum(|l| l.discount), quote.discount);
    prop_assert_eq!(sum(|l| l.tax) + quote.shipping_tax, quote.tax);
    for line in &quote.lines {
        prop_assert_eq!(line.subtotal, line.unit_price * line.quantity);
        prop_assert!((0..=line.subtotal).contains(&line.discount), "{line:?}");
        let price = line.subtotal - line.discount;
        let on_top = if terms.prices_include_tax { 0 } else { line.tax };
        prop_assert_eq!(line.total, price + on_top);
        check_tax(line.total, line.tax, line.tax_rate_ppm, terms)?;
    }
    let shipping_ppm = terms.rates.of_shipping(terms.country);
    check_tax(quote.shipping, quote.shipping_tax, shipping_ppm, terms)?;
    prop_assert!((0..=MAX_TOTAL).contains(&quote.total));
    Ok(())
}

/// The tax differs from the exact one by at most half a unit, and a half is rounded up.
fn check_tax(paid: i64, tax: i64, ppm: u32, terms: &Terms<'_>) -> Result<(), TestCaseError> {
    let base = i128::from(if terms.prices_include_tax { paid } else { paid - tax });
    let whole = 1_000_000 + if terms.prices_include_tax { i128::from(ppm) } else { 0 };
    let twice_off = 2 * (i128::from(tax) * whole - base * i128::from(ppm));
    prop_assert!(-whole < twice_off && twice_off <= whole, "tax {tax} of {paid} at {ppm} ppm");
    Ok(())
}

fn currencies() -> impl Strategy<Value = Currency> {
    "EUR|JPY|KWD".prop_map(|code| code.parse().unwrap())
}

/// Kind, amount and parts per million of a coupon.
fn gifts() -> impl Strategy<Value = Option<Gift>> {
    prop_oneof![
        Just(None),
        (1..=1_000_000_u32).prop_map(|ppm| Some(Gift::Percent(ppm))),
        (1..2_000_000_i64).prop_map(|amount| Some(Gift::Amount(amount))),
        Just(Some(Gift::FreeShipping)),
    ]
}

/// Price, steps and bound of a shipping method.
fn methods() -> impl Strategy<Value = Option<Method>> {
    let prices = (0..100_000_i64, 0..10_000_i64, 1..5_000_u64);
    let bounds = (any::<bool>(), proptest::option::of(0..5_000_000_i64));
    let method = (prices, bounds).prop_map(|((price, step_price, step_g), (by_weight, free))| {
        let kind = if by_weight { shipping::Kind::ByWeight } else { shipping::Kind::Flat };
        Method { kind, step_price, step_g, free_above: free, ..flat(price, Currency::EUR) }
    });
    proptest::option::of(method)
}

fn lines(
    price: std::ops::Range<i64>,
    quantity: std::ops::Range<i64>,
) -> impl Strategy<Value = Vec<(i64, i64, usize)>> {
    proptest::collection::vec((price, quantity, 0..3_usize), 1..12)
}

const CLASSES: [&str; 3] = ["standard", "reduced", "none"];

fn quoted(
    lines: &[(i64, i64, usize)],
    rates: (u32, u32, u32),
    (currency, prices_include_tax): (Currency, bool),
    gift: Option<Gift>,
    method: Option<&Method>,
) -> Result<Result<Quote, TooLarge>, TestCaseError> {
    let wanted: Vec<Wanted> = lines
        .iter()
        .map(|(price, quantity, class)| Wanted {
            goods: goods(Money::new(*price, currency), CLASSES[*class]),
            quantity: *quantity,
        })
        .collect();
    let rates = Rates::new([
        rate("standard", rates.0),
        rate("reduced", rates.1),
        rate(tax::SHIPPING, rates.2),
    ]);
    let coupon = gift.map(|gift| coupon(gift, currency));
    let terms = Terms {
        currency,
        country: "DE",
        rates: &rates,
        prices_include_tax,
        shipping: method,
        coupon: coupon.as_ref(),
    };
    let quote = price(&wanted, &terms);
    if let Ok(quote) = &quote {
        check(quote, &terms)?;
    }
    Ok(quote)
}

fn rates() -> impl Strategy<Value = (u32, u32, u32)> {
    (0..=1_000_000_u32, 0..=1_000_000_u32, 0..=1_000_000_u32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn lines_and_shipping_sum_up_to_the_total_in_every_mode(
        lines in lines(0..1_000_000, 1..1_000),
        rates in rates(),
        mode in (currencies(), any::<bool>()),
        gift in gifts(),
        method in methods(),
    ) {
        prop_assert!(quoted(&lines, rates, mode, gift, method.as_ref())?.is_ok());
    }

    #[test]
    fn extreme_quantities_are_priced_exactly_or_refused(
        lines in lines(0..1_000_000_000_001, 1..i64::MAX),
        few in lines(0..1_000_000_000_001, 1..100),
        rates in rates(),
        mode in (currencies(), any::<bool>()),
        gift in gifts(),
        method in methods(),
    ) {
        for lines in [lines, few] {
            let whole: i128 =
                lines.iter().map(|(p, q, _)| i128::from(*p) * i128::from(*q)).sum();
            let quote = quoted(&lines, rates, mode, gift, method.as_ref())?;
            if whole > i128::from(MAX_TOTAL) {
                prop_assert_eq!(quote, Err(TooLarge));
            } else if whole * 2 + 100_000_000_000 < i128::from(MAX_TOTAL) && method.is_none() {
                prop_assert!(quote.is_ok());
            }
        }
    }

    #[test]
    fn shares_sum_up_and_are_fair(
        weights in proptest::collection::vec(0..1_000_000_000_000_i64, 1..50),
        part in 0..=1_000_000_i64,
    ) {
        let whole: i64 = weights.iter().sum();
        let amount = tax::share(whole, part, 1_000_000);
        let shares = shares(amount, &weights);
        prop_assert_eq!(shares.iter().sum::<i64>(), amount);
        for (share, weight) in shares.iter().zip(&weights) {
            prop_assert!((0..=*weight).contains(share));
            let exact = i128::from(amount) * i128::from(*weight);
            let off = i128::from(*share) * i128::from(whole) - exact;
            // less than one unit away from its exact share
            prop_assert!(whole == 0 || off.abs() < i128::from(whole));
        }
    }
}

#[test]
fn what_is_left_goes_to_those_who_lost_most_the_earlier_first() {
    assert_eq!(shares(1, &[100, 100, 100]), [1, 0, 0]);
    assert_eq!(shares(10, &[99, 1]), [10, 0]);
    assert_eq!(shares(5, &[10, 30, 60]), [1, 1, 3]);
    assert_eq!(shares(0, &[1, 2]), [0, 0]);
    assert_eq!(shares(0, &[0, 0]), [0, 0]);
    assert_eq!(shares(0, &[]), Vec::<i64>::new());
}

#[test]
fn digital_goods_weigh_nothing() {
    let eur = |minor| Money::new(minor, Currency::EUR);
    let digital = Goods { kind: Kind::Digital, ..goods(eur(100), "standard") };
    let wanted = [
        Wanted { goods: digital, quantity: 9 },
        Wanted { goods: goods(eur(100), "standard"), quantity: 2 },
    ];
    assert_eq!(weight(&wanted), Ok(500));
}
