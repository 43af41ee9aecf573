//! Each service in a house of its own: they know one another by address, as in production.
use souk_service::{Blueprint, House, ORDER};
use souk_values::Clock;

use crate::Storehouse;
use crate::shop;

/// In the order of the call graph, so that each knows the addresses of those it asks. In settings of
/// TLS `{service}` stands for the house's service: each has a certificate of its own.
pub(crate) async fn start(
    store: &Storehouse,
    settings: &[(String, String)],
    blueprints: &[Blueprint],
    clock: &Clock,
) -> Vec<House> {
    let mut settings = settings.to_vec();
    settings.push(("grpc.listen".to_owned(), "127.0.0.1:0".to_owned()));
    let secured = settings.iter().any(|(key, _)| key == "grpc.tls.mode");
    let scheme = if secured { "https" } else { "http" };
    let mut houses = Vec::new();
    for name in ORDER {
        let Some(blueprint) = blueprints.iter().find(|b| b.name == name) else { continue };
        let mut own = settings.clone();
        for (_, value) in own.iter_mut().filter(|(key, _)| key.starts_with("grpc.tls.")) {
            *value = value.replace("{service}", name);
        }
        let house = shop::start(store, &own, &[*blueprint], clock).await;
        let address = house.address("grpc").expect("it listens for the others");
        settings.push((format!("services.{name}.url"), format!("{scheme}://{address}")));
        houses.push(house);
    }
    houses
}
