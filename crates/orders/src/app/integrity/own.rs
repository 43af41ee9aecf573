//! What must hold within our own books.
use std::collections::HashMap;

use souk_service::{Found, Invariant};

use super::{Wrong, note};
use crate::app::App;
use crate::domain::order::{Order, State};
use crate::error::Error;
use crate::store;
use crate::store::check::Odd;
use crate::store::order::history;

/// I05: recomputed from the lines.
pub(super) fn sums(orders: &[Order]) -> Wrong {
    let mut wrong = Wrong::new();
    for order in orders {
        let quote = &order.quote;
        for line in &quote.lines {
            let goods = i128::from(line.quantity) * i128::from(line.unit_price);
            let added = if quote.prices_include_tax { 0 } else { line.tax };
            if goods != i128::from(line.subtotal)
                || line.total != line.subtotal - line.discount + added
            {
                let detail = format!(
                    "{}: {} × {} − {} is not {}",
                    line.sku, line.quantity, line.unit_price, line.discount, line.total
                );
                note(&mut wrong, order, detail);
            }
        }
        let sum = |of: fn(&crate::domain::pricing::Line) -> i64| -> i64 {
            quote.lines.iter().map(of).fold(0, i64::saturating_add)
        };
        let parts = [
            ("subtotal", sum(|line| line.subtotal), quote.subtotal),
            ("discount", sum(|line| line.discount), quote.discount),
            ("tax", sum(|line| line.tax) + quote.shipping_tax, quote.tax),
            ("total", sum(|line| line.total) + quote.shipping, quote.total),
        ];
        for (what, computed, said) in parts {
            if computed != said {
                note(&mut wrong, order, format!("the {what} is {said}, its parts {computed}"));
            }
        }
        if quote.lines.is_empty() {
            note(&mut wrong, order, "it has no lines".to_owned());
        }
    }
    wrong
}

/// I06.
pub(super) fn keys(app: &App) -> Invariant {
    let app = app.clone();
    let title = "a key and a state of a cart make one order each";
    Invariant::new("I06", title, move || {
        let app = app.clone();
        async move {
            let (looked_at, answers) = store::check::odd_answers(&app.db).await?;
            let mut found = Found { looked_at, breaches: Vec::new() };
            for Odd { name, .. } in answers {
                found.breach(format!("key/{name}"), "its answer is missing or another's");
            }
            for Odd { name, found: times, .. } in store::check::doubles(&app.db).await? {
                found.breach(format!("order/{name}"), format!("made {times} times"));
            }
            Ok(found)
        }
    })
}

/// I07.
pub(super) fn coupons(app: &App) -> Invariant {
    let app = app.clone();
    let title = "a coupon is used as often as orders hold it, within its limit";
    Invariant::new("I07", title, move || {
        let app = app.clone();
        async move {
            let (looked_at, odd) = store::check::odd_coupons(&app.db).await?;
            let mut found = Found { looked_at, breaches: Vec::new() };
            for Odd { name, found: used, expected } in odd {
                let detail = format!("{used} uses are counted, {expected} orders hold it");
                found.breach(format!("coupon/{name}"), detail);
            }
            Ok(found)
        }
    })
}

/// I08.
pub(super) async fn paths(app: &App, orders: &[Order]) -> Result<Wrong, Error> {
    let ids: Vec<_> = orders.iter().map(|order| order.id).collect();
    let histories = store::check::histories(&app.db, &ids).await?;
    let mut wrong = Wrong::new();
    for order in orders {
        let rows = histories.get(&order.id).map(Vec::as_slice).unwrap_or_default();
        if let Some(detail) = broken_path(order, rows) {
            note(&mut wrong, order, detail);
        }
    }
    Ok(wrong)
}

fn broken_path(order: &Order, rows: &[history::Model]) -> Option<String> {
    let mut at: Option<State> = None;
    for (row, seq) in rows.iter().zip(1..) {
        if row.seq != seq {
            return Some(format!("its history has a gap before {}", row.seq));
        }
        if row.to_state.is_empty() {
            continue;
        }
        let Some(to) = State::parse(&row.to_state) else {
            return Some(format!("its history knows a state {:?}", row.to_state));
        };
        let legal = match at {
            None => to == State::Created && row.from_state.is_empty(),
            Some(from) => row.from_state == from.as_str() && from.may_become(to),
        };
        if !legal {
            return Some(format!("it went from {:?} to {:?}", row.from_state, row.to_state));
        }
        at = Some(to);
    }
    let ends = at.map(State::as_str).unwrap_or_default();
    (at != Some(order.state))
        .then(|| format!("it is {}, its history ends at {ends:?}", order.state.as_str()))
}

/// I10. Events are kept for a while only.
pub(super) async fn told(app: &App, orders: &[Order]) -> Result<Wrong, Error> {
    let kept = app.clock.now() - souk_events::outbox::KEPT / 2;
    let young: Vec<&Order> = orders.iter().filter(|order| order.updated_at > kept).collect();
    let subject = |order: &Order| format!("order/{}", order.id);
    let mut heads = HashMap::new();
    for some in young.chunks(500) {
        let subjects: Vec<String> = some.iter().map(|order| subject(order)).collect();
        heads.extend(souk_events::outbox::audit::heads(&app.db, &subjects).await?);
    }
    let mut wrong = Wrong::new();
    for order in young {
        let told = heads.get(&subject(order)).copied();
        if told != Some(order.version) {
            let last = told.map_or_else(|| "none".to_owned(), |version| version.to_string());
            note(&mut wrong, order, format!("it is at version {}, told was {last}", order.version));
        }
    }
    Ok(wrong)
}
