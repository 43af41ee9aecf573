//! Free ports and random words for private servers.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, bail};

/// Below the range from which the system takes the ports of outgoing connections (32768 and up
/// on Linux), so that between our look and the server's start nobody is handed the port.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Distinct ports of the loopback address that are free now.
pub(crate) fn free<const N: usize>() -> Result<[u16; N]> {
    let mut held = Vec::new();
    for _ in 0..1_000 {
        let port = RANGE.start + u16::from_be_bytes(random()?) % (RANGE.end - RANGE.start);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            held.push((port, listener));
        }
        if held.len() == N {
            let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
            return ports.try_into().ok().context("as many ports as asked for");
        }
    }
    bail!("no free port between {} and {}", RANGE.start, RANGE.end)
}

/// A random word for passwords and names.
pub(crate) fn word() -> Result<String> {
    let bytes: [u8; 12] = random()?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_are_distinct_and_below_the_ephemeral_range() {
        let mut ports = super::free::<8>().expect("eight free ports");
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] < pair[1]), "{ports:?}");
        assert!(ports.iter().all(|port| super::RANGE.contains(port)), "{ports:?}");
    }
}
