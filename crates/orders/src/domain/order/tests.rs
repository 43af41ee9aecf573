//! States, numbers, refunds.
use chrono::DateTime;
use proptest::prelude::*;
use souk_values::{CartId, Currency, OrderId, ProductId, RefundId, UserId};

use super::refund::{Decided, Refund, RefundState, Unrefundable, Wish, decide, share};
use super::state::State;
use super::{Cancelling, Order, cancelling, number};
use crate::domain::pricing::{Line, Quote};

fn line(quantity: i64, total: i64) -> Line {
    Line {
        product_id: ProductId::new(),
        sku: "A".to_owned(),
        name: "A thing".to_owned(),
        digital: false,
        quantity,
        unit_price: 0,
        subtotal: total,
        discount: 0,
        tax: 0,
        total,
        tax_rate_ppm: 0,
        product_version: 1,
    }
}

fn order(lines: Vec<Line>, shipping: i64, state: State) -> Order {
    let goods: i64 = lines.iter().map(|line| line.total).sum();
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    Order {
        id: OrderId::new(),
        number: "S-0000-0000".to_owned(),
        user_id: UserId::new(),
        cart_id: CartId::new(),
        cart_version: 1,
        state,
        reason: String::new(),
        quote: Quote {
            lines,
            currency: Currency::EUR,
            subtotal: goods,
            discount: 0,
            shipping,
            shipping_tax: 0,
            tax: 0,
            total: goods + shipping,
            prices_include_tax: true,
            coupon: None,
            shipping_method: None,
        },
        shipping_address: None,
        billing_address: None,
        note: String::new(),
        payment_method: String::new(),
        needs_review: false,
        review_reason: String::new(),
        cancel: None,
        refunded: 0,
        version: 1,
        created_at: now,
        updated_at: now,
        confirmed_at: Some(now),
    }
}

fn made(order: &Order, decided: Decided, state: RefundState) -> Refund {
    Refund {
        id: RefundId::new(),
        order_id: order.id,
        number: 1,
        amount: decided.amount,
        reason: String::new(),
        state,
        restock: false,
        actor: "staff".to_owned(),
        created_at: order.created_at,
        lines: decided.lines,
    }
}

#[test]
fn every_state_reads_back_and_has_a_word_for_buyers() {
    for state in State::ALL {
        assert_eq!(State::parse(state.as_str()), Some(state));
        assert!(State::with_status(state.status()).contains(&state));
    }
    assert_eq!(State::parse("lost"), None);
    assert!(State::with_status("lost").is_empty());
    assert_eq!(
        State::with_status("processing"),
        [State::Created, State::Capturing, State::Releasing]
    );
}

#[test]
fn undoing_never_turns_forward_and_what_is_paid_is_never_undone() {
    let reach = |from: State| {
        let mut seen = vec![from];
        let mut at = 0;
        while let Some(state) = seen.get(at).copied() {
            at += 1;
            for next in State::ALL.into_iter().filter(|next| state.may_become(*next)) {
                if !seen.contains(&next) {
                    seen.push(next);
                }
            }
        }
        seen
    };
    assert!(reach(State::Releasing).iter().all(|state| !state.is_paid()));
    assert!(reach(State::Confirmed).iter().all(|state| state.is_paid()));
    for state in State::ALL {
        assert!(!reach(state)[1..].contains(&state), "{state:?} is left and entered again");
        let ends = State::ALL.into_iter().all(|next| !state.may_become(next));
        assert_eq!(ends, state.is_undone() || state == State::Refunded, "{state:?}");
    }
    let all = reach(State::Created);
    assert!(State::ALL.into_iter().all(|state| all.contains(&state)));
}

#[test]
fn only_what_is_not_on_its_way_to_the_buyer_is_cancelled() {
    for (state, expected) in [
        (State::Created, Some(Cancelling::Ask)),
        (State::AwaitingPayment, Some(Cancelling::Ask)),
        (State::Capturing, Some(Cancelling::Ask)),
        (State::Confirmed, Some(Cancelling::Refund)),
        (State::Shipped, None),
        (State::Delivered, None),
        (State::Releasing, None),
        (State::Cancelled, None),
        (State::Refunded, None),
    ] {
        assert_eq!(cancelling(state), expected, "{state:?}");
    }
}

#[test]
fn numbers_are_letters_that_nobody_misreads() {
    assert_eq!(number(0), "S-0000-0000");
    assert_eq!(number(u64::MAX), "S-ZZZZ-ZZZZ");
    assert_ne!(number(1), number(1 << 20));
    assert!(!"ILOU".chars().any(|c| (0..32).map(number).any(|n| n[2..].contains(c))));
}

#[test]
fn the_last_unit_takes_the_remainder() {
    let line = line(3, 1000);
    assert_eq!([0, 1, 2].map(|gone| share(&line, gone, 1)), [333, 333, 334]);
    assert_eq!(share(&line, 1, 2), 667);
    assert_eq!(share(&line, 0, 3), 1000);
}

