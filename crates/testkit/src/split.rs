//! Each service in a house of its own: they know one another by address, as in production.
use souk_service::{Blueprint, House, ORDER};

use crate::Storehouse;
use crate::shop;

/// In the order of the call graph, so that each knows the addresses of those it asks.
pub(crate) async fn start(
    store: &Storehouse,
    settings: &[(String, String)],
    blueprints: &[Blueprint],
) -> Vec<House> {
    let mut settings = settings.to_vec();
    settings.push(("grpc.listen".to_owned(), "127.0.0.1:0".to_owned()));
    let mut houses = Vec::new();
    for name in ORDER {
        let Some(blueprint) = blueprints.iter().find(|b| b.name == name) else { continue };
        let house = shop::start(store, &settings, &[*blueprint]).await;
        let address = house.address("grpc").expect("it listens for the others");
        settings.push((format!("services.{name}.url"), format!("http://{address}")));
        houses.push(house);
    }
    houses
}
