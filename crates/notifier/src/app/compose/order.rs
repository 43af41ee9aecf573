//! Letters to buyers in words: what happened to an order, its lines and its sums.
use askama::Template;
use souk_values::Money;

use super::{SUBJECT_LIMIT, Shop, lines, render};
use crate::domain::letter::Words;
use crate::domain::order::{Line, Order, Step, words};
use crate::domain::text::one_line;

/// Why a refund was made: the order was called off after it was paid.
const CANCELLED: &str = "cancelled";

/// A letter as templates see it.
struct View<'a> {
    headline: &'static str,
    greeting: String,
    sentence: String,
    number: &'a str,
    /// Names and values.
    facts: Vec<(&'static str, String)>,
    tracking_url: &'a str,
    lines_title: &'static str,
    lines: Vec<Row>,
    more: usize,
    /// Names and amounts; the last is the total.
    sums: Vec<(String, String)>,
    note: String,
    link: String,
}

struct Row {
    what: String,
    each: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "order.txt")]
struct OrderText<'a> {
    shop: &'a Shop,
    view: &'a View<'a>,
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderHtml<'a> {
    shop: &'a Shop,
    view: &'a View<'a>,
}

/// The letter of one step to the buyer of that name.
pub fn order(shop: &Shop, step: Step, order: &Order, name: &str) -> Words {
    let view = &view(shop, step, order, name);
    let amount = match step {
        Step::Refunded => format!(" ({})", order.refund),
        Step::Confirmed => format!(" ({})", order.total),
        _ => String::new(),
    };
    let subject = format!("[{}] {}: {}{amount}", shop.name, view.headline, order.number);
    Words {
        subject: one_line(&subject, SUBJECT_LIMIT),
        text: lines(&OrderText { shop, view }),
        html: render(&OrderHtml { shop, view }),
    }
}

fn view<'a>(shop: &Shop, step: Step, order: &'a Order, name: &str) -> View<'a> {
    let name = one_line(name, 120);
    let mut view = View {
        headline: headline(step, order),
        greeting: if name.is_empty() { "Hello,".into() } else { format!("Hello {name},") },
        sentence: String::new(),
        number: &order.number,
        facts: Vec::new(),
        tracking_url: "",
        lines_title: "",
        lines: Vec::new(),
        more: 0,
        sums: Vec::new(),
        note: String::new(),
        link: format!("{}/api/orders/{}", shop.public_url, order.id),
    };
    match step {
        Step::Confirmed => {
            view.sentence = "thank you for your order. It is paid and confirmed.".into();
            goods(&mut view, order);
            sums(&mut view, order);
        }
        Step::Failed => {
            view.sentence = words(&order.reason);
            view.note = "The order is not placed and nothing is charged. An amount that your bank \
                         may hold for it is released."
                .into();
            goods(&mut view, order);
            view.sums.push(("Total".into(), order.total.to_string()));
        }
        Step::Shipped => {
            view.sentence = "your order is on its way.".into();
            if !order.carrier.is_empty() {
                view.facts.push(("Carrier", order.carrier.clone()));
            }
            if !order.tracking_number.is_empty() {
                view.facts.push(("Tracking", order.tracking_number.clone()));
            }
            view.tracking_url = &order.tracking_url;
            goods(&mut view, order);
        }
        Step::Cancelled => {
            view.sentence = format!("your order is cancelled. {}", words(&order.reason));
            view.note = "What was held or taken for it comes back to you; of money that was taken \
                         a letter tells when it is on its way."
                .into();
            goods(&mut view, order);
            view.sums.push(("Total".into(), order.total.to_string()));
        }
        Step::Refunded => {
            let money = format!("{} are on the way back to you.", order.refund);
            let is_cancelled = order.reason == CANCELLED;
            view.sentence =
                if is_cancelled { format!("your order is cancelled. {money}") } else { money };
            view.facts.push(("Refund", order.refund.to_string()));
            if order.refunded.minor > order.refund.minor {
                view.facts.push(("In all", format!("{} of {}", order.refunded, order.total)));
            }
            view.lines_title = "What came back";
            view.lines = order.returned.iter().map(row).collect();
            if view.lines.is_empty() {
                view.note = "You keep what you got.".into();
            }
        }
    }
    view
}

fn headline(step: Step, order: &Order) -> &'static str {
    match step {
        Step::Confirmed => "Order confirmed",
        Step::Failed if order.status == "rejected" => "Order not placed",
        Step::Failed => "Payment failed",
        Step::Shipped => "Order shipped",
        Step::Cancelled => "Order cancelled",
        Step::Refunded if order.reason == CANCELLED => "Order cancelled, refund",
        Step::Refunded => "Refund",
    }
}

fn goods(view: &mut View<'_>, order: &Order) {
    view.lines_title = "Your order";
    view.lines = order.lines.iter().map(row).collect();
    view.more = order.more;
}

fn row(line: &Line) -> Row {
    let amount = |money: Option<Money>| money.map(|m| m.to_string()).unwrap_or_default();
    Row { what: line.what(), each: amount(line.unit_price), amount: amount(line.amount()) }
}

/// A column that adds up to the total.
fn sums(view: &mut View<'_>, order: &Order) {
    let mut add = |name: String, amount: String| view.sums.push((name, amount));
    add("Subtotal".into(), order.subtotal.to_string());
    if order.discount.minor != 0 {
        let coupon = &order.coupon;
        let name =
            if coupon.is_empty() { "Discount".into() } else { format!("Discount ({coupon})") };
        add(name, Money::new(-order.discount.minor, order.discount.currency).to_string());
    }
    if order.shipping.minor != 0 || !order.shipping_name.is_empty() {
        let method = &order.shipping_name;
        let name =
            if method.is_empty() { "Shipping".into() } else { format!("Shipping ({method})") };
        add(name, order.shipping.to_string());
    }
    let tax = order.added_tax();
    if tax.minor != 0 {
        add("Tax on the goods".into(), tax.to_string());
    }
    add("Total".into(), order.total.to_string());
    view.note = format!("The total contains {} of tax.", order.tax);
}

#[cfg(test)]
mod tests;
