//! Whose a datagram is: by the name in a check of ICE, or by the address that it comes from.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::socket::{Datagram, NetPath};
use super::stun::{Kind, kind};

/// An address stays with its peer for as long as checks come from there, which is every few
/// seconds. Else any peer could take the address of another by sending a check under it.
const CLAIM_SILENCE_MAX: Duration = Duration::from_secs(10);

type Inbox = mpsc::Sender<Datagram>;

#[derive(Debug, Default)]
pub(super) struct Routes {
    table: Mutex<Table>,
    next_key: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    by_ufrag: HashMap<String, Inbox>,
    by_address: HashMap<SocketAddr, Claim>,
}

#[derive(Debug)]
struct Claim {
    key: u64,
    inbox: Inbox,
    heard_at: Instant,
}

impl Routes {
    /// A full inbox loses the datagram: whoever sends much cannot hold up the others.
    pub(super) fn deliver<'a>(&self, datagrams: impl Iterator<Item = (&'a [u8], NetPath)>) {
        let table = self.lock();
        for (contents, path) in datagrams {
            let inbox = match kind(contents) {
                Kind::Check { ufrag } => table.by_ufrag.get(ufrag),
                Kind::Dtls => table.by_address.get(&path.remote).map(|claim| &claim.inbox),
                Kind::Other => None,
            };
            let Some(inbox) = inbox else { continue };
            match inbox.try_reserve() {
                Ok(place) => {
                    place.send(Datagram { contents: Bytes::copy_from_slice(contents), path });
                }
                Err(_) => {
                    tracing::trace!(remote = %path.remote, "a peer is busy and loses a datagram")
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes of one peer. They end with it, however it ends.
#[derive(Debug)]
pub(super) struct Seat {
    routes: Arc<Routes>,
    inbox: Inbox,
    key: u64,
    ufrag: String,
    addresses: Vec<SocketAddr>,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    pub(super) fn new(routes: &Arc<Routes>, inbox: Inbox, place: OwnedSemaphorePermit) -> Self {
        let key = routes.next_key.fetch_add(1, Ordering::Relaxed);
        let routes = Arc::clone(routes);
        Self { routes, inbox, key, ufrag: String::new(), addresses: Vec::new(), _place: place }
    }

    /// For the log.
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    /// Takes checks under another name from now on.
    pub(super) fn rename(&mut self, ufrag: String) {
        if ufrag != self.ufrag {
            let mut table = self.routes.lock();
            table.by_ufrag.remove(&self.ufrag);
            table.by_ufrag.insert(ufrag.clone(), self.inbox.clone());
            self.ufrag = ufrag;
        }
    }

    /// Takes what comes from an address, unless it is another peer's. To be called for checks that
    /// prove to be ours.
    pub(super) fn claim(&mut self, address: SocketAddr, now: Instant) -> bool {
        let mut table = self.routes.lock();
        if let Some(claim) = table.by_address.get_mut(&address) {
            if claim.key == self.key {
                claim.heard_at = now;
                return true;
            }
            if now.duration_since(claim.heard_at) < CLAIM_SILENCE_MAX {
                return false;
            }
        }
        let claim = Claim { key: self.key, inbox: self.inbox.clone(), heard_at: now };
        table.by_address.insert(address, claim);
        drop(table);
        if !self.addresses.contains(&address) {
            self.addresses.push(address);
        }
        true
    }

    pub(super) fn release(&mut self, address: SocketAddr) {
        self.addresses.retain(|other| *other != address);
        self.routes.lock().release(self.key, address);
    }
}

impl Table {
    fn release(&mut self, key: u64, address: SocketAddr) {
        if self.by_address.get(&address).is_some_and(|claim| claim.key == key) {
            self.by_address.remove(&address);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.routes.lock();
        table.by_ufrag.remove(&self.ufrag);
        for address in &self.addresses {
            table.release(self.key, *address);
        }
    }
}
