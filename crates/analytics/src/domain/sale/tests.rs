//! Figures of one order, by examples and by properties.
use proptest::prelude::*;

use super::*;

fn product(n: u128) -> ProductId {
    ProductId::from_uuid(uuid::Uuid::from_u128(n))
}

fn line(n: u128, quantity: i64, paid: i64) -> Line {
    Line { product: product(n), quantity, paid }
}

fn step(kind: Kind, day: i64, money: i64, lines: Vec<Line>) -> Step {
    let user = UserId::from_uuid(uuid::Uuid::nil());
    Step { kind, day, user, currency: "EUR".into(), money, lines }
}

fn of(steps: Vec<Step>) -> Effects {
    effects(&(1..).zip(steps).collect())
}

fn figures(orders: i64, units: i64, revenue: i64) -> Figures {
    Figures { orders, units, revenue }
}

/// Two lines and 5.00 for shipping.
fn sold() -> Step {
    step(Kind::Confirmed, 10, 3_500, vec![line(1, 3, 1_000), line(2, 1, 2_000)])
}

#[test]
fn a_confirmed_order_counts_on_its_day() {
    let effects = of(vec![sold()]);
    assert_eq!(effects.days, BTreeMap::from([(10, figures(1, 4, 3_500))]));
    assert_eq!(effects.products[&(10, product(1))], figures(1, 3, 1_000));
    assert_eq!(effects.products[&(10, product(2))], figures(1, 1, 2_000));
}

#[test]
fn nothing_counts_of_an_order_that_was_never_confirmed() {
    let cancelled = step(Kind::Returned, 10, 0, vec![line(1, 3, 0)]);
    assert_eq!(of(vec![cancelled]), Effects::default());
}

#[test]
fn a_full_refund_leaves_nothing_but_the_order() {
    let all = step(Kind::Returned, 10, 3_500, vec![line(1, 3, 0), line(2, 1, 0)]);
    let effects = of(vec![sold(), all]);
    assert_eq!(effects.days, BTreeMap::from([(10, figures(1, 0, 0))]));
    assert_eq!(effects.products[&(10, product(1))], figures(1, 0, 0));
    // the same in money only
    let effects = of(vec![sold(), step(Kind::Returned, 11, 3_500, Vec::new())]);
    assert_eq!(effects.days[&11], figures(0, 0, -3_500));
    assert_eq!(effects.products[&(11, product(1))], figures(0, 0, -1_000));
    assert_eq!(effects.products[&(11, product(2))], figures(0, 0, -2_000));
}

#[test]
fn a_refund_comes_off_what_came_back_and_then_off_shipping() {
    let one = step(Kind::Returned, 11, 333 + 500, vec![line(1, 1, 0)]);
    let effects = of(vec![sold(), one]);
    assert_eq!(effects.days[&11], figures(0, -1, -833));
    assert_eq!(effects.products[&(11, product(1))], figures(0, -1, -333));
    assert!(!effects.products.contains_key(&(11, product(2))));
    // what was told of the unit is believed
    let told = step(Kind::Returned, 11, 334, vec![line(1, 1, 334)]);
    assert_eq!(of(vec![sold(), told]).products[&(11, product(1))], figures(0, -1, -334));
}

#[test]
fn never_more_comes_back_than_was_sold_however_often_it_is_told() {
    let units = || step(Kind::Returned, 11, 0, vec![line(1, 3, 0), line(2, 1, 0), line(9, 5, 0)]);
    let money = step(Kind::Returned, 12, 9_999, vec![line(1, 3, 0), line(2, 1, 0)]);
    let effects = of(vec![sold(), units(), units(), money]);
    assert_eq!(effects.days[&11], figures(0, -4, 0));
    assert_eq!(effects.days[&12], figures(0, 0, -3_500));
    assert_eq!(effects.products[&(12, product(2))], figures(0, 0, -2_000));
}

#[test]
fn a_coupon_above_the_lines_keeps_the_sums_together() {
    let free = step(Kind::Confirmed, 10, 0, vec![line(1, 2, 0)]);
    let back = step(Kind::Returned, 11, 100, vec![line(1, 2, 0)]);
    let effects = of(vec![free, back]);
    assert_eq!(effects.days[&11], figures(0, -2, 0));
    assert_eq!(effects.products[&(11, product(1))], figures(0, -2, 0));
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    let one = (1..5_u128, 1..6_i64, 0..5_000_i64);
    prop::collection::vec(one.prop_map(|(n, q, m)| line(n, q, m)), 0..5)
}

fn returns() -> impl Strategy<Value = Vec<Step>> {
    let one = (11..14_i64, 0..9_000_i64, lines());
    let step = one.prop_map(|(day, money, lines)| step(Kind::Returned, day, money, lines));
    prop::collection::vec(step, 0..5)
}

proptest! {
    #[test]
    fn lines_and_shipping_always_add_up_and_never_fall_below_nothing(
        bought in lines(), shipping in 0..900_i64, returns in returns(),
    ) {
        let total = bought.iter().map(|l| l.paid).sum::<i64>() + shipping;
        let sale = step(Kind::Confirmed, 10, total, bought.clone());
        let refunds: i64 = returns.iter().map(|s| s.money).sum();
        let effects = of(std::iter::once(sale).chain(returns).collect());
        let mut whole = Figures::default();
        effects.days.values().for_each(|day| whole.add(*day));
        prop_assert_eq!(whole.revenue, (total - refunds).max(0));
        let mut goods: BTreeMap<ProductId, Figures> = BTreeMap::new();
        for ((_, product), figures) in &effects.products {
            goods.entry(*product).or_default().add(*figures);
        }
        for figures in goods.values() {
            prop_assert!(figures.units >= 0 && figures.revenue >= 0, "{:?}", goods);
        }
        prop_assert_eq!(whole.units, goods.values().map(|f| f.units).sum::<i64>());
        let rest = whole.revenue - goods.values().map(|f| f.revenue).sum::<i64>();
        prop_assert!((0..=shipping).contains(&rest), "{} of {}", rest, shipping);
    }
}
