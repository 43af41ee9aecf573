//! What the buses say of messages whose consumer died, and what a consumer makes of it.
use std::path::Path;

use souk_events::bus;

use super::{CHANGED, COUNT, MAIL, Place, QUEUES, depth_becomes, event, eventually, publish};
use crate::consumer::start_on;
use crate::deaths::{killer_and_bystander, orders, survives};
use crate::home::Home;

pub(crate) async fn only_the_queue_whose_handler_kills_parks_the_message(place: &Place) {
    if let Some(orders) = orders() {
        let mut orders = orders.splitn(3, ' ');
        let [db, dir, url] = [(); 3].map(|()| orders.next().unwrap());
        let bus = bus::open(url, Path::new(dir)).await.unwrap();
        bus.declare(QUEUES).await.unwrap();
        let victim = Home::sqlite().await.moved_to(db).await;
        loop {
            let (killer, bystander) = killer_and_bystander();
            let consumers = [(MAIL, killer), (COUNT, bystander)]
                .map(|(queue, writer)| start_on(queue, &victim, bus.clone(), 10, writer));
            eventually("parked here, handled there", || async {
                bus.depth(MAIL).await.unwrap() == (0, 1) && victim.effects().await == 1
            })
            .await;
            for consumer in consumers {
                consumer.stop().await;
            }
            // the effect may be from a process that died before it could tell the bus: then the
            // message is still there, and is in nobody's hand once the consumers have stopped
            if bus.depth(COUNT).await.unwrap() == (0, 0) {
                break;
            }
        }
        return;
    }
    let (home, bus) = (Home::sqlite().await, place.open().await);
    publish(&bus, &[event(CHANGED, 0)]).await;
    drop(bus);
    let module = if place.url().is_empty() { "bus_local" } else { "bus_rabbit" };
    let test = format!("{module}::only_the_queue_whose_handler_kills_parks_the_message");
    let orders = format!("{} {} {}", home.url, place.dir().display(), place.url());
    let mut deaths = 0;
    while !survives(&test, &orders, "").await {
        deaths += 1;
        assert!(deaths < 5, "it goes on killing");
    }
    assert_eq!(deaths, 3);
    let bus = place.open().await;
    depth_becomes(&bus, MAIL, (0, 1)).await;
    depth_becomes(&bus, COUNT, (0, 0)).await;
}
