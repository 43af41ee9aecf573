//! Ports for programs that must know theirs before they start.
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A free port of the loopback address, below those that the system gives to outgoing connections
/// (32768 and up): between our look and the start of the server nobody is handed it.
pub fn free_address() -> SocketAddr {
    let mut tries = (0..1_000).map(|_| 20_000 + rand::random::<u16>() % 12_000);
    let free = tries.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
    SocketAddr::from((Ipv4Addr::LOCALHOST, free.expect("no free port between 20000 and 32000")))
}
