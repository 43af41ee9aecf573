//! Letters to buyers as people read them.
use souk_values::{Currency, OrderId};

use super::*;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn sample() -> Order {
    Order {
        id: OrderId::from_uuid(uuid::Uuid::nil()),
        number: "S-7F3K-9Q2M".into(),
        status: "confirmed".into(),
        lines: vec![
            Line::new("MUG-1", "Blue mug", 2, Some(eur(1_999))),
            Line::new("TEA", "Tea & <honey>", 1, Some(eur(500))),
        ],
        more: 0,
        subtotal: eur(4_498),
        discount: eur(450),
        shipping: eur(490),
        tax: eur(725),
        total: eur(4_538),
        shipping_name: "Standard".into(),
        coupon: "TEN".into(),
        reason: String::new(),
        carrier: "DHL".into(),
        tracking_number: "JD01 4600".into(),
        tracking_url: "https://dhl.example/JD014600".into(),
        refund: eur(0),
        refunded: eur(0),
        returned: Vec::new(),
    }
    .bounded()
}

fn letter(step: Step, of: &Order) -> Words {
    order(&Shop::new("Souk", "https://shop.example/"), step, of, "Ann Lee")
}

#[test]
fn a_confirmation_shows_lines_and_sums_that_add_up() {
    let words = letter(Step::Confirmed, &sample());
    assert_eq!(words.subject, "[Souk] Order confirmed: S-7F3K-9Q2M (45.38 EUR)");
    let expected = format!(
        "Order confirmed: S-7F3K-9Q2M

Hello Ann Lee,

thank you for your order. It is paid and confirmed.

  Order      S-7F3K-9Q2M
  See it     https://shop.example/api/orders/{}

Your order
  2 x Blue mug (MUG-1) at 19.99 EUR: 39.98 EUR
  1 x Tea & <honey> (TEA) at 5.00 EUR: 5.00 EUR

  Subtotal: 44.98 EUR
  Discount (TEN): -4.50 EUR
  Shipping (Standard): 4.90 EUR
  Total: 45.38 EUR

The total contains 7.25 EUR of tax.

--
Souk sent you this letter because you ordered there.
",
        sample().id
    );
    assert_eq!(words.text, expected);
    for part in ["39.98 EUR", "-4.50 EUR", "4.90 EUR", "45.38 EUR", "7.25 EUR", "Blue mug"] {
        assert!(words.html.contains(part), "{part} in {}", words.html);
    }
    assert!(!words.html.contains("<honey>"), "{}", words.html);
}

#[test]
fn tax_that_comes_on_top_has_its_line() {
    let order = Order { total: eur(5_200), ..sample() };
    let text = letter(Step::Confirmed, &order).text;
    assert!(text.contains("Tax on the goods: 6.62 EUR\n  Total: 52.00 EUR"), "{text}");
}

#[test]
fn currencies_have_their_own_decimals() {
    let jpy: Currency = "JPY".parse().unwrap();
    let of = |minor| Money::new(minor, jpy);
    let order = Order {
        lines: vec![Line::new("M", "Mug", 3, Some(of(1_200)))],
        subtotal: of(3_600),
        discount: of(0),
        shipping: of(0),
        shipping_name: String::new(),
        tax: of(327),
        total: of(3_600),
        ..sample()
    };
    let text = letter(Step::Confirmed, &order).text;
    assert!(text.contains("at 1200 JPY: 3600 JPY"), "{text}");
    assert!(!text.contains("Shipping") && !text.contains("Discount"), "{text}");
}

#[test]
fn a_failed_payment_says_why_in_words() {
    let declined =
        Order { status: "payment_failed".into(), reason: "insufficient_funds".into(), ..sample() };
    let words = letter(Step::Failed, &declined);
    assert_eq!(words.subject, "[Souk] Payment failed: S-7F3K-9Q2M");
    assert!(words.text.contains("There is not enough money on the card."), "{}", words.text);
    assert!(words.text.contains("nothing is charged"), "{}", words.text);
    assert!(words.html.contains("There is not enough money on the card."), "{}", words.html);
    let sold_out = Order { status: "rejected".into(), reason: "out_of_stock".into(), ..sample() };
    let words = letter(Step::Failed, &sold_out);
    assert_eq!(words.subject, "[Souk] Order not placed: S-7F3K-9Q2M");
}

#[test]
fn a_shipment_says_who_carries_it_and_how_to_follow_it() {
    let words = letter(Step::Shipped, &sample());
    assert_eq!(words.subject, "[Souk] Order shipped: S-7F3K-9Q2M");
    for part in ["DHL", "JD01 4600", "https://dhl.example/JD014600", "2 x Blue mug"] {
        assert!(words.text.contains(part) && words.html.contains(part), "{part}");
    }
    for odd in ["javascript:alert(1)", "https://x\r\nBcc: y", "data:text/html,x"] {
        let order = Order { tracking_url: odd.into(), ..sample() }.bounded();
        let words = letter(Step::Shipped, &order);
        assert!(!words.html.contains("Follow it") && !words.text.contains("Follow it"), "{odd}");
    }
}

#[test]
fn a_cancellation_and_a_refund_say_what_comes_back() {
    let order = Order { status: "cancelled".into(), reason: "customer".into(), ..sample() };
    let words = letter(Step::Cancelled, &order);
    assert_eq!(words.subject, "[Souk] Order cancelled: S-7F3K-9Q2M");
    assert!(words.text.contains("your order is cancelled. You asked for it."), "{}", words.text);

    let order = Order {
        refund: eur(1_999),
        refunded: eur(2_500),
        returned: vec![Line::new("MUG-1", "Blue mug", 1, None)],
        ..sample()
    };
    let words = letter(Step::Refunded, &order);
    assert_eq!(words.subject, "[Souk] Refund: S-7F3K-9Q2M (19.99 EUR)");
    for part in ["Refund     19.99 EUR", "25.00 EUR of 45.38 EUR", "What came back\n  1 x Blue mug"]
    {
        assert!(words.text.contains(part), "{part} in {}", words.text);
    }
    let called_off = Order { reason: "cancelled".into(), ..order.clone() };
    let words = letter(Step::Refunded, &called_off);
    let subject = "[Souk] Order cancelled, refund: S-7F3K-9Q2M (19.99 EUR)";
    assert_eq!(words.subject, subject);
    assert!(words.text.contains("your order is cancelled. 19.99 EUR are"), "{}", words.text);
    let money_only = Order { returned: Vec::new(), ..order };
    assert!(letter(Step::Refunded, &money_only).text.contains("You keep what you got."));
}

#[test]
fn a_name_or_number_with_breaks_reaches_no_subject() {
    let odd = Order { number: "S-1\r\nBcc: x@evil".into(), ..sample() }.bounded();
    for step in Step::ALL {
        let words = letter(step, &odd);
        assert_eq!(words.subject.lines().count(), 1, "{}", words.subject);
        assert!(!words.text.lines().any(|line| line.starts_with("Bcc")), "{}", words.text);
    }
}

#[test]
fn a_thousand_lines_are_cut_and_counted() {
    let line = Line::new("M", "Mug", 1, Some(eur(1)));
    let order = Order { lines: vec![line; 1_000], ..sample() }.bounded();
    let text = letter(Step::Confirmed, &order).text;
    assert!(text.contains("and 800 more"), "{text}");
}
