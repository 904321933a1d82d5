//! Places of which nobody takes all: they are counted for all together, and for each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::network;

/// Counts places. Cheap to clone.
#[derive(Clone, Default)]
pub struct Shares(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A place; free again when it is dropped.
pub struct Share {
    shares: Shares,
    network: Option<IpAddr>,
}

impl Shares {
    /// A place, unless `most` are taken, or `own` of them from this address: in IPv6, from its /64 network.
    #[must_use]
    pub fn take(&self, address: Option<IpAddr>, most: usize, own: usize) -> Option<Share> {
        let network = address.map(network);
        let mut taken = self.lock();
        if taken.all >= most {
            return None;
        }
        if let Some(network) = network {
            let count = taken.by_network.get(&network).copied().unwrap_or(0);
            if count >= own {
                return None;
            }
            taken.by_network.insert(network, count + 1);
        }
        taken.all += 1;
        drop(taken);
        Some(Share { shares: self.clone(), network })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        taken.all -= 1;
        let Some(network) = self.network else { return };
        if let Some(count) = taken.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.by_network.remove(&network);
            }
        }
    }
}
