//! Room for connections: how many there may be at once, and from one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// File descriptors that are kept for everything but clients: listeners, producers, the log, what a library opens.
pub const DESCRIPTORS_IN_RESERVE: u64 = 256;

/// The seats of a gateway.
#[derive(Debug)]
pub(crate) struct Seats {
    connections_max: usize,
    per_address_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, u32>,
}

/// A connection's seat, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    #[error("the gateway holds as many connections as it may")]
    Gateway,
    #[error("this address holds as many connections as it may")]
    Address,
}

impl Seats {
    /// `descriptors`: how many files the process may have open, if that is known.
    pub(crate) fn new(connections_max: usize, per_address_max: usize, descriptors: Option<u64>) -> Self {
        let room = descriptors.map_or(u64::MAX, |limit| limit.saturating_sub(DESCRIPTORS_IN_RESERVE).max(1));
        let connections_max = connections_max.min(usize::try_from(room).unwrap_or(usize::MAX));
        Self { connections_max, per_address_max, taken: Mutex::default() }
    }

    /// Most connections at once.
    pub(crate) fn connections_max(&self) -> usize {
        self.connections_max
    }

    /// Takes a seat. Loopback addresses are not counted one by one: behind them stands a proxy, or ourselves.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.connections_max {
            return Err(Full::Gateway);
        }
        if !address.is_loopback() {
            let of_address = taken.by_address.entry(address).or_default();
            if *of_address as usize >= self.per_address_max {
                return Err(Full::Address);
            }
            *of_address += 1;
        }
        taken.all += 1;
        Ok(Seat { seats: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(of_address) = taken.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 8));
    const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn an_address_gets_its_seats_and_not_one_more() {
        let seats = Arc::new(Seats::new(10, 2, None));
        let one = seats.take(PHONE).unwrap();
        let _two = seats.take(PHONE).unwrap();
        assert_eq!(seats.take(PHONE).unwrap_err(), Full::Address);
        assert!(seats.take(OTHER).is_ok(), "others do not pay for it");
        drop(one);
        assert!(seats.take(PHONE).is_ok(), "a seat that was left is free");
        assert_eq!(seats.taken.lock().unwrap().by_address.len(), 1, "nobody who has left is remembered");
    }

    #[test]
    fn the_gateway_has_its_seats_and_not_one_more() {
        let seats = Arc::new(Seats::new(3, 1, None));
        let taken: Vec<_> = (0..3).map(|_| seats.take(PROXY).unwrap()).collect();
        assert_eq!(seats.take(PROXY).unwrap_err(), Full::Gateway);
        drop(taken);
        assert!(seats.take(PROXY).is_ok());
    }

    #[test]
    fn descriptors_are_kept_in_reserve() {
        assert_eq!(Seats::new(16_000, 1, Some(DESCRIPTORS_IN_RESERVE + 1_000)).connections_max(), 1_000);
        assert_eq!(Seats::new(16_000, 1, Some(20_000)).connections_max(), 16_000);
        assert_eq!(
            Seats::new(16_000, 1, Some(10)).connections_max(),
            1,
            "a server without clients is of no use"
        );
    }
}
