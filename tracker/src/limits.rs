//! Limits by address: how much one address may hold, and how fast it may come.
//!
//! An address is the sender's IPv4 address or, of IPv6, its /64 network: whoever has one address there has all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// Most addresses that a [`Rate`] remembers, some 100 bytes each. At the bound addresses not seen lately are refused
/// until [`Rate::forget_idle`] made room: a flood from so many addresses at once is an attack.
const ADDRESSES_MAX: usize = 100_000;

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address(IpAddr);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) => Self(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into()),
            v4 => Self(v4),
        }
    }
}

/// Counts what is held now, in all and by address.
#[derive(Debug)]
pub(crate) struct Gauge {
    total_max: usize,
    per_address_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    /// Only addresses that hold something, so it is bounded by `total_max`.
    by_address: HashMap<Address, usize>,
}

/// Why there was no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The server has all it can.
    Total,
    /// The address has all it may.
    Address,
}

/// One thing held; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    gauge: Arc<Gauge>,
    address: Option<Address>,
}

impl Gauge {
    pub(crate) fn new(total_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self { total_max, per_address_max, held: Mutex::default() })
    }

    /// Takes a place, which counts for an address if one is given.
    pub(crate) fn enter(self: &Arc<Self>, address: Option<Address>) -> Result<Place, Full> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.total >= self.total_max {
            return Err(Full::Total);
        }
        if let Some(address) = address {
            let count = held.by_address.entry(address).or_default();
            if *count >= self.per_address_max {
                return Err(Full::Address);
            }
            *count += 1;
        }
        held.total += 1;
        Ok(Place { gauge: Arc::clone(self), address })
    }

    /// How many are held.
    pub(crate) fn total(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).total
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.gauge.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(count) = held.by_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                held.by_address.remove(&address);
            }
        }
    }
}

/// How often an address may do something.
#[derive(Debug)]
pub(crate) struct Rate {
    /// None: never.
    limiter: Option<RateLimiter<Address, HashMapStateStore<Address>, DefaultClock>>,
}

impl Rate {
    /// So many a second for long, and ten times as many at once.
    pub(crate) fn per_second(count: u32) -> Self {
        Self::new(count, |count| Quota::per_second(count).allow_burst(count.saturating_mul(TEN)))
    }

    /// So many a minute, for long and at once.
    pub(crate) fn per_minute(count: u32) -> Self {
        Self::new(count, Quota::per_minute)
    }

    fn new(count: u32, quota: impl FnOnce(NonZeroU32) -> Quota) -> Self {
        Self { limiter: NonZeroU32::new(count).map(|count| RateLimiter::hashmap(quota(count))) }
    }

    /// Counts one, or says how long to wait.
    pub(crate) fn check(&self, address: Address) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else {
            return Err(Duration::MAX);
        };
        if limiter.len() >= ADDRESSES_MAX {
            return Err(FORGET_EVERY);
        }
        limiter.check_key(&address).map_err(|until| until.wait_time_from(limiter.clock().now()))
    }

    /// Forgets addresses that used nothing lately. To be called every [`FORGET_EVERY`].
    pub(crate) fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
        }
    }
}

/// How often idle addresses are forgotten.
pub(crate) const FORGET_EVERY: Duration = Duration::from_secs(10);

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_a_mapped_one_is_ipv4() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.2"), address("192.0.2.1"));
    }

    #[test]
    fn places_are_bounded_by_address_and_in_all_and_come_back() {
        let gauge = Gauge::new(3, 2);
        let (one, other) = (Some(address("192.0.2.1")), Some(address("192.0.2.2")));
        let first = gauge.enter(one).unwrap();
        let _second = gauge.enter(one).unwrap();
        assert_eq!(gauge.enter(one).unwrap_err(), Full::Address);
        let _third = gauge.enter(other).unwrap();
        assert_eq!(gauge.enter(other).unwrap_err(), Full::Total);
        drop(first);
        assert_eq!(gauge.total(), 2);
        let _again = gauge.enter(one).unwrap();
        assert_eq!(gauge.enter(None).unwrap_err(), Full::Total);
    }

    #[test]
    fn a_rate_is_by_address_and_zero_is_never() {
        let rate = Rate::per_minute(2);
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        assert!(rate.check(one).is_ok() && rate.check(one).is_ok());
        assert!(rate.check(one).unwrap_err() > Duration::from_secs(20));
        assert!(rate.check(other).is_ok());
        rate.forget_idle();
        assert!(rate.check(one).is_err());
        assert!(Rate::per_minute(0).check(one).is_err());
    }
}
