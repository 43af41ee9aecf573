//! Connections of one client at once: whoever is slow on purpose takes no places but their own.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Counter;

use super::limit::network;

/// How many connections each address has, a whole /64 of IPv6 being one.
pub(crate) struct Crowd {
    most: usize,
    here: Mutex<HashMap<IpAddr, usize>>,
    refused: Counter,
}

/// A connection's place, until it is dropped.
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    pub(crate) fn new(most: usize) -> Self {
        let refused = metrics::counter!("http_connections_refused_total");
        Self { most, here: Mutex::default(), refused }
    }

    /// `None`: this address has as many as it may have.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        let count = here.entry(address).or_default();
        if *count >= self.most {
            self.refused.increment(1);
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut here = self.crowd.here.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = here.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                here.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(crowd: &Arc<Crowd>, address: &str) -> Option<Place> {
        crowd.enter(address.parse().unwrap())
    }

    #[test]
    fn s26_one_client_takes_no_places_of_others() {
        let crowd = Arc::new(Crowd::new(2));
        let mut places: Vec<Place> = Vec::new();
        for (own, other) in [
            (["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"], "192.0.2.2"),
            // a whole /64 is one customer's
            (["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:0:8000::"], "2001:db8:0:1::1"),
        ] {
            places.extend(own.iter().take(2).map(|address| enter(&crowd, address).unwrap()));
            for address in own {
                assert!(enter(&crowd, address).is_none(), "{address}");
            }
            assert!(enter(&crowd, other).is_some(), "{other}");
        }
        // whoever leaves makes room for one
        drop(places.remove(0));
        places.push(enter(&crowd, "192.0.2.1").unwrap());
        assert!(enter(&crowd, "192.0.2.1").is_none());
        drop(places);
        assert!(crowd.here.lock().unwrap().is_empty(), "nobody is remembered who is not there");
    }
}
