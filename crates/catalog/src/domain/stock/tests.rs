//! Rules of stock on shelves made up here.
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use souk_values::{Money, OrderId};

use super::*;

fn shelf(on_hand: i64, reserved: i64) -> Shelf {
    Shelf {
        id: ProductId::new(),
        sku: "A".to_owned(),
        slug: "a".to_owned(),
        name: "A".to_owned(),
        digital: false,
        active: true,
        price: Money::new(100, "GBP".parse().unwrap()),
        version: 3,
        on_hand,
        reserved,
        stock_seq: 0,
        low_at: None,
        low_told: false,
        low_seq: 0,
    }
}

fn wanted(shelf: &Shelf, quantity: i64) -> Wanted {
    Wanted {
        product_id: shelf.id,
        quantity,
        seen_price: Some(100),
        seen_currency: "GBP".to_owned(),
    }
}

#[test]
fn a_movement_never_leaves_less_than_is_reserved() {
    use MovementKind::{Adjust, Count, Receive, Sale};
    let on = |kind, by| moved(&shelf(5, 3), kind, by);
    assert_eq!(on(Receive, 2), Ok(7));
    assert_eq!(on(Adjust, -2), Ok(3));
    assert_eq!(on(Adjust, -3), Err(Broken::BelowReserved { reserved: 3 }));
    assert_eq!(on(Count, 3), Ok(3));
    assert_eq!(on(Count, 0), Err(Broken::BelowReserved { reserved: 3 }));
    assert!(matches!(on(Receive, MAX), Err(Broken::Field("quantity", _))));
    assert!(matches!(on(Receive, i64::MAX), Err(Broken::Field("quantity", _))));
    assert!(matches!(on(Sale, 1), Err(Broken::Field("kind", _))));
}

#[test]
fn low_stock_is_said_when_it_comes_and_not_again_before_it_went() {
    let mut one = shelf(10, 0);
    let mut said = Vec::new();
    for on_hand in [6, 5, 4, 0, 5, 6, 7, 3, 9] {
        one.on_hand = on_hand;
        said.push(one.look_low(5).is_some());
    }
    assert_eq!(said, [false, true, false, false, false, false, false, true, false]);
    assert_eq!(one.low_seq, 2);
    assert_eq!(shelf(0, 0).look_low(0), None, "0 is never");
    assert_eq!(Shelf { low_at: Some(0), ..shelf(0, 0) }.look_low(5), None);
    assert_eq!(Shelf { low_at: Some(9), ..shelf(9, 0) }.look_low(5), Some(9));
    assert_eq!(Shelf { digital: true, ..shelf(0, 0) }.look_low(5), None);
    assert_eq!(Shelf { active: false, ..shelf(0, 0) }.look_low(5), None);
}

#[test]
fn a_line_is_refused_for_what_is_wrong_now() {
    let one = shelf(5, 3);
    let reason = |shelf: &Shelf, wanted: &Wanted| shelf.refuses(wanted).map(|line| line.reason);
    assert_eq!(reason(&one, &wanted(&one, 2)), None);
    assert_eq!(reason(&one, &wanted(&one, 3)), Some(Reason::OutOfStock));
    let dear = Wanted { seen_price: Some(99), ..wanted(&one, 1) };
    assert_eq!(reason(&one, &dear), Some(Reason::PriceChanged));
    let careless = Wanted { seen_price: None, seen_currency: String::new(), ..wanted(&one, 1) };
    assert_eq!(reason(&one, &careless), None);
    let hidden = Shelf { active: false, ..one.clone() };
    assert_eq!(reason(&hidden, &wanted(&one, 1)), Some(Reason::ProductGone));
    let digital = Shelf { digital: true, ..one };
    assert_eq!(reason(&digital, &wanted(&digital, 1_000)), None);
}

/// A number from 0 to `below`, the same row for the same seed.
fn dice(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

/// What must hold after every wish, whatever came before.
fn holds_true(books: &Books, began_with: &BTreeMap<ProductId, i64>) {
    for (id, shelf) in &books.shelves {
        let booked: i64 =
            books.ledger.iter().filter(|m| m.product_id == *id).map(|m| m.quantity).sum();
        assert_eq!(shelf.on_hand, began_with[id] + booked);
        let held = books.holds.values().flatten().filter(|h| h.product_id == *id);
        let held = held.filter(|h| h.state == State::Held && !h.digital).map(|h| h.quantity);
        assert_eq!(shelf.reserved, held.sum::<i64>());
        assert!((0..=shelf.on_hand).contains(&shelf.reserved));
        assert!(shelf.on_hand <= began_with[id]);
    }
    let mut keys: Vec<_> = books
        .ledger
        .iter()
        .map(|m| (m.order_id, m.product_id, m.kind.as_str(), &m.return_id))
        .collect();
    keys.sort();
    let rows = keys.len();
    keys.dedup();
    assert_eq!(keys.len(), rows, "a movement of an order was booked twice");
}

#[test]
fn any_sequence_of_wishes_keeps_the_books() {
    for mut seed in 0..300 {
        let mut books = Books { now: DateTime::UNIX_EPOCH, ..Books::default() };
        for on_hand in [1, 2, 3] {
            let one = shelf(on_hand, 0);
            books.shelves.insert(one.id, one);
        }
        let digital = Shelf { digital: true, ..shelf(0, 0) };
        books.shelves.insert(digital.id, digital);
        let began_with: BTreeMap<_, _> =
            books.shelves.values().map(|shelf| (shelf.id, shelf.on_hand)).collect();
        let goods: Vec<Shelf> = books.shelves.values().cloned().collect();
        let orders: Vec<OrderId> = (0..4).map(|_| OrderId::new()).collect();
        for _ in 0..60 {
            let quantity = 1 + i64::try_from(dice(&mut seed, 2)).unwrap();
            let mut lines: Vec<Wanted> = goods.iter().map(|one| wanted(one, quantity)).collect();
            lines.retain(|_| dice(&mut seed, 2) == 0);
            let what = match dice(&mut seed, 6) {
                0 | 1 => What::Reserve { lines, ttl: TimeDelta::seconds(10) },
                2 => What::Commit,
                3 => What::Release,
                4 => What::Expire,
                _ => What::Return {
                    return_id: dice(&mut seed, 3).to_string(),
                    lines: lines.into_iter().map(|line| (line.product_id, line.quantity)).collect(),
                },
            };
            books.now += TimeDelta::seconds(i64::try_from(dice(&mut seed, 5)).unwrap());
            let order_id = orders[usize::try_from(dice(&mut seed, 4)).unwrap()];
            let ask = Ask { order_id, what, actor: "orders".to_owned(), traceparent: None };
            let before = (books.shelves.clone(), books.holds.clone());
            let done = books.apply(&ask);
            holds_true(&books, &began_with);
            if matches!(done, Err(_) | Ok(Done::Refused(_))) {
                assert_eq!((&books.shelves, &books.holds), (&before.0, &before.1));
            }
        }
    }
}
