//! What an address and a checkout may hold.
use proptest::prelude::*;

use super::*;

fn address() -> Address {
    Address {
        name: "Ann Lee".into(),
        line1: "1 Main Street".into(),
        city: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
        ..Address::default()
    }
}

fn broken(checkout: Checkout) -> Vec<String> {
    let fields = checkout.checked().map(|_| Vec::new()).unwrap_or_else(|broken| broken);
    fields.into_iter().map(|(field, _)| field).collect()
}

#[test]
fn a_full_address_is_taken_in_one_form() {
    let loose = Address { name: "  Ann Lee ".into(), country: "de".into(), ..address() };
    let mut broken = Broken::new();
    assert_eq!(loose.checked("shipping_address", &mut broken), address());
    assert_eq!(broken, []);
    assert_eq!(format!("{:?}", address()), "Address(DE)");
}

#[test]
fn every_broken_field_is_named_with_its_place() {
    let checkout = Checkout {
        shipping_address: Place::Written(Address {
            name: String::new(),
            line1: "a".repeat(100_000),
            city: "Ber\nlin".into(),
            postal_code: "1".repeat(21),
            country: "Germany".into(),
            ..address()
        }),
        billing_address: Place::Written(Address::default()),
        shipping_method: "x".repeat(41),
        payment_method: "y".repeat(101),
        coupon: "z\0".into(),
        note: "n".repeat(1_001),
        ..Checkout::default()
    };
    let expected = [
        "shipping_address.name",
        "shipping_address.line1",
        "shipping_address.city",
        "shipping_address.postal_code",
        "shipping_address.country",
        "billing_address.name",
        "billing_address.line1",
        "billing_address.city",
        "billing_address.country",
        "shipping_method",
        "payment_method",
        "coupon",
        "note",
    ];
    assert_eq!(broken(checkout), expected);
}

#[test]
fn a_card_number_is_refused_in_every_field_and_never_repeated() {
    let card = "4242 4242 4242 4242";
    let written = |set: fn(&mut Address, String)| {
        let mut address = address();
        set(&mut address, card.to_owned());
        Place::Written(address)
    };
    type Set = fn(&mut Address, String);
    let fields: [(&str, Set); 7] = [
        ("name", |a, t| a.name = t),
        ("company", |a, t| a.company = t),
        ("line1", |a, t| a.line1 = t),
        ("line2", |a, t| a.line2 = t),
        ("city", |a, t| a.city = t),
        ("region", |a, t| a.region = t),
        ("phone", |a, t| a.phone = t),
    ];
    for (field, set) in fields {
        for (which, checkout) in [
            ("shipping", Checkout { shipping_address: written(set), ..Checkout::default() }),
            ("billing", Checkout { billing_address: written(set), ..Checkout::default() }),
        ] {
            let refused = checkout.checked().unwrap_err();
            assert_eq!(refused[0].0, format!("{which}_address.{field}"));
            assert_eq!(refused[0].1, "must not hold a card number");
        }
    }
    let text = || card.to_owned();
    let others = [
        ("note", Checkout { note: text(), ..Checkout::default() }),
        ("coupon", Checkout { coupon: text(), ..Checkout::default() }),
        ("shipping_method", Checkout { shipping_method: text(), ..Checkout::default() }),
        ("payment_method", Checkout { payment_method: text(), ..Checkout::default() }),
        (
            "shipping_address_id",
            Checkout { shipping_address: Place::Kept(text()), ..Checkout::default() },
        ),
    ];
    for (field, checkout) in others {
        assert_eq!(broken(checkout), [field]);
    }
}

#[test]
fn a_note_may_have_lines_and_nothing_at_all_is_fine() {
    let note = Checkout { note: " Ring twice.\r\n\tThanks! ".into(), ..Checkout::default() };
    assert_eq!(note.checked().unwrap().note, "Ring twice.\r\n\tThanks!");
    assert_eq!(Checkout::default().checked(), Ok(Checkout::default()));
    assert_eq!(broken(Checkout { note: "\u{7}".into(), ..Checkout::default() }), ["note"]);
}

proptest! {
    #[test]
    fn what_was_checked_is_checked_again_with_the_same_result(
        name in "\\PC{0,60}", line1 in "\\PC{0,60}", city in "\\PC{0,60}",
    ) {
        let written = Address { name, line1, city, ..address() };
        let mut broken = Broken::new();
        let once = written.checked("a", &mut broken);
        let first = broken.len();
        let twice = once.clone().checked("a", &mut broken);
        prop_assert_eq!(once, twice);
        prop_assert_eq!(broken.len(), 2 * first);
    }
}