#[test]
fn a_refund_is_all_that_is_left_or_what_its_lines_cost() {
    let order = order(vec![line(3, 1000), line(1, 50)], 490, State::Confirmed);
    let first = order.quote.lines[0].product_id;
    let all = decide(&order, &[], &Wish::default()).unwrap();
    assert_eq!((all.amount, all.all, all.lines.len()), (1540, true, 2));
    let two = Wish { lines: vec![(first, 2)], ..Wish::default() };
    let part = decide(&order, &[], &two).unwrap();
    assert_eq!((part.amount, part.all), (666, false));
    let before = [made(&order, part, RefundState::Pending)];
    let rest = decide(&order, &before, &Wish::default()).unwrap();
    assert_eq!((rest.amount, rest.all), (874, true));
    assert!(rest.lines.contains(&(first, 1)));
    assert_eq!(decide(&order, &before, &two), Err(Unrefundable::TooLarge { left: 874 }));
    // one that failed does not count
    let failed = [made(&order, decide(&order, &[], &two).unwrap(), RefundState::Failed)];
    assert_eq!(decide(&order, &failed, &Wish::default()).unwrap().amount, 1540);
}

#[test]
fn what_cannot_be_refunded_is_told_apart() {
    let paid = order(vec![line(2, 100)], 0, State::Shipped);
    let id = paid.quote.lines[0].product_id;
    let amount = |amount| Wish { amount: Some(amount), ..Wish::default() };
    assert_eq!(decide(&paid, &[], &amount(101)), Err(Unrefundable::TooLarge { left: 100 }));
    assert_eq!(decide(&paid, &[], &amount(0)), Err(Unrefundable::Nothing));
    for (lines, index) in [
        (vec![(ProductId::new(), 1)], 0),
        (vec![(id, 1), (id, 1)], 1),
        (vec![(id, 0)], 0),
        (vec![(id, -1)], 0),
    ] {
        let wish = Wish { lines, ..Wish::default() };
        let refused = decide(&paid, &[], &wish);
        assert!(
            matches!(refused, Err(Unrefundable::Line { index: at, .. }) if at == index),
            "{refused:?}"
        );
    }
    let wish = Wish { lines: vec![(id, 3)], ..Wish::default() };
    assert_eq!(decide(&paid, &[], &wish), Err(Unrefundable::TooLarge { left: 100 }));
    for state in State::ALL.into_iter().filter(|s| !s.is_paid() || *s == State::Refunded) {
        let order = order(vec![line(1, 1)], 0, state);
        assert_eq!(decide(&order, &[], &Wish::default()), Err(Unrefundable::NotPaid), "{state:?}");
    }
    // a free order ends by a refund of nothing, once
    let free = order(vec![line(1, 0)], 0, State::Confirmed);
    let nothing = decide(&free, &[], &Wish::default()).unwrap();
    assert_eq!((nothing.amount, nothing.all), (0, true));
    let once = [made(&free, nothing, RefundState::Done)];
    assert_eq!(decide(&free, &once, &Wish::default()), Err(Unrefundable::TooLarge { left: 0 }));
}

proptest! {
    #[test]
    fn refunds_in_any_parts_never_exceed_what_was_paid(
        // every unit costs something
        lines in prop::collection::vec((1_i64..20, 0_i64..100_000), 1..5),
        shipping in 0_i64..1_000,
        steps in prop::collection::vec((0_usize..5, 1_i64..8), 0..20),
    ) {
        let lines = lines.into_iter().map(|(n, more)| line(n, n + more)).collect();
        let order = order(lines, shipping, State::Delivered);
        let mut before: Vec<Refund> = Vec::new();
        for (at, quantity) in steps {
            let line = &order.quote.lines[at % order.quote.lines.len()];
            let wish = Wish { lines: vec![(line.product_id, quantity)], ..Wish::default() };
            if let Ok(decided) = decide(&order, &before, &wish) {
                before.push(made(&order, decided, RefundState::Done));
            }
        }
        if let Ok(decided) = decide(&order, &before, &Wish::default()) {
            before.push(made(&order, decided, RefundState::Done));
        }
        let given: i64 = before.iter().map(|refund| refund.amount).sum();
        prop_assert_eq!(given, order.quote.total);
        for line in &order.quote.lines {
            let units: i64 = before.iter().flat_map(|r| &r.lines)
                .filter(|(id, _)| *id == line.product_id).map(|(_, n)| n).sum();
            prop_assert_eq!(units, line.quantity);
        }
    }

    #[test]
    fn the_units_of_a_line_cost_what_the_line_costs(quantity in 1_i64..1_000, total in 0_i64..i64::MAX / 2, cut in 0_i64..1_000) {
        let line = line(quantity, total);
        let cut = cut % quantity;
        prop_assert_eq!(share(&line, 0, cut) + share(&line, cut, quantity - cut), total);
    }
}
