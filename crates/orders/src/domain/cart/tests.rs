//! Rules of carts, one by one.
use proptest::prelude::*;

use super::*;

fn goods(price: i64, currency: &str, available: Option<i64>) -> Goods {
    Goods {
        id: ProductId::new(),
        sku: "TEA".to_owned(),
        slug: "tea".to_owned(),
        name: "Tea".to_owned(),
        image: String::new(),
        kind: if available.is_some() { Kind::Physical } else { Kind::Digital },
        price: Money::new(price, currency.parse().unwrap()),
        version: 1,
        available,
        weight_g: 0,
        tax_class: "standard".to_owned(),
    }
}

fn cart() -> Cart {
    Cart::new(CartId::new(), 0, Vec::new())
}

fn now(cart: &Cart, goods: &[&Goods]) -> Result<Look, TooLarge> {
    let there = goods.iter().map(|goods| (goods.id, (*goods).clone())).collect();
    look(cart, &there, Currency::EUR)
}

/// The cart as it is after this look was remembered.
fn remembered(cart: &Cart, look: &Look) -> Cart {
    let lines = look.lines.iter().map(|now| now.line.clone()).collect();
    Cart::new(cart.id, cart.version + 1, lines)
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let (mut cart, tea) = (cart(), goods(250, "EUR", Some(5)));
    cart.add(&tea, 4).unwrap();
    let before = cart.clone();
    assert_eq!(cart.add(&tea, 2), Err(Misfit::OutOfStock { available: 5 }));
    assert_eq!(cart.add(&tea, i64::MAX), Err(Misfit::TooMany));
    let other = goods(100, "GBP", Some(5));
    let mixed = cart.add(&other, 1);
    assert!(matches!(mixed, Err(Misfit::CurrencyMismatch { .. })), "{mixed:?}");
    assert_eq!(cart, before);
}

#[test]
fn a_full_cart_takes_more_of_what_it_holds_only() {
    let mut cart = cart();
    let first = goods(1, "EUR", None);
    cart.add(&first, 1).unwrap();
    for _ in 1..MAX_LINES {
        cart.add(&goods(1, "EUR", None), 1).unwrap();
    }
    assert_eq!(cart.add(&goods(1, "EUR", None), 1), Err(Misfit::Full));
    assert_eq!(cart.add(&first, 2).unwrap().quantity, 2);
    assert_eq!(cart.line(first.id).unwrap().quantity, 3);
}

#[test]
fn an_id_comes_before_a_sku_and_a_sku_before_a_slug() {
    let mut cart = cart();
    let one = goods(1, "EUR", None);
    let two = Goods { slug: "other".to_owned(), sku: "tea".to_owned(), ..goods(1, "EUR", None) };
    cart.add(&one, 1).unwrap();
    cart.add(&two, 1).unwrap();
    assert_eq!(cart.named("tea").unwrap().product_id, two.id);
    assert_eq!(cart.named("TEA").unwrap().product_id, one.id);
    assert_eq!(cart.named("other").unwrap().product_id, two.id);
    assert_eq!(cart.named(&one.id.to_string()).unwrap().product_id, one.id);
    assert_eq!(cart.named("nothing"), None);
}

#[test]
fn a_product_sold_in_another_currency_now_is_unavailable() {
    let mut cart = cart();
    let (tea, mut cup) = (goods(250, "EUR", Some(5)), goods(100, "EUR", Some(5)));
    cart.add(&tea, 1).unwrap();
    cart.add(&cup, 1).unwrap();
    cup.price = Money::new(90, "GBP".parse().unwrap());
    let look = now(&cart, &[&tea, &cup]).unwrap();
    assert_eq!((look.total, look.currency), (250, Currency::EUR));
    assert_eq!(look.lines[1].changes, [Change::Unavailable]);
    // when all of them are, the cart is in the new one
    let tea = Goods { price: Money::new(200, cup.price.currency), ..tea };
    let look = now(&cart, &[&tea, &cup]).unwrap();
    assert_eq!((look.total, look.currency.as_str()), (290, "GBP"));
    assert!(look.lines.iter().all(|line| matches!(line.changes[..], [Change::Price { .. }])));
}

#[test]
fn a_new_name_is_remembered_and_is_no_change() {
    let mut cart = cart();
    let tea = goods(250, "EUR", Some(5));
    cart.add(&tea, 1).unwrap();
    let renamed = Goods { name: "Better tea".to_owned(), version: 2, ..tea };
    let look = now(&cart, &[&renamed]).unwrap();
    assert!(!look.changed());
    assert_eq!(look.news().count(), 1);
    let cart = remembered(&cart, &look);
    let gone = now(&cart, &[]).unwrap();
    assert_eq!(gone.lines[0].line.name, "Better tea");
}

#[test]
fn totals_beyond_the_range_are_refused() {
    let mut cart = cart();
    let dear = goods(i64::MAX / 2, "EUR", None);
    cart.add(&dear, 1).unwrap();
    assert_eq!(now(&cart, &[&dear]).unwrap().total, i64::MAX / 2);
    cart.add(&dear, 2).unwrap();
    assert_eq!(now(&cart, &[&dear]), Err(TooLarge));
    let mut cart = Cart::new(CartId::new(), 0, Vec::new());
    let others = [dear.clone(), Goods { id: ProductId::new(), ..dear.clone() }];
    let third = Goods { id: ProductId::new(), ..dear };
    for goods in others.iter().chain([&third]) {
        cart.add(goods, 1).unwrap();
    }
    assert_eq!(now(&cart, &[&others[0], &others[1], &third]), Err(TooLarge));
}

proptest! {
    #[test]
    fn whatever_changes_is_told_once(
        before in 1_i64..1000, after in 1_i64..1000,
        stock in 1_i64..20, left in 0_i64..20, there in any::<bool>(),
    ) {
        let mut cart = cart();
        let old = goods(before, "EUR", Some(stock));
        cart.add(&old, stock).unwrap();
        prop_assert!(!now(&cart, &[&old]).unwrap().changed());
        let price = Money::new(after, Currency::EUR);
        let new = Goods { price, available: Some(left), version: 2, ..old };
        let active: &[&Goods] = if there { &[&new] } else { &[] };
        let first = now(&cart, active).unwrap();
        let expected = !there || after != before || left < stock;
        prop_assert_eq!(first.changed(), expected);
        prop_assert_eq!(first.total, if there { after * stock } else { 0 });
        let cart = remembered(&cart, &first);
        let second = now(&cart, active).unwrap();
        prop_assert!(!second.changed() && second.news().count() == 0);
        prop_assert_eq!(second.total, first.total);
    }
}
