//! How many letters about orders one buyer gets.
use super::*;

#[tokio::test]
async fn s53_a_buyer_gets_twenty_letters_about_orders_an_hour_and_the_staff_all() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (buyer, other, ann) = (admin("Buyer"), admin("Other"), admin("Ann"));
        neighbors.has_buyer(&buyer, true);
        neighbors.has_buyer(&other, true);
        neighbors.knows(std::slice::from_ref(&ann));
        let flood: Vec<_> =
            (0..15).map(|_| bench.step(registry::ORDER_CONFIRMED, buyer.user_id)).collect();
        bench.hear_orders(&neighbors, &flood).await;
        bench.pass(60);
        // letters of accounts are not about orders
        bench.requested(&neighbors, Kind::NewDevice, &buyer).await;
        let flood: Vec<_> =
            (0..10).map(|_| bench.step(registry::ORDER_CONFIRMED, buyer.user_id)).collect();
        let others = bench.step(registry::ORDER_SHIPPED, other.user_id);
        bench.hear_orders(&neighbors, &[flood, vec![others]].concat()).await;
        bench.pass(60);
        crate::bench::deliver(&bench.postman_of(&neighbors).await).await;
        assert_eq!(bench.sent_to(&buyer), 21, "twenty and the one of accounts");
        assert_eq!(bench.sent_to(&other), 1);
        let rows = bench.ledger().await;
        let held = rows.iter().filter(|row| row.reason.as_deref() == Some("too_many"));
        let held: Vec<_> = held.map(|r| (r.user_id, r.status.as_str(), r.letter_id)).collect();
        assert_eq!(held, [(buyer.user_id, "suppressed", None); 5], "{}", bench.store.name);
        let staff = rows.iter().filter(|row| row.recipient == ann.email && row.status == "sent");
        assert_eq!(staff.count(), 25);

        // an hour after the first fifteen there is room for as many
        bench.pass(3_480 - 1);
        let step = || bench.step(registry::ORDER_SHIPPED, buyer.user_id);
        bench.hear_orders(&neighbors, &[step()]).await;
        bench.pass(1);
        bench.hear_orders(&neighbors, &(0..16).map(|_| step()).collect::<Vec<_>>()).await;
        bench.deliver().await;
        assert_eq!(bench.sent_to(&buyer), 21 + 15, "{}", bench.store.name);
    }
}

#[tokio::test]
async fn two_consumers_together_let_no_letter_more_through() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (buyer, ann) = (admin("Buyer"), admin("Ann"));
        neighbors.has_buyer(&buyer, true);
        neighbors.has_buyer(&ann, true);
        // both are staff as well: their paces are locked in one order
        neighbors.knows(&[ann.clone(), buyer.clone()]);
        let app = bench.app.clone().with_order_letters_per_hour(5);
        let steps = |who: &Recipient| -> Vec<_> {
            (0..4).map(|_| bench.step(registry::ORDER_CONFIRMED, who.user_id)).collect()
        };
        let handler = OrderHandler::new(app, neighbors.client());
        for _ in 0..5 {
            let (one, two) = ([steps(&buyer), steps(&ann)].concat(), steps(&ann));
            let three = [steps(&ann), steps(&buyer)].concat();
            tokio::join!(
                handle(bench.db(), &handler, &one),
                handle(bench.db(), &handler, &two),
                handle(bench.db(), &handler, &three),
            );
        }
        for who in [&buyer, &ann] {
            let personal = |row: &&notification::Entry| {
                row.user_id == who.user_id && row.kind == "order.confirmed"
            };
            let rows = bench.ledger().await;
            let held = rows.iter().filter(personal).filter(|r| r.letter_id.is_none()).count();
            let all = if who.user_id == buyer.user_id { 40 } else { 60 };
            assert_eq!(held, all - 5, "{} on {}", who.name, bench.store.name);
        }
    }
}
